//! The codec, signed messages, entries, commands.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::{self, ContentType};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::MemberId;
use chancery_ledger::key::{Algorithm, PublicKey};
use chancery_ledger::merkle::leaf_hash;
use chancery_ledger::wire;

const CONTENT_TYPES: [ContentType; 5] = [
    ContentType::Entry,
    ContentType::Command,
    ContentType::ExecutorReport,
    ContentType::ServiceCommand,
    ContentType::JobSpec,
];

/// What stands inside of tagged messages.
fn payloads(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let payload = |message: &Vec<u8>| match codec::decode(message.strip_prefix(&[0xd2])?).ok()? {
        Value::Array(parts) => match parts.into_iter().nth(2)? {
            Value::Bytes(payload) => Some(payload),
            _ => None,
        },
        _ => None,
    };
    let payloads: Vec<_> = messages.iter().filter_map(payload).collect();
    assert!(!payloads.is_empty());
    payloads
}

fn messages() -> Vec<Vec<u8>> {
    let mut messages = corpus::vectors("v1", "entry-");
    messages.extend(corpus::vectors("v1", "signed-"));
    messages.extend(corpus::vectors("v1", "reject-"));
    messages.extend(corpus::vectors("proofs-v1", "inclusion-"));
    messages
}

#[test]
fn what_the_codec_decodes_it_encodes_to_the_same_bytes() {
    let mut seeds = payloads(&messages());
    seeds.extend(corpus::vectors("v1", ""));
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(value) = codec::decode(&bytes) {
            assert_eq!(codec::encode(&value), bytes);
            assert_eq!(codec::encoded_len(&value), bytes.len());
        }
        Ok(())
    });
}

#[test]
fn what_the_codec_encodes_it_decodes_to_the_same_value() {
    fuzz(|u| {
        let value = mutate::value(u, 6)?;
        let bytes = codec::encode(&value);
        assert_eq!(codec::decode(&bytes).as_ref(), Ok(&value));
        assert_eq!(codec::encoded_len(&value), bytes.len());
        Ok(())
    });
}

#[test]
fn a_changed_message_is_of_one_type_at_most_and_never_verified() {
    let (seeds, keys) = (messages(), corpus::keys());
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        let mut types = 0;
        for content in CONTENT_TYPES {
            let Ok(message) = cose::parse(content, &bytes) else { continue };
            types += 1;
            for key in &keys {
                let Ok(verified) = message.verify(key) else { continue };
                assert!(message.is_verified_by(&verified, key));
                assert_eq!(message.key_id(), key.id());
                assert!(seeds.contains(&bytes), "verified: {bytes:02x?}");
            }
        }
        assert!(types <= 1);
        Ok(())
    });
}

#[test]
fn an_entry_has_one_encoding() {
    let seeds = payloads(&messages());
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(entry) = wire::v1::decode_entry(&bytes) {
            assert_eq!(wire::v1::encode_entry(&entry), bytes);
        }
        Ok(())
    });
}

#[test]
fn a_command_has_one_encoding() {
    let seeds = payloads(&corpus::vectors("v1", "signed-"));
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(command) = wire::v1::decode_command(&bytes) {
            assert_eq!(wire::v1::encode_command(&command), bytes);
        }
        Ok(())
    });
}

#[test]
fn a_changed_entry_is_never_opened() {
    let (seeds, keys) = (messages(), corpus::keys());
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if let Ok(sealed) = Sealed::parse(bytes.clone()) {
            assert_eq!(sealed.bytes(), bytes);
            assert_eq!(sealed.leaf(), leaf_hash(&bytes));
        }
        for key in &keys {
            if let Ok(sealed) = Sealed::open(bytes.clone(), key) {
                assert_eq!(sealed.key_id(), key.id());
                assert!(seeds.contains(&bytes), "opened: {bytes:02x?}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_changed_signed_command_is_never_verified() {
    let mut seeds = corpus::vectors("v1", "signed-");
    seeds.extend(corpus::vectors("v1", "reject-command-"));
    let keys = corpus::keys();
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        for content in CONTENT_TYPES {
            let Ok((command, message)) = SignedCommand::parse(content, &bytes) else { continue };
            assert_eq!(wire::v1::encode_command(&command), message.payload());
            let verified = keys.iter().any(|key| message.verify(key).is_ok());
            assert!(!verified || seeds.contains(&bytes), "verified: {bytes:02x?}");
        }
        Ok(())
    });
}

#[test]
fn ids_digests_and_keys_have_one_written_form() {
    let keys = corpus::keys();
    let mut seeds: Vec<String> = keys.iter().map(ToString::to_string).collect();
    seeds.extend(keys.iter().map(|key| key.id().to_string()));
    seeds.push("01941f29-7c00-700c-8000-000000000001".to_owned());
    let words = ["sha256:", "EdDSA:", "ES256:", "{", "}", "-", "=", "+", "A", "urn:uuid:"];
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &words)?;
        if let Ok(id) = text.parse::<MemberId>() {
            assert_eq!(id.to_string(), text);
        }
        if let Ok(digest) = text.parse::<Digest>() {
            assert_eq!(digest.to_string(), text);
        }
        if let Ok(key) = text.parse::<PublicKey>() {
            assert_eq!(key.to_string(), text);
        }
        let bytes: &[u8] = u.arbitrary()?;
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            if let Ok(key) = PublicKey::new(algorithm, bytes) {
                assert_eq!(key.bytes(), bytes);
                assert!(key.verify(text.as_bytes(), bytes).is_err());
            }
        }
        Ok(())
    });
}
