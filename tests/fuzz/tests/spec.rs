//! Job specs, as an executor reads back what it wrote before it was stopped.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use chancery_executor::spec;
use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::cose::{self, ContentType};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;
use chancery_ledger::key::SigningKey;

const RUN: &str = "01932b6c-7d3a-7c1e-8f00-0123456789ab";

fn payload() -> Vec<u8> {
    codec::encode(&Value::map([
        ("run", Value::text(RUN)),
        ("expires_ms", Value::Int(1_767_690_000_000)),
        ("application_measurement", Value::text(Digest::of(b"application").to_string())),
        ("output", Value::map([("path", Value::text("/data/out"))])),
    ]))
}

#[test]
fn a_changed_job_spec_is_not_read() {
    let key = SigningKey::from_seed(&[5; 32]).unwrap();
    let run: RunId = RUN.parse().unwrap();
    let good = cose::sign(ContentType::JobSpec, &payload(), &key);
    assert!(spec::read(&good, run, key.public()).is_some());
    let mut seeds = vec![good.clone()];
    seeds.extend(corpus::vectors("v1", "signed-"));
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        let read = spec::read(&bytes, run, key.public());
        assert_eq!(read.is_some(), bytes == good, "{bytes:02x?}");
        Ok(())
    });
}

#[test]
fn a_signed_payload_of_any_form_is_read_or_refused() {
    let key = SigningKey::from_seed(&[5; 32]).unwrap();
    let run: RunId = RUN.parse().unwrap();
    let seeds = vec![payload()];
    fuzz(|u| {
        let payload = mutate::bytes(u, &seeds)?;
        let message = cose::sign(ContentType::JobSpec, &payload, &key);
        if let Some(stored) = spec::read(&message, run, key.public()) {
            assert_eq!(stored.facts.digest, Digest::of(&message));
            let Ok(Value::Map(map)) = codec::decode(&payload) else { panic!("{payload:02x?}") };
            assert_eq!(map.get(&"run".into()), Some(&Value::text(RUN)));
        }
        Ok(())
    });
}
