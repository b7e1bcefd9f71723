//! Receipts of the mirror in a bundle: verified against the log's own tree, and whatever is done to
//! them is found out.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod story;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use chancery_audit::bundle::{
    Beside, Kind, MAGIC, MIRROR_RECEIPT_LEN_MAX, MIRROR_SERVICE_LEN_MAX, MirrorKind, MirrorReceipt,
    WriteError, Writer,
};
use chancery_audit::partial::{GapMaker, Scope};
use chancery_audit::render::{render_html, render_json, render_text};
use chancery_audit::{Check, Options, Report, Verdict, verify};
use chancery_ccf::certificate::Certificate;
use chancery_ledger::merkle::leaf_hash;
use chancery_mirror::{Batch, InsecureVirtual, MirrorLedger as _};
use story::{Parts, SERVICE, Story, room};

/// What a stand-in answers: it never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the stand-in waits"),
    }
}

fn mirror(seed: &[u8]) -> InsecureVirtual {
    InsecureVirtual::new(SERVICE, seed).unwrap()
}

/// The receipts of a log that was sent on in these pieces: sizes, each larger than the one before.
fn receipts(ledger: &InsecureVirtual, entries: &[Vec<u8>], cuts: &[usize]) -> Vec<MirrorReceipt> {
    let mut first = 0;
    let mut receipts = Vec::new();
    for &size in cuts {
        let entries = entries[first..size].to_vec();
        let batch = Batch { collaboration: room(), first: first as u64, entries, checkpoint: None };
        let transaction = now(ledger.push(&batch)).unwrap().transaction;
        receipts.push(MirrorReceipt {
            kind: MirrorKind::InsecureVirtual,
            first: first as u64,
            size: size as u64,
            transaction: transaction.to_string(),
            service: ledger.service().der().to_vec(),
            receipt: now(ledger.receipt(transaction)).unwrap().unwrap(),
        });
        first = size;
    }
    receipts
}

/// The bundle of a whole log with receipts, of which `announced` entries are said to have one.
fn bundle(parts: &Parts, receipts: &[MirrorReceipt], announced: u64) -> Vec<u8> {
    let beside = Beside { cosigned: None, mirrored: announced };
    let mut writer = Writer::with(Vec::new(), &parts.header, Kind::WholeLog, beside).unwrap();
    let mut receipts = receipts.iter().peekable();
    for (size, entry) in (1..).zip(&parts.entries) {
        writer.push(entry).unwrap();
        while let Some(receipt) = receipts.next_if(|receipt| receipt.size == size) {
            writer.receipt(receipt).unwrap();
        }
    }
    assert!(receipts.next().is_none(), "all stand where they belong");
    writer.finish(&parts.checkpoint).unwrap()
}

/// The report, whose verdict is the same on one core as on many.
fn report(bundle: &[u8], mirrors: &[&InsecureVirtual]) -> Report {
    let mirrors: Vec<Certificate> = mirrors.iter().map(|it| it.service().clone()).collect();
    let on = |threads| {
        let (threads, mirrors) = (NonZero::new(threads), mirrors.clone());
        verify(bundle, &Options { threads, mirrors, ..Options::default() })
    };
    let report = on(3);
    assert_eq!(on(1), report);
    report
}

/// The failing check, which must be the mirror's, and where and why it fails.
fn failed(bundle: &[u8]) -> (u64, String) {
    match report(bundle, &[]).verdict {
        Verdict::Tampered { check: Check::Mirror, position: Some(position), detail } => {
            (position, detail)
        }
        other => panic!("{other:?}"),
    }
}

fn lacking(bundle: &[u8], mirrors: &[&InsecureVirtual]) -> Option<u64> {
    match report(bundle, mirrors).verdict {
        Verdict::Incomplete { check: Check::Mirror, position, .. } => position,
        other => panic!("{other:?}"),
    }
}

struct Told {
    ledger: InsecureVirtual,
    parts: Parts,
    cuts: Vec<usize>,
    receipts: Vec<MirrorReceipt>,
}

/// The whole story, mirrored in four batches.
fn told() -> Told {
    let parts = Story::whole().parts();
    let size = parts.entries.len();
    let cuts = vec![1, 12, 30, size];
    let ledger = mirror(b"seed");
    let receipts = receipts(&ledger, &parts.entries, &cuts);
    Told { ledger, parts, cuts, receipts }
}

#[test]
fn a_mirrored_log_verifies_and_says_up_to_where_and_by_whom() {
    let Told { ledger, parts, receipts, .. } = told();
    let size = parts.entries.len() as u64;
    let whole = bundle(&parts, &receipts, size);
    for pinned in [false, true] {
        let mirrors = [&ledger];
        let report = report(&whole, if pinned { &mirrors } else { &[] });
        assert_eq!(report.verdict, Verdict::Verified);
        let mirrored = report.standing.as_ref().unwrap().mirrored.clone().unwrap();
        assert_eq!((mirrored.size, mirrored.batches), (size, 4));
        let [span] = mirrored.spans[..] else { panic!("{mirrored:?}") };
        assert_eq!((span.from, span.until, span.expected), (0, size, pinned));
        assert_eq!(span.service, ledger.service().digest());
        assert!(mirrored.is_insecure_virtual() && mirrored.is_expected() == pinned);

        // Each form of the answer says so, and by which service.
        let (text, html) = (render_text(&report, 200), render_html(&report));
        for form in [&text, &html] {
            assert!(form.contains("INSECURE-VIRTUAL (a stand-in: it proves nothing)"), "{form}");
            assert!(form.contains(&span.service.to_hex()) && form.contains("mirror"), "{form}");
            assert_eq!(form.contains("NOT PINNED"), !pinned, "{form}");
            assert_eq!(form.contains("by the service named"), pinned, "{form}");
            assert!(!form.contains("no CCF receipts"), "{form}");
        }
        let json: serde_json::Value = serde_json::from_str(&render_json(&report)).unwrap();
        let told = &json["standing"]["mirrored"];
        assert_eq!((&told["size"], &told["receipts"]), (&size.into(), &4.into()));
        assert_eq!(told["pinned"], pinned);
        assert_eq!(told["spans"][0]["kind"], "insecure-virtual");
        assert!(json["checks"].as_array().unwrap().contains(&"mirror".into()));
        let not = json["log"]["not_checked"].to_string();
        assert_eq!(not.contains("not pinned"), !pinned, "{not}");
    }
}

#[test]
fn a_log_that_is_mirrored_in_part_says_from_where_on_it_is_not() {
    let Told { parts, receipts, .. } = told();
    let report = report(&bundle(&parts, &receipts[..3], 30), &[]);
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!(report.standing.as_ref().unwrap().mirrored.as_ref().unwrap().size, 30);
    assert!(render_text(&report, 200).contains("position 30 on"));
    // None at all, and nothing is announced: a bundle as ever.
    assert_eq!(bundle(&parts, &[], 0), parts.bundle());
    assert_eq!(self::report(&parts.bundle(), &[]).standing.unwrap().mirrored, None);
}

#[test]
fn only_the_network_that_the_auditor_names_passes() {
    let Told { ledger, parts, receipts, .. } = told();
    let whole = bundle(&parts, &receipts, parts.entries.len() as u64);
    let other = mirror(b"another");
    match report(&whole, &[&other]).verdict {
        Verdict::Tampered { check: Check::Mirror, position: Some(0), detail } => {
            assert!(detail.contains("not by the mirror that was named"), "{detail}");
        }
        verdict => panic!("{verdict:?}"),
    }
    assert_eq!(report(&whole, &[&other, &ledger]).verdict, Verdict::Verified);
    assert_eq!(lacking(&parts.bundle(), &[&ledger]), None, "one was named, and none is there");

    // A mirror that somebody made up is seen, and never passes for the named one.
    let made_up = self::receipts(&other, &parts.entries, &[parts.entries.len()]);
    let made_up = bundle(&parts, &made_up, parts.entries.len() as u64);
    assert!(!report(&made_up, &[]).standing.unwrap().mirrored.unwrap().is_expected());
    assert_eq!(report(&made_up, &[&ledger]).verdict.exit_code(), 1);
}

/// What is done to receipts.
type Change = fn(&mut Vec<MirrorReceipt>, &Told);

#[test]
fn receipts_of_something_else_fail_where_they_stand() {
    let cases: [(Change, u64, &str); 8] = [
        (|it, _| it[1].transaction = "2.3".into(), 1, "is of 2.2"),
        (|it, _| it[1].transaction = "x".into(), 1, "id is none"),
        (|it, _| it[1].receipt = it[2].receipt.clone(), 1, "claims"),
        (|it, _| it[1].kind = MirrorKind::Ccf, 1, "certificate says otherwise"),
        (|it, _| it[1].first = 2, 2, "does not begin where"),
        (|it, _| it[0].service.truncate(300), 0, "certificate"),
        (|it, _| it[2].receipt = b"{}".to_vec(), 12, "not the JSON"),
        (
            |it, told| {
                // The same transaction number, of a mirror that was sent another log.
                let mut entries = told.parts.entries.clone();
                entries[20].push(0);
                *it = receipts(&mirror(b"seed"), &entries, &told.cuts);
            },
            12,
            "claims",
        ),
    ];
    let told = told();
    for (change, position, word) in cases {
        let mut receipts = told.receipts.clone();
        change(&mut receipts, &told);
        let changed = bundle(&told.parts, &receipts, told.parts.entries.len() as u64);
        let (at, detail) = failed(&changed);
        assert_eq!(at, position, "{detail}");
        assert!(detail.contains(word), "{word}: {detail}");
    }
}

#[test]
fn a_receipt_that_is_announced_and_not_there_is_missed() {
    let Told { parts, receipts, .. } = told();
    let size = parts.entries.len() as u64;
    assert_eq!(lacking(&bundle(&parts, &receipts[..3], size), &[]), Some(30));
    assert_eq!(lacking(&bundle(&parts, &[], 5), &[]), Some(0));
    // In the middle, what comes after does not begin where it should.
    let without = [&receipts[..1], &receipts[2..]].concat();
    let (at, detail) = failed(&bundle(&parts, &without, size));
    assert_eq!((at, detail.contains("ends, at 1")), (12, true), "{detail}");
}

#[test]
fn a_part_holds_the_receipts_of_its_entries() {
    let Told { ledger, parts, receipts, .. } = told();
    let (story, scope) = (Story::whole(), Scope::Query(story::delays()));
    let chosen: BTreeSet<u64> = story.selected(scope);
    let size = parts.entries.len() as u64;
    let part = |keep: &dyn Fn(&MirrorReceipt) -> bool| {
        let beside = Beside { cosigned: None, mirrored: size };
        let kind = Kind::Partial(scope);
        let mut writer = Writer::with(Vec::new(), &parts.header, kind, beside).unwrap();
        let mut gap = GapMaker::default();
        for (position, entry) in (0..).zip(&parts.entries) {
            if chosen.contains(&position) {
                gap.end().map_or(Ok(()), |gap| writer.leave_out(&gap)).unwrap();
                writer.push(entry).unwrap();
            } else {
                gap.leave_out(position, leaf_hash(entry));
            }
            let mut ending = receipts.iter().filter(|receipt| receipt.size == position + 1);
            if let Some(receipt) = ending.find(|receipt| keep(receipt)) {
                gap.end().map_or(Ok(()), |gap| writer.leave_out(&gap)).unwrap();
                writer.receipt(receipt).unwrap();
            }
        }
        gap.end().map_or(Ok(()), |gap| writer.leave_out(&gap)).unwrap();
        writer.finish(&parts.checkpoint).unwrap()
    };
    let holds =
        |receipt: &MirrorReceipt| chosen.range(receipt.first..receipt.size).next().is_some();
    let report = report(&part(&holds), &[&ledger]);
    assert_eq!(report.verdict, Verdict::Verified);
    assert!(report.standing.as_ref().unwrap().mirrored.as_ref().unwrap().is_expected());
    assert!(render_text(&report, 200).contains("by the service named"));
    for left_out in receipts.iter().filter(|receipt| holds(receipt)) {
        let without = part(&|receipt| holds(receipt) && receipt.first != left_out.first);
        let waits = *chosen.range(left_out.first..).next().unwrap();
        assert_eq!(lacking(&without, &[]), Some(waits));
    }
}

/// Every flip, by an auditor who knows nothing beforehand: so what holds is the receipt itself, its
/// certificate's own signature and the checksum over all of it.
#[test]
fn no_flipped_byte_of_a_receipt_is_verified() {
    let parts = Story::founded().parts();
    let ledger = mirror(b"seed");
    let size = parts.entries.len();
    let receipts = receipts(&ledger, &parts.entries, &[1, size]);
    let whole = bundle(&parts, &receipts, size as u64);
    assert_eq!(report(&whole, &[]).verdict, Verdict::Verified);
    assert!(whole.len() > 2 * receipts[0].receipt.len());
    let flips: Vec<usize> = (MAGIC.len()..whole.len()).step_by(3).collect();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for core in 0..cores {
            let flips = flips.iter().skip(core).step_by(cores);
            let whole = &whole;
            scope.spawn(move || {
                for &at in flips {
                    let mut flipped = whole.clone();
                    flipped[at] ^= 1 << (at % 8);
                    let one = Options { threads: NonZero::new(1), ..Options::default() };
                    let verdict = verify(&flipped[..], &one).verdict;
                    // A length that runs past the end can't be told from a file cut off.
                    assert!(matches!(verdict.exit_code(), 1 | 2), "byte {at}: {verdict:?}");
                }
            });
        }
    });
}

#[test]
fn the_writer_writes_only_receipts_that_a_reader_takes() {
    let Told { parts, receipts, .. } = told();
    let beside = Beside { cosigned: None, mirrored: 1 };
    let mut writer = Writer::with(Vec::new(), &parts.header, Kind::WholeLog, beside).unwrap();
    let early = writer.receipt(&receipts[0]);
    assert!(matches!(early, Err(WriteError::Receipt { size: 1, written: 0 })));
    writer.push(&parts.entries[0]).unwrap();
    for (receipt, service) in [(MIRROR_RECEIPT_LEN_MAX + 1, 1), (1, MIRROR_SERVICE_LEN_MAX + 1)] {
        let (receipt, service) = (vec![1; receipt], vec![1; service]);
        let long = MirrorReceipt { receipt, service, ..receipts[0].clone() };
        assert!(matches!(writer.receipt(&long), Err(WriteError::TooLong(_))));
    }
    // On the bound, a reader takes it too: it is the receipt itself that is none.
    let (receipt, service) = (vec![1; MIRROR_RECEIPT_LEN_MAX], vec![1; MIRROR_SERVICE_LEN_MAX]);
    let longest = MirrorReceipt { receipt, service, ..receipts[0].clone() };
    writer.receipt(&longest).unwrap();
    for entry in &parts.entries[1..] {
        writer.push(entry).unwrap();
    }
    let not_announced = MirrorReceipt { size: parts.entries.len() as u64, ..receipts[3].clone() };
    assert!(matches!(writer.receipt(&not_announced), Err(WriteError::Receipt { .. })));
    let (at, detail) = failed(&writer.finish(&parts.checkpoint).unwrap());
    assert_eq!((at, detail.contains("certificate")), (0, true), "{detail}");
}
