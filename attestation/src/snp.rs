//! AMD SEV-SNP: a report that the security processor signed, and the certificates behind its key.
//!
//! The document is canonical CBOR, `{"certificates": [VCEK, ASK, ARK], "report": ..., "v": 1}`, all in
//! DER and as the processor gave it, in base64url. The specifications are AMD's: 56860 (the report) and
//! 57230 (the certificates).
//!
//! What is checked: the chain to an ARK that is pinned here; the report's signature; that chip and TCB
//! of the certificate are the report's; VMPL 0; that nothing but a digest stands in the report data.
//! What is not: the certificates' periods and revocation, as there is no clock and no network here, and
//! whether the launch measurement is of a guest that keeps its word: that is the policy's.

mod chain;
mod report;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::clean_room::Claims;
use chancery_governance::run::{Evidence, Platform, Verdict};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;

use crate::EvidenceError;
use report::Report;

/// The kind, as events, views and people see it.
pub const KIND: &str = "sev-snp";
/// Most bytes of a certificate.
pub const CERTIFICATE_LEN_MAX: usize = 8 << 10;

const VERSION: u64 = 1;

/// Puts a report and its certificates, each in DER, into evidence. Nothing is checked.
pub fn evidence(report: &[u8], [vcek, ask, ark]: [&[u8]; 3]) -> Evidence {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let document = codec::encode(&Value::map([
        ("v", Value::from(VERSION)),
        ("report", bytes(report)),
        ("certificates", Value::Array([vcek, ask, ark].map(bytes).to_vec())),
    ]));
    Evidence { kind: KIND.to_owned(), document: URL_SAFE_NO_PAD.encode(document) }
}

/// Verifies a document.
///
/// The verdict's measurement is the SHA-256 of the launch measurement, which has 48 bytes; its host data
/// is the report's, where it is not all zero; whether it can be debugged is what the guest's policy says.
///
/// # Errors
///
/// [`EvidenceError`].
pub fn verify(encoded: &str) -> Result<Verdict, EvidenceError> {
    let (report, [vcek, ask, ark]) = read(encoded)?;
    let report = Report::parse(&report)?;
    let vcek = chain::verify(&vcek, &ask, &ark)?;
    report.check_signature(&vcek.key)?;
    if vcek.tcb != report.tcb {
        return Err(EvidenceError::Snp("the certificate is of another TCB than the report"));
    }
    if vcek.chip != report.chip {
        return Err(EvidenceError::Snp("the certificate is of another chip than the report"));
    }
    if report.vmpl != 0 {
        return Err(EvidenceError::Snp("it was asked for from a VMPL other than 0"));
    }
    let (bound, rest) = report.data.split_at(32);
    let report_data = Digest::from_slice(bound).filter(|_| rest.iter().all(|byte| *byte == 0));
    let report_data =
        report_data.ok_or(EvidenceError::Snp("its report data is no digest of 32 bytes"))?;
    let host_data = Digest::from_slice(&report.host_data);
    Ok(Verdict {
        platform: Platform::SevSnp,
        measurement: Digest::of(&report.measurement),
        report_data,
        claims: Claims {
            host_data: host_data.filter(|_| report.host_data.iter().any(|byte| *byte != 0)),
            engine: None,
            tcb: Some(report.tcb),
            debug: Some(report.debug),
        },
    })
}

fn read(encoded: &str) -> Result<(Vec<u8>, [Vec<u8>; 3]), EvidenceError> {
    let malformed = EvidenceError::Malformed;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed("not base64url"))?;
    let value = codec::decode(&bytes).map_err(|_| malformed("not canonical CBOR"))?;
    let Value::Map(mut map) = value else { return Err(malformed("not a map")) };
    let version = map.remove(&"v".into());
    let report = map.remove(&"report".into());
    let certificates = map.remove(&"certificates".into());
    if version != Some(Value::from(VERSION)) || !map.is_empty() {
        return Err(malformed("an unknown field or version"));
    }
    let (Some(Value::Bytes(report)), Some(Value::Array(certificates))) = (report, certificates)
    else {
        return Err(malformed("no report, or no certificates"));
    };
    let certificates: Vec<_> = certificates
        .into_iter()
        .filter_map(|item| match item {
            Value::Bytes(der) if der.len() <= CERTIFICATE_LEN_MAX => Some(der),
            _ => None,
        })
        .collect();
    let certificates = certificates.try_into().map_err(|_| malformed("not three certificates"))?;
    Ok((report, certificates))
}
