//! Arbitrary bytes: no panic, no verdict `Verified`, and no memory but for what is there.

mod story;

use chancery_audit::bundle::{GAP_ROOTS_MAX, Header, Kind, MAGIC, Reader, WriteError, Writer};
use chancery_audit::partial::{Scope, subtrees};
use chancery_audit::{Check, Options, Verdict, verify};
use chancery_ledger::codec;
use proptest::prelude::*;
use story::Story;

fn not_verified(bundle: &[u8]) -> Result<(), TestCaseError> {
    prop_assert_ne!(verify(bundle, &Options::default()).verdict, Verdict::Verified);
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_not_verified(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        not_verified(&bytes)?;
        not_verified(&[MAGIC, &bytes].concat())?;
    }

    #[test]
    fn arbitrary_bytes_after_a_header_are_not_verified(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        size in any::<u64>(),
    ) {
        let header = Header { size, ..Story::default().parts().header };
        let mut bundle = Writer::new(Vec::new(), &header).unwrap().output().clone();
        bundle.extend(bytes);
        not_verified(&bundle)?;
    }

    #[test]
    fn arbitrary_entries_are_not_verified(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5),
        checkpoint in ".{0,200}",
    ) {
        let mut parts = Story::default().parts();
        parts.entries = entries;
        not_verified(&parts.bundle())?;
        parts.checkpoint = checkpoint;
        not_verified(&parts.bundle())?;
    }
}

#[test]
fn a_claimed_length_beyond_the_bound_is_refused_before_it_is_read() {
    let header = Header { size: 1, ..Story::default().parts().header };
    let begun = Writer::new(Vec::new(), &header).unwrap().output().clone();
    for head in [
        &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
        &[0x5a, 0x00, 0x10, 0x00, 0x01],
        &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x5f],
    ] {
        let mut reader =
            Reader::open(begun.iter().chain(head).copied().collect::<Vec<_>>().leak() as &[u8])
                .unwrap();
        let error = reader.next_item().unwrap_err().to_string();
        assert!(error.contains("too long") || error.contains("no definite length"), "{error}");
    }
}

#[test]
fn gaps_and_nesting_are_bounded_before_anything_is_set_aside() {
    let header = Header { size: u64::MAX, ..Story::default().parts().header };
    let kind = Kind::Partial(Scope::Query(story::delays()));
    let begun = Writer::of_kind(Vec::new(), &header, kind, None).unwrap().output().clone();
    let gap = |first: u64, count: u64, roots: usize| {
        let roots = vec![codec::Value::bytes([0; 32]); roots];
        codec::encode(&codec::Value::Array(vec![
            first.into(),
            count.into(),
            codec::Value::Array(roots),
        ]))
    };
    let deep = [vec![0x81; 100_000], vec![0x80]].concat();
    for (item, problem) in [
        (vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "too long"),
        (deep, "too long"),
        ([vec![0x81; 4_000], vec![0x80]].concat(), "not canonical CBOR"),
        (gap(0, 1, GAP_ROOTS_MAX + 1), "too many roots"),
        (gap(1, 1, 1), "another position"),
        (gap(0, 0, 0), "of none"),
        (vec![0x83, 0x00, 0x01, 0x9a, 0x7f, 0xff, 0xff, 0xff], "too long"),
    ] {
        let bytes = [begun.as_slice(), &item].concat();
        let error = Reader::open(&bytes[..]).unwrap().next_item().unwrap_err().to_string();
        assert!(error.contains(problem), "{problem}: {error}");
        assert_eq!(verify(&bytes[..], &Options::default()).verdict.exit_code(), 1);
    }
    // The whole of 2^64 - 1 entries in one gap, by as many roots as it takes: no first entry.
    let bytes = [begun, gap(0, u64::MAX, 64)].concat();
    let verdict = verify(&bytes[..], &Options::default()).verdict;
    assert!(matches!(verdict, Verdict::Incomplete { check: Check::Closure, .. }), "{verdict:?}");
}

#[test]
fn subtrees_cover_what_they_should() {
    for first in 0..40_u64 {
        for count in 0..40_u64 {
            let covered: u64 = subtrees(first, count).map(|height| 1_u64 << height).sum();
            assert_eq!(covered, count);
        }
    }
    assert_eq!(subtrees(0, u64::MAX).count(), 64);
    assert_eq!(subtrees(1, u64::MAX - 1).count(), 126);
    assert_eq!(subtrees(2, u64::MAX).count(), 0);
}

#[test]
fn an_empty_log_is_not_verified() {
    match verify(&Story::default().bundle()[..], &Options::default()).verdict {
        Verdict::Tampered { check, .. } => assert_eq!(check, chancery_audit::Check::Rules),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_writer_writes_only_what_a_reader_takes() {
    let header = Header { size: 1, ..Story::default().parts().header };
    let writer = Writer::new(Vec::new(), &header).unwrap();
    assert!(matches!(writer.finish("note"), Err(WriteError::Count { declared: 1, written: 0 })));
    let mut writer = Writer::new(Vec::new(), &header).unwrap();
    assert!(matches!(writer.push(&vec![0; (1 << 20) + 1]), Err(WriteError::TooLong(_))));
    writer.push(b"entry").unwrap();
    assert!(matches!(writer.push(b"entry"), Err(WriteError::Count { declared: 1, written: 2 })));
    assert!(matches!(writer.finish(&"x".repeat(65 << 10)), Err(WriteError::TooLong(_))));
    let long = Header { origin: "x".repeat(5_000), ..header };
    assert!(matches!(Writer::new(Vec::new(), &long), Err(WriteError::TooLong(_))));
}
