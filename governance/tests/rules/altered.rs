//! One entry of an honest log altered: refused by its seal, by the chain, or by the replay.

use chancery_governance::replay::{Replay, ReplayError};
use chancery_governance::wire::v1;
use chancery_ledger::codec::{self, Key, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, Entry, Sealed, SignedContent, seal};

use crate::support::people::Who;
use crate::support::{World, evidence, replay};

/// A log with every kind of authority, and every stage of a query and a run.
fn log() -> World {
    use crate::support::fixtures::{invite, room};
    use chancery_governance::command::{WithdrawConsent, WithdrawInvitation};
    use chancery_governance::consent::ConsentKind;
    use chancery_governance::member::Ability;
    use chancery_governance::subject::Subject;
    let mut world = World::succeeded();
    let subject = Subject::Invitation(Who::Mallory.invitation());
    world.litware().does(subject, invite(Who::Mallory, &[Ability::Auditor])).unwrap();
    world.litware().does(subject, WithdrawInvitation {}).unwrap();
    world.request(chancery_ledger::id::RunId::new(crate::support::uuid(0x9, 2))).unwrap();
    let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
    world.contosso().does(room(), withdraw).unwrap();
    let erase = chancery_governance::command::ErasePersonal {};
    world.litware().does(subject, erase).unwrap();
    // The last entry, so that the key before seals all of them.
    world.rotate(crate::support::key(210)).unwrap();
    world.service = crate::support::key(200);
    world
}

/// What the replay says to entry `at` changed, with the rest of its command sealed again after it.
///
/// Nothing later is replayed: the nonces of runs are hashes of entries, so that a later run would
/// tell on almost any change, and hide that the entry itself does not.
struct Altered<'a> {
    world: &'a World,
    before: Vec<Replay>,
}

impl<'a> Altered<'a> {
    fn of(world: &'a World) -> Self {
        let mut before = vec![Replay::default()];
        for sealed in &world.log {
            let mut next = before[before.len() - 1].clone();
            next.step(sealed, &evidence::verify).unwrap();
            before.push(next);
        }
        Self { world, before }
    }

    fn replayed(&self, at: usize, change: impl FnOnce(&mut Entry)) -> Result<(), ReplayError> {
        let (world, mut replay) = (self.world, self.before[at].clone());
        let mut entry = world.log[at].entry().clone();
        change(&mut entry);
        let mut last = seal(entry, &world.service);
        replay.step(&last, &evidence::verify)?;
        let rest = world.log[at + 1..].iter().map(Sealed::entry);
        let effects = rest.take_while(|entry| matches!(entry.authority, Authority::Consequence(_)));
        for effect in effects {
            last = seal(Entry { previous: Some(last.leaf()), ..effect.clone() }, &world.service);
            replay.step(&last, &evidence::verify)?;
        }
        replay.finish(last.entry().position + 1)
    }
}

/// Every value that differs from `value` in one place: each leaf changed, each field left out.
fn mutations(value: &Value, path: &str) -> Vec<(String, Value)> {
    let here = |value| (path.to_owned(), value);
    match value {
        Value::Int(number) => vec![here(Value::Int(number + 1))],
        Value::Bytes(bytes) => {
            let mut longer = bytes.clone();
            longer.push(0);
            vec![here(Value::Bytes(longer))]
        }
        Value::Text(text) => {
            let mut other = text.clone();
            // The last character of a digest, an id, a key or a word.
            let last = other.pop();
            other.push(if last == Some('1') { '2' } else { '1' });
            vec![here(Value::Text(other)), here(Value::Null)]
        }
        Value::Bool(bool) => vec![here(Value::Bool(!bool))],
        Value::Null => vec![here(Value::text("x"))],
        Value::Array(items) => {
            let mut found = Vec::new();
            for (index, item) in items.iter().enumerate() {
                for (path, changed) in mutations(item, &format!("{path}[{index}]")) {
                    let mut items = items.clone();
                    items[index] = changed;
                    found.push((path, Value::Array(items)));
                }
                let mut fewer = items.clone();
                fewer.remove(index);
                found.push((format!("{path}[-{index}]"), Value::Array(fewer)));
            }
            if items.len() > 1 && items[0] != items[items.len() - 1] {
                let mut reversed = items.clone();
                reversed.reverse();
                found.push((format!("{path}[reversed]"), Value::Array(reversed)));
            }
            found
        }
        Value::Map(map) => {
            let mut found = Vec::new();
            for (key, item) in map.iter() {
                let name = match key {
                    Key::Text(name) => name.0.clone(),
                    Key::Uint(number) | Key::Nint(number) => number.to_string(),
                };
                for (path, changed) in mutations(item, &format!("{path}.{name}")) {
                    let mut map = map.clone();
                    map.insert(key.clone(), changed);
                    found.push((path, Value::Map(map)));
                }
                let mut fewer = map.clone();
                fewer.remove(key);
                found.push((format!("{path}.-{name}"), Value::Map(fewer)));
            }
            let mut more = map.clone();
            more.insert(Key::from("extra"), Value::Null);
            found.push((format!("{path}.extra"), Value::Map(more)));
            found
        }
    }
}

/// What a replay takes from the stored event because it can't be had again: see
/// `replay::recorded_facts`. Checkpoints and the mirror hold these, not the rules.
const FACTS: &[&str] = &[
    "CollaborationCreated.service",
    "CollaborationCreated.evidence",
    "CollaboratorInvited.email.ciphertext",
];

/// Sentences for people, which releases may word differently.
const PROSE: &[&str] = &["RunCancelled.reasons[", "RunRefused.reasons[", "QuerySuperseded.reason."];

fn is_prose(path: &str) -> bool {
    path.ends_with("detail") && PROSE.iter().any(|prose| path.starts_with(prose))
}

#[test]
fn an_altered_payload_is_refused_though_all_is_sealed_again() {
    let world = log();
    world.check_replay();
    let altered = Altered::of(&world);
    let mut taken = Vec::new();
    for (at, sealed) in world.log.iter().enumerate() {
        let entry = sealed.entry();
        for (path, payload) in mutations(&entry.payload, &entry.kind) {
            if altered.replayed(at, |entry| entry.payload = payload).is_ok() {
                taken.push(path);
            }
        }
    }
    for fact in FACTS {
        assert!(taken.iter().any(|path| path.starts_with(fact)), "{fact} is held by the rules");
    }
    taken.retain(|path| !is_prose(path) && !FACTS.iter().any(|fact| path.starts_with(fact)));
    assert_eq!(taken, Vec::<String>::new(), "altered, and replayed");
}

#[test]
fn an_altered_entry_breaks_the_chain_where_the_rest_stands() {
    let world = log();
    for at in 0..world.log.len() - 1 {
        let mut log = world.log.clone();
        let mut entry = log[at].entry().clone();
        entry.time_ms += 1;
        log[at] = seal(entry, &world.service);
        assert!(replay(&log).is_err(), "position {at}");
    }
}

#[test]
fn a_flipped_bit_breaks_the_seal() {
    let world = World::requested();
    for sealed in &world.log {
        let bytes = sealed.bytes();
        for at in (0..bytes.len()).step_by(7) {
            let mut altered = bytes.to_vec();
            altered[at] ^= 1 << (at % 8);
            let opened = Sealed::open(altered, world.service.public());
            assert!(opened.is_err(), "position {} byte {at}", sealed.entry().position);
        }
        assert!(Sealed::open(bytes.to_vec(), Who::Mallory.key().public()).is_err());
    }
}

#[test]
fn time_that_runs_back_is_refused() {
    let world = log();
    let altered = Altered::of(&world);
    for at in 1..world.log.len() {
        let before = world.log[at - 1].entry().time_ms;
        let replayed = altered.replayed(at, |entry| entry.time_ms = before - 1);
        assert!(replayed.is_err(), "position {at}");
    }
}

#[test]
fn a_time_after_the_signature_ended_is_refused() {
    let world = log();
    let altered = Altered::of(&world);
    for (at, sealed) in world.log.iter().enumerate() {
        if let Authority::MemberSigned(_) | Authority::ExecutorSigned(_) = sealed.entry().authority
        {
            let replayed = altered.replayed(at, |entry| entry.time_ms += 24 * 60 * 60 * 1000);
            assert!(matches!(replayed, Err(ReplayError::Refused { .. })));
        }
    }
}

/// What of a witness the rules do not read: the token itself is gone, and with it what it said.
const UNREAD: &[&str] = &["token", "key_id"];

#[test]
fn an_altered_authority_is_refused_though_all_is_sealed_again() {
    let world = log();
    let all = Altered::of(&world);
    for (at, sealed) in world.log.iter().enumerate() {
        let mut altered: Vec<(&str, Authority)> = Vec::new();
        match &sealed.entry().authority {
            Authority::Consequence(of) => {
                altered.push(("of", Authority::Consequence(of + 1)));
                altered.push(("of", Authority::Consequence(of.wrapping_sub(1))));
                let first = world.log[usize::try_from(*of).unwrap()].entry().authority.clone();
                altered.push(("its own cause's", first));
            }
            Authority::ServiceWitnessed(witness) => {
                let mut push = |name, change: &dyn Fn(&mut chancery_ledger::entry::Witness)| {
                    let mut witness = witness.clone();
                    change(&mut witness);
                    altered.push((name, Authority::ServiceWitnessed(witness)));
                };
                push("issuer", &|witness| witness.issuer.push('x'));
                push("tenant", &|witness| witness.tenant = None);
                push("subject", &|witness| witness.subject.push('x'));
                push("action", &|witness| witness.action = "collaboration.enable".into());
                push("content", &|witness| witness.content.push(0));
                push("token", &|witness| witness.token = Digest::of(b"other"));
                push("key_id", &|witness| witness.key_id.push('x'));
                push("expected_version", &|witness| witness.expected_version = Some(u64::MAX));
                for content in contents(&witness.action, &witness.content) {
                    push("content", &|witness| witness.content.clone_from(&content));
                }
            }
            Authority::MemberSigned(signed) => {
                altered.push(("kind", Authority::ExecutorSigned(signed.clone())));
                altered
                    .extend(signatures(signed).map(|signed| ("", Authority::MemberSigned(signed))));
            }
            Authority::ExecutorSigned(signed) => {
                altered.push(("kind", Authority::MemberSigned(signed.clone())));
                altered.extend(
                    signatures(signed).map(|signed| ("", Authority::ExecutorSigned(signed))),
                );
            }
            Authority::ServiceSigned(signed) => {
                altered.push(("kind", Authority::MemberSigned(signed.clone())));
                altered.extend(
                    signatures(signed).map(|signed| ("", Authority::ServiceSigned(signed))),
                );
            }
        }
        for (name, authority) in altered {
            let taken = all.replayed(at, |entry| entry.authority = authority).is_ok();
            assert_eq!(taken, UNREAD.contains(&name), "position {at}: {name} altered");
        }
    }
}

/// Contents that say something else. A missing field and `null` say the same, so that a command
/// can be written by hand.
fn contents(action: &str, content: &[u8]) -> Vec<Vec<u8>> {
    let value = codec::decode(content).unwrap();
    let same = v1::decode_command(action, &value);
    mutations(&value, "")
        .into_iter()
        .filter(|(_, value)| v1::decode_command(action, value) != same)
        .map(|(_, value)| codec::encode(&value))
        .collect()
}

fn signatures(signed: &SignedContent) -> impl Iterator<Item = SignedContent> {
    let mut altered = Vec::new();
    for at in (0..signed.message.len()).step_by(11) {
        let mut one = signed.clone();
        one.message[at] ^= 0x10;
        altered.push(one);
    }
    for at in 0..signed.content.len().min(200) {
        let mut one = signed.clone();
        one.content[at] ^= 1;
        altered.push(one);
    }
    altered.into_iter()
}

#[test]
fn an_altered_actor_subject_command_or_log_is_refused() {
    use chancery_ledger::entry::Actor;
    use chancery_ledger::id::{CollaborationId, CommandId};
    type Change = fn(&mut Entry);
    let world = log();
    let changes: [(&str, Change); 5] = [
        ("actor", |entry| entry.actor = Actor::Member(Who::Mallory.member())),
        ("subject", |entry| entry.subject = Who::Mallory.itself().to_string()),
        ("log", |entry| {
            entry.collaboration = CollaborationId::new(crate::support::uuid(0xc, 2));
        }),
        ("position", |entry| entry.position += 1),
        ("kind", |entry| entry.kind = "RunStarted".into()),
    ];
    let altered = Altered::of(&world);
    for at in 0..world.log.len() {
        for (name, change) in changes {
            if name == "kind" && world.log[at].entry().kind == "RunStarted" {
                continue;
            }
            assert!(altered.replayed(at, change).is_err(), "position {at}: {name}");
        }
        let signed = matches!(
            world.log[at].entry().authority,
            Authority::MemberSigned(_) | Authority::ExecutorSigned(_) | Authority::Consequence(_)
        );
        if signed {
            let other = CommandId::new(crate::support::uuid(0xe, 9_999));
            let replayed = altered.replayed(at, |entry| entry.command = other);
            assert!(replayed.is_err(), "position {at}: command");
        }
    }
}

#[test]
fn an_entry_left_out_or_put_twice_or_swapped_is_refused() {
    let world = log();
    for at in 0..world.log.len() {
        let mut fewer = world.log.clone();
        fewer.remove(at);
        // A log cut off after a whole command is the log as it was then: the checkpoint tells.
        let consequence = matches!(world.log[at].entry().authority, Authority::Consequence(_));
        let as_it_was = at == world.log.len() - 1 && !consequence;
        assert_eq!(replay(&fewer).is_ok(), as_it_was, "{at}");
        let mut twice = world.log.clone();
        twice.insert(at, world.log[at].clone());
        assert!(replay(&twice).is_err());
        if at > 0 {
            let mut swapped = world.log.clone();
            swapped.swap(at - 1, at);
            assert!(replay(&swapped).is_err());
        }
    }
}
