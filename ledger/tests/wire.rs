//! Wire version 1 by this crate alone: the vectors of `docs/wire` open, chain and make the tree that
//! their checkpoint names; nothing that is altered does.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::key::{Algorithm, PublicKey, SigningKey};
use chancery_ledger::merkle;
use chancery_ledger::note::Checkpoint;
use chancery_ledger::wire::v1;
use proptest::prelude::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/wire/vectors/v1")
}

/// The seed of the service's key in the vectors.
fn service() -> SigningKey {
    SigningKey::from_seed(&[200; 32]).unwrap()
}

/// The key of the service, before or after its rotation, that has this id.
fn service_of(id: chancery_ledger::key::KeyId) -> SigningKey {
    let next = SigningKey::from_seed(&[202; 32]).unwrap();
    if next.public().id() == id { next } else { service() }
}

/// The entries of the vectors, by position.
fn entries() -> Vec<Sealed> {
    let mut entries: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("entry-"))
        .map(|path| {
            let bytes = std::fs::read(path).unwrap();
            let named = Sealed::parse(bytes.clone()).unwrap().key_id();
            Sealed::open(bytes, service_of(named).public()).unwrap()
        })
        .collect();
    entries.sort_by_key(|sealed| sealed.entry().position);
    entries
}

#[test]
fn the_entries_chain_and_make_the_tree_of_the_checkpoint() {
    let entries = entries();
    let mut previous = None;
    for (position, sealed) in (0..).zip(&entries) {
        assert_eq!(sealed.entry().position, position);
        assert_eq!(sealed.entry().previous, previous);
        assert_eq!(sealed.leaf(), merkle::leaf_hash(sealed.bytes()));
        previous = Some(sealed.leaf());
    }
    let note = std::fs::read_to_string(folder().join("checkpoint-note.txt")).unwrap();
    let origin = note.lines().next().unwrap();
    let checkpoint = Checkpoint::open(&note, origin, service().public()).unwrap();
    let size = usize::try_from(checkpoint.size).unwrap();
    let leaves: Vec<_> = entries[..size].iter().map(Sealed::leaf).collect();
    let mut frontier = merkle::Frontier::default();
    frontier.extend(leaves.iter().copied());
    assert_eq!(checkpoint.size, frontier.size());
    assert_eq!(checkpoint.root, frontier.root());
    for (index, leaf) in (0..).zip(&leaves) {
        let proof = merkle::inclusion_proof(&leaves, index).unwrap();
        let verified =
            merkle::verify_inclusion(leaf, index, checkpoint.size, &proof, &checkpoint.root);
        assert_eq!(verified, Ok(()));
    }
}

#[test]
fn entries_and_commands_encode_to_the_bytes_that_they_came_from() {
    for sealed in entries() {
        let again =
            chancery_ledger::entry::seal(sealed.entry().clone(), &service_of(sealed.key_id()));
        assert_eq!(again, sealed);
    }
    let bytes = std::fs::read(folder().join("signed-command.cbor")).unwrap();
    let (command, message) = SignedCommand::parse(ContentType::Command, &bytes).unwrap();
    assert_eq!(v1::encode_command(&command), message.payload());
}

#[test]
fn a_payload_is_as_deep_as_an_item_may_be_and_no_deeper() {
    let mut entry = entries()[0].entry().clone();
    for (depth, fits) in [(codec::DEPTH_MAX - 1, true), (codec::DEPTH_MAX, false)] {
        entry.payload = (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let bytes = v1::encode_entry(&entry);
        assert_eq!(codec::decode(&bytes).is_ok(), fits);
        match v1::decode_entry(&bytes) {
            Ok(read) => assert!(fits && read == entry),
            Err(error) => assert!(!fits && matches!(error, OpenError::Cbor(_)), "{error:?}"),
        }
    }
}

#[test]
fn what_is_read_with_any_byte_changed_is_what_the_bytes_say() {
    let command = std::fs::read(folder().join("signed-command.cbor")).unwrap();
    let (_, message) = SignedCommand::parse(ContentType::Command, &command).unwrap();
    let (mut read, mut refused) = (0, 0);
    let mut all: Vec<_> = entries().iter().map(|it| (v1::encode_entry(it.entry()), true)).collect();
    all.push((message.payload().to_vec(), false));
    for (bytes, is_entry) in all {
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            let again = if is_entry {
                v1::decode_entry(&altered).ok().map(|entry| v1::encode_entry(&entry))
            } else {
                v1::decode_command(&altered).ok().map(|command| v1::encode_command(&command))
            };
            match again {
                Some(again) => {
                    assert_eq!(again, altered, "byte {at}");
                    read += 1;
                }
                None => refused += 1,
            }
        }
    }
    assert!(read > 1000 && refused > 1000, "{read} read, {refused} refused");
}

/// RFC 6979 appendix A.2.5: P-256, SHA-256, message "sample".
#[test]
fn es256_verifies_the_signature_of_rfc_6979() {
    let point = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                 7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    let signature = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                     f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    let key = PublicKey::new(Algorithm::Es256, &unhex(point)).unwrap();
    assert_eq!(key.verify(b"sample", &unhex(signature)), Ok(()));
    assert!(key.verify(b"Sample", &unhex(signature)).is_err());
    assert!(key.verify(b"sample", &unhex(signature)[..63]).is_err());
    assert_eq!(key.to_string().parse::<PublicKey>(), Ok(key));
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A payload of an entry with one map field replaced: mostly ill-typed.
fn spoilt() -> impl Strategy<Value = (prop::sample::Index, i64, Value)> {
    let value = prop_oneof![
        any::<u64>().prop_map(Value::from),
        (-10i128..0).prop_map(Value::Int),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ".{0,20}".prop_map(Value::Text),
        Just(Value::Null),
        Just(Value::Array(Vec::new())),
        prop::collection::vec(any::<u64>().prop_map(Value::from), 0..4).prop_map(Value::Array),
    ];
    (any::<prop::sample::Index>(), 0..14i64, value)
}

proptest! {
    #[test]
    fn an_entry_that_is_read_is_what_its_bytes_say((index, label, value) in spoilt()) {
        let entries = entries();
        let bytes = v1::encode_entry(index.get(&entries).entry());
        let Value::Map(mut map) = codec::decode(&bytes).unwrap() else { unreachable!() };
        map.insert(label.into(), value);
        let spoilt = codec::encode(&Value::Map(map));
        if let Ok(entry) = v1::decode_entry(&spoilt) {
            prop_assert_eq!(v1::encode_entry(&entry), spoilt);
        }
    }

    #[test]
    fn altered_bytes_open_never(
        index in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let entries = entries();
        let mut bytes = index.get(&entries).bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Sealed::open(bytes, service().public()).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Sealed::parse(bytes.clone());
        let _ = SignedCommand::parse(ContentType::Command, &bytes);
        let _ = v1::decode_entry(&bytes);
        let _ = v1::decode_command(&bytes);
    }
}
