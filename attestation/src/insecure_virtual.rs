//! Evidence without hardware, for laptops and tests: anybody can make it, and it says so.
//!
//! Its document is canonical CBOR, `{"label": "insecure-virtual", "measurement": ..., "report_data":
//! ..., "v": 1}`, in base64url. It binds what it names as real evidence would, and proves nothing
//! about where it was made. Terms accept it only where they say so.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::clean_room::Claims;
use chancery_governance::run::{Evidence, Platform, Verdict};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;

use crate::EvidenceError;

/// The kind, as events, views and people see it.
pub const KIND: &str = "insecure-virtual";

const VERSION: u64 = 1;

/// Makes evidence. No hardware takes part.
pub fn evidence(measurement: Digest, report_data: Digest) -> Evidence {
    let document = codec::encode(&document(measurement, report_data));
    Evidence { kind: KIND.to_owned(), document: URL_SAFE_NO_PAD.encode(document) }
}

/// Reads what a document says.
///
/// # Errors
///
/// [`EvidenceError::Malformed`].
pub fn verify(encoded: &str) -> Result<Verdict, EvidenceError> {
    let bytes =
        URL_SAFE_NO_PAD.decode(encoded).map_err(|_| EvidenceError::Malformed("not base64url"))?;
    let value =
        codec::decode(&bytes).map_err(|_| EvidenceError::Malformed("not canonical CBOR"))?;
    let digest = |name: &str| match &value {
        Value::Map(map) => match map.get(&name.into()) {
            Some(Value::Text(text)) => text.parse::<Digest>().ok(),
            _ => None,
        },
        _ => None,
    };
    let (Some(measurement), Some(report_data)) = (digest("measurement"), digest("report_data"))
    else {
        return Err(EvidenceError::Malformed("a digest is missing"));
    };
    if value != document(measurement, report_data) {
        return Err(EvidenceError::Malformed("an unknown field, label or version"));
    }
    let claims = Claims::default();
    Ok(Verdict { platform: Platform::InsecureVirtual, measurement, report_data, claims })
}

fn document(measurement: Digest, report_data: Digest) -> Value {
    Value::map([
        ("v", Value::from(VERSION)),
        ("label", Value::text(KIND)),
        ("measurement", Value::text(measurement.to_string())),
        ("report_data", Value::text(report_data.to_string())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_says_what_it_was_made_of_and_nothing_else_passes() {
        let made = evidence(Digest::of(b"app"), Digest::of(b"bound"));
        let verdict = crate::verify(&made).unwrap();
        assert_eq!(verdict.platform, Platform::InsecureVirtual);
        assert_eq!(verdict.measurement, Digest::of(b"app"));
        assert_eq!(verdict.report_data, Digest::of(b"bound"));
        for document in ["", "!", "oA", &format!("{}AA", made.document)] {
            assert!(verify(document).is_err(), "{document}");
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_by_name() {
        let made = Evidence { kind: "sgx".into(), document: String::new() };
        assert_eq!(crate::verify(&made), Err(EvidenceError::UnknownKind("sgx".into())));
    }

    #[test]
    fn another_field_or_label_is_refused() {
        let mut pairs = vec![
            ("v", Value::from(1)),
            ("label", Value::text("sev-snp")),
            ("measurement", Value::text(Digest::of(b"a").to_string())),
            ("report_data", Value::text(Digest::of(b"b").to_string())),
        ];
        let encode = |pairs: &[(&str, Value)]| {
            URL_SAFE_NO_PAD.encode(codec::encode(&Value::map(pairs.to_vec())))
        };
        assert!(verify(&encode(&pairs)).is_err());
        pairs[1].1 = Value::text(KIND);
        assert!(verify(&encode(&pairs)).is_ok());
        pairs.push(("debug", Value::Bool(false)));
        assert!(verify(&encode(&pairs)).is_err());
    }
}
