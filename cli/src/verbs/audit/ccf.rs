//! `chancery audit ccf-ledger` and `ccf-receipt`: what a CCF network wrote and signed.

pub mod ledger;
pub mod receipt;
mod show;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use chancery_ccf::certificate::{CERTIFICATE_LEN_MAX, Certificate};
use chancery_ledger::digest::Digest;

use crate::failure::{Failure, OrFail as _, Result};

/// Reads a service's certificate.
///
/// # Errors
///
/// Where there is none in the file.
pub fn service_certificate(file: &Path) -> Result<Certificate> {
    let what = || format!("Can't read the service's certificate in {}", file.display());
    let bytes = read(file, CERTIFICATE_LEN_MAX)?;
    let text = String::from_utf8(bytes).or_unreadable(what)?;
    Certificate::from_pem(&text).or_unreadable(what)
}

/// The bytes of a file of at most that length.
fn read(file: &Path, most: usize) -> Result<Vec<u8>> {
    let what = || format!("Can't read {}", file.display());
    let mut bytes = Vec::new();
    let opened = File::open(file).or_unreadable(what)?;
    opened.take(most as u64 + 1).read_to_end(&mut bytes).or_unreadable(what)?;
    if bytes.len() > most {
        return Err(Failure::unreadable(what(), format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

/// A digest as it is typed: 64 hex digits, with or without `sha256:` before them.
///
/// # Errors
///
/// Where it is something else.
pub fn digest(text: &str) -> std::result::Result<Digest, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    format!("sha256:{hex}").parse().map_err(|_| "not a digest: expected 64 hex digits".to_owned())
}

/// A time as RFC 3339 writes it, in seconds since 1970.
///
/// # Errors
///
/// Where it is something else.
pub fn seconds(text: &str) -> std::result::Result<u64, String> {
    let time = chrono::DateTime::parse_from_rfc3339(text)
        .map_err(|error| format!("not a time such as 2026-01-05T09:30:00Z: {error}"))?;
    u64::try_from(time.timestamp()).map_err(|_| "before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_taken_as_ccf_and_as_chancery_write_them() {
        let hex = "05a4f06ab9cb4ac651395a94300f909f9c17d46762ce5f4d239f1a028a995c1a";
        let wanted = format!("sha256:{hex}").parse::<Digest>().unwrap();
        for text in [hex.to_owned(), format!("sha256:{hex}"), hex.to_uppercase()] {
            assert_eq!(digest(&text), Ok(wanted), "{text}");
        }
        for bad in ["", "sha256:", &hex[1..], "sha256:sha256:"] {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_in_seconds() {
        assert_eq!(seconds("1970-01-01T00:01:00Z"), Ok(60));
        assert!(seconds("1969-12-31T23:59:59Z").is_err() && seconds("60").is_err());
    }
}
