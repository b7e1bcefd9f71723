//! Bundles: changed ones are never verified, and what a false service could write never panics.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::num::NonZero;

use chancery_audit::bundle::{Item, Reader, Writer};
use chancery_audit::partial::Scope;
use chancery_audit::{Options, Verdict, verify};
use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_ledger::entry::{self, Entry, Sealed};
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::Checkpoint;

const V1: &str = "audit/tests/vectors/v1/story.bundle";
const WHOLE: &str = "audit/tests/vectors/v2/story.bundle";
const PARTIAL: &str = "audit/tests/vectors/v2/query.bundle";
/// How deep a change may go inside of an entry's payload.
const DESCENT_MAX: u32 = 16;

/// The verdict on one core: to the first failure.
fn verdict(bundle: &[u8]) -> Verdict {
    verify(bundle, &Options { threads: NonZero::new(1), ..Options::default() }).verdict
}

fn never_verified(paths: &[&str]) {
    let seeds: Vec<_> = paths.iter().map(|path| corpus::file(path)).collect();
    assert!(seeds.iter().all(|seed| verdict(seed) == Verdict::Verified));
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        if !seeds.contains(&bytes) {
            assert_ne!(verdict(&bytes), Verdict::Verified, "{} bytes", bytes.len());
        }
        Ok(())
    });
}

#[test]
fn a_changed_bundle_of_a_whole_log_is_never_verified() {
    never_verified(&[V1, WHOLE]);
}

#[test]
fn a_changed_bundle_of_a_part_is_never_verified() {
    never_verified(&[PARTIAL]);
}

#[test]
fn scopes_have_one_written_form() {
    let id = "01932b6c-7d3a-7c1e-8f00-000000000020";
    let seeds = ["query", "run", "member"].map(|kind| format!("{kind}/{id}"));
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &["query", "dataset", "/", "-", "run", "{"])?;
        if let Ok(scope) = text.parse::<Scope>() {
            assert_eq!(scope.to_string(), text);
        }
        Ok(())
    });
}

/// The entries of version 1's story, which one key seals from first to last.
fn story() -> (Vec<Entry>, chancery_audit::bundle::Header) {
    let bundle = corpus::file(V1);
    let mut reader = Reader::open(&bundle[..]).unwrap();
    let mut entries = Vec::new();
    while let Item::Entry(bytes) = reader.next_item().unwrap() {
        entries.push(Sealed::parse(bytes).unwrap().entry().clone());
    }
    (entries, reader.header().clone())
}

#[test]
fn a_log_that_the_service_itself_falsified_never_panics() {
    let ((entries, header), key) = (story(), SigningKey::from_seed(&[1; 32]).unwrap());
    assert_eq!(header.service_key, *key.public());
    fuzz(|u| {
        // One entry's event, time or subject changed; chain, seals and checkpoint made anew.
        let at = u.int_in_range(0..=entries.len() - 1)?;
        let mut entries = entries.clone();
        let entry = &mut entries[at];
        match u.int_in_range(0..=9_u8)? {
            0 => entry.time_ms = u.arbitrary()?,
            1 => entry.subject = u.arbitrary()?,
            2 => entry.kind = u.arbitrary()?,
            _ => mutate::change_value(u, &mut entry.payload, DESCENT_MAX)?,
        }
        let (mut writer, mut tree) =
            (Writer::new(Vec::new(), &header).unwrap(), Frontier::default());
        let mut previous = None;
        for entry in entries {
            let sealed = entry::seal(Entry { previous, ..entry }, &key);
            previous = Some(sealed.leaf());
            tree.append(sealed.leaf());
            if writer.push(sealed.bytes()).is_err() {
                return Ok(());
            }
        }
        let origin = header.origin.clone();
        let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() }.sign(&key);
        let bundle = writer.finish(&checkpoint).unwrap();
        match verdict(&bundle) {
            // Some falsehoods nobody can tell from the truth, such as another time.
            Verdict::Verified => {}
            // An event of another type may be one of a later version.
            Verdict::Tampered { detail, .. } | Verdict::Unreadable { detail } => {
                assert!(!detail.is_empty());
            }
            other @ Verdict::Incomplete { .. } => panic!("entry {at}: {other:?}"),
        }
        Ok(())
    });
}
