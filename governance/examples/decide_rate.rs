//! What each step of a member-signed command costs on one core, from its bytes to its entry and
//! back: `cargo run --release -p chancery-governance --example decide_rate`.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    reason = "a benchmark"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Instant;

use chancery_governance::command::{Command, RestoreConsent, ReviseQuery, WithdrawConsent};
use chancery_governance::consent::ConsentKind;
use chancery_governance::log;
use chancery_governance::replay::{Prepared, Replay};
use chancery_governance::subject::Subject;
use chancery_governance::submission::{Facts, Submission, carried, handle};
use chancery_ledger::entry::{Authority, Sealed};
use chancery_ledger::id::CommandId;
use chancery_ledger::key::PublicKey;
use chancery_ledger::{merkle, wire};

use support::fixtures::{definition, query_s, room};
use support::people::Who;
use support::{World, evidence};

/// Commands of the small kind.
const CONSENTS: usize = 40_000;
/// Commands of the kind that the SQL analysis looks at.
const REVISIONS: usize = 2_000;

/// One command as it comes in.
struct Incoming {
    subject: Subject,
    command: CommandId,
    authority: Authority,
}

fn main() {
    consents();
    revisions();
}

fn consents() {
    let mut world = World::stocked();
    let incoming = (0..CONSENTS)
        .map(|n| {
            let kind = ConsentKind::Logging;
            let command: Command = if n % 2 == 0 {
                WithdrawConsent { kind }.into()
            } else {
                RestoreConsent { kind }.into()
            };
            signed(&mut world, Who::Litware, room(), &command)
        })
        .collect();
    measure("consent withdraw/restore", world, incoming, Who::Litware.key().public());
}

fn revisions() {
    let mut world = World::drafted();
    let incoming = (0..REVISIONS)
        .map(|n| {
            let mut definition = definition();
            definition.name = format!("Revision {n}");
            let command = ReviseQuery { definition }.into();
            signed(&mut world, Who::Fabrikam, query_s(), &command)
        })
        .collect();
    measure("query revise", world, incoming, Who::Fabrikam.key().public());
}

fn signed(world: &mut World, who: Who, subject: Subject, command: &Command) -> Incoming {
    let id = world.next_command();
    Incoming { subject, command: id, authority: world.signed(who, subject, command, id) }
}

/// Runs `step` over all items and says what one took.
fn timed<T>(name: &str, count: usize, step: impl FnOnce() -> T) -> (f64, T) {
    let begin = Instant::now();
    let out = black_box(step());
    let each_us = begin.elapsed().as_secs_f64() * 1e6 / count as f64;
    say(&format!("  {name:<44} {each_us:>8.2} us"));
    (each_us, out)
}

fn say(line: &str) {
    println!("{line}");
}

fn measure(name: &str, world: World, incoming: Vec<Incoming>, key: &PublicKey) {
    let count = incoming.len();
    say(&format!("{name}: {count} commands"));
    timed("parse the authority (carried)", count, || {
        for it in &incoming {
            black_box(carried(&it.authority).unwrap());
        }
    });
    let lookup = |_| Some(key.clone());
    let (_, proofs) = timed("preverify (parse, Ed25519)", count, || {
        incoming
            .iter()
            .map(|it| carried(&it.authority).unwrap().preverify(&lookup))
            .collect::<Vec<_>>()
    });
    let mut state = world.state.clone();
    let mut log: Vec<Sealed> = Vec::with_capacity(count);
    let (mut decide_s, mut seal_s) = (0.0, 0.0);
    for (it, verified) in incoming.iter().zip(&proofs) {
        let submission = Submission {
            collaboration: world.id,
            subject: it.subject,
            command: it.command,
            authority: &it.authority,
            verified: *verified,
            now_ms: world.now_ms,
            facts: Facts::default(),
        };
        let at = Instant::now();
        let decision = handle(&state, &submission).unwrap();
        decide_s += at.elapsed().as_secs_f64();
        let at = Instant::now();
        let (entries, next) = log::seal(state, decision, &submission, &world.service).unwrap();
        seal_s += at.elapsed().as_secs_f64();
        state = next;
        log.extend(entries);
    }
    let each = |seconds: f64| seconds * 1e6 / count as f64;
    let (decide_us, seal_us) = (each(decide_s), each(seal_s));
    say(&format!("  {:<44} {decide_us:>8.2} us", "handle, signature proven"));
    say(&format!("  {:<44} {seal_us:>8.2} us", "seal (encode, Ed25519, leaf hash, evolve)"));
    let end = state;
    let entries: Vec<_> = log.iter().map(|sealed| sealed.entry().clone()).collect();
    let (_, bytes) = timed("  of it: encode the entry", count, || {
        entries.iter().map(wire::v1::encode_entry).collect::<Vec<_>>()
    });
    let (sign_us, _) = timed("  of it: Ed25519 signature", count, || {
        bytes.iter().map(|bytes| world.service.sign(bytes)).collect::<Vec<_>>()
    });
    timed("  of it: leaf hash", count, || {
        log.iter().map(|sealed| merkle::leaf_hash(sealed.bytes())).collect::<Vec<_>>()
    });
    let bytes: Vec<_> = log.iter().map(|sealed| sealed.bytes().to_vec()).collect();
    let len = bytes.iter().map(Vec::len).sum::<usize>() / count;
    let (open_us, opened) = timed("read an entry (parse, leaf hash)", count, || {
        bytes.iter().map(|bytes| Sealed::parse(bytes.clone()).unwrap()).collect::<Vec<_>>()
    });
    let signature = world.service.sign(&bytes[0]);
    let (arithmetic_us, ()) = timed("one Ed25519 verification", count, || {
        for _ in 0..count {
            world.service.public().verify(black_box(&bytes[0]), &signature).unwrap();
        }
    });
    timed("fold", count, || {
        let mut state = world.state.clone();
        for sealed in &opened {
            state = log::fold(state, sealed).unwrap();
        }
        assert_eq!(state, end);
    });
    let mut replay = Replay::default();
    for sealed in &world.log {
        replay.step(sealed, &evidence::verify).unwrap();
    }
    let (replay_us, ()) = timed("replay, signature proven", count, || {
        for (sealed, verified) in opened.iter().zip(&proofs) {
            let mut prepared = Prepared::all_of(sealed).unwrap();
            prepared.prove(*verified);
            replay.step_prepared(sealed, &prepared, &evidence::verify).unwrap();
        }
    });
    say(&format!("  entries of {len} bytes"));
    let write_us = decide_us + seal_us - sign_us;
    say(&format!("  = decide and seal without signatures         {write_us:>8.2} us"));
    say(&format!("  = read and replay without signatures         {:>8.2} us", open_us + replay_us));
    say(&format!("  ({arithmetic_us:.1} us verify, {sign_us:.1} us sign)"));
}
