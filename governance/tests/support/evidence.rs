//! A tiny maker and reader of evidence, in the form of the attestation crate's `insecure-virtual`.
//! `sev-snp` here is a stub of the same form: what matters to the rules is the verdict.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::clean_room::Claims;
use chancery_governance::run::{Evidence, Platform, Verdict};
use chancery_governance::wire::Wire;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::PublicKey;

pub fn make(platform: Platform, measurement: Digest, report_data: Digest) -> Evidence {
    make_with(platform, measurement, report_data, &Claims::default())
}

pub fn make_with(
    platform: Platform,
    measurement: Digest,
    report_data: Digest,
    claims: &Claims,
) -> Evidence {
    let mut fields = vec![
        ("v", Value::from(1)),
        ("label", Value::text(platform.as_str())),
        ("measurement", Value::text(measurement.to_string())),
        ("report_data", Value::text(report_data.to_string())),
    ];
    if *claims != Claims::default() {
        fields.push(("claims", claims.encode()));
    }
    let document = codec::encode(&Value::map(fields));
    Evidence { kind: platform.as_str().into(), document: URL_SAFE_NO_PAD.encode(document) }
}

pub fn verify(evidence: &Evidence) -> Result<Verdict, String> {
    let platform = [Platform::InsecureVirtual, Platform::SevSnp]
        .into_iter()
        .find(|platform| platform.as_str() == evidence.kind)
        .ok_or("unknown kind")?;
    let bytes = URL_SAFE_NO_PAD.decode(&evidence.document).map_err(|error| error.to_string())?;
    let Value::Map(map) = codec::decode(&bytes).map_err(|error| error.to_string())? else {
        return Err("no map".into());
    };
    let digest = |name: &str| match map.get(&name.into()) {
        Some(Value::Text(text)) => text.parse::<Digest>().map_err(|error| error.to_string()),
        _ => Err(format!("no {name}")),
    };
    let verdict = Verdict {
        platform,
        measurement: digest("measurement")?,
        report_data: digest("report_data")?,
        claims: match map.get(&"claims".into()) {
            Some(claims) => Claims::decode(claims).map_err(|error| error.to_string())?,
            None => Claims::default(),
        },
    };
    let claims = &verdict.claims;
    if make_with(verdict.platform, verdict.measurement, verdict.report_data, claims) == *evidence {
        Ok(verdict)
    } else {
        Err("not the one form".into())
    }
}

/// What binds a service's key.
pub fn service(name: &str, key: &PublicKey) -> Evidence {
    let report_data = Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/service"),
        Value::text(name),
        Value::text(key.to_string()),
    ])));
    make(Platform::InsecureVirtual, Digest::of(b"the service"), report_data)
}
