//! The golden vectors: the bytes must be these, and must say what the index says they say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chancery_governance::command::{Command, ErasePersonal};
use chancery_governance::event::Event;
use chancery_governance::log;
use chancery_governance::subject::Subject;
use chancery_governance::submission::key_of;
use chancery_governance::wire::v1;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::{Digest, hex};
use chancery_ledger::entry::Sealed;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle;
use chancery_ledger::note::{Checkpoint, verifier_key};
use serde_json::{Value as Json, json};

use crate::support::fixtures::{run_id, succeed};
use crate::support::people::Who;
use crate::support::{SERVICE, World, collaboration, content};
use crate::{json as to_json, rejects, samples};

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/wire/vectors/v1")
}

/// A file and what the index says of it.
pub struct Vector {
    pub file: String,
    pub bytes: Vec<u8>,
    pub index: Json,
}

fn vector(kind: &str, name: &str, bytes: Vec<u8>, mut index: Json) -> Vector {
    let extension = if kind == "checkpoint" { "txt" } else { "cbor" };
    let file = format!("{kind}-{name}.{extension}");
    index["file"] = json!(file);
    index["kind"] = json!(kind);
    index["sha256"] = json!(Digest::of(&bytes).to_hex());
    Vector { file, bytes, index }
}

pub fn entries() -> Vec<Vector> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let entries = samples::entries();
    let named = entries.iter().map(|sealed| {
        let count = seen.entry(sealed.entry().kind.clone()).or_default();
        *count += 1;
        let name = match count {
            1 => sealed.entry().kind.clone(),
            count => format!("{}-{count}", sealed.entry().kind),
        };
        let index = json!({
            "leaf_hash": sealed.leaf().to_hex(),
            "sealed_by": sealed.key_id().to_hex(),
            "decoded": to_json::entry(sealed.entry()),
        });
        vector("entry", &name, sealed.bytes().to_vec(), index)
    });
    named.collect()
}

pub fn contents() -> Vec<Vector> {
    let one = |name: &str, (subject, command): (Subject, Command)| {
        let index = json!({
            "action": command.action(),
            "subject": subject.to_string(),
            "decoded": to_json::value(&v1::encode_command(&command)),
        });
        vector("content", name, content(&command), index)
    };
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let named = samples::commands().into_iter().map(|sample| {
        let count = seen.entry(sample.1.action()).or_default();
        *count += 1;
        match count {
            1 => one(sample.1.action(), sample),
            count => one(&format!("{}-{count}", sample.1.action()), sample),
        }
    });
    named.chain([one("dataset.publish-rules", samples::ruled())]).collect()
}

/// Contents with fields that are left out at their default.
fn fuller_contents() -> Vec<Vector> {
    let fuller = samples::usage::contents()
        .into_iter()
        .chain(samples::secrets::contents())
        .chain(samples::privacy::contents())
        .chain(samples::decimals::contents());
    let named = fuller.map(|(name, command)| {
        let index = json!({
            "action": command.action(),
            "decoded": to_json::value(&v1::encode_command(&command)),
        });
        vector("content", name, content(&command), index)
    });
    named.collect()
}

pub fn signed() -> Vec<Vector> {
    let one = |name: &str, kind: ContentType, key: &chancery_ledger::key::PublicKey, made| {
        let (command, bytes): (SignedCommand, Vec<u8>) = made;
        let index = json!({
            "content_type": kind.as_str(),
            "key": key.to_string(),
            "decoded": to_json::command(&command),
        });
        vector("signed", name, bytes, index)
    };
    vec![
        one(
            "command",
            ContentType::Command,
            Who::Litware.key().public(),
            samples::member_command(),
        ),
        one(
            "executor-report",
            ContentType::ExecutorReport,
            samples::executor().public(),
            samples::executor_report(),
        ),
        one(
            "service-command",
            ContentType::ServiceCommand,
            samples::next_service().public(),
            samples::service_command(),
        ),
        one("command-es256", ContentType::Command, &samples::es256_key(), samples::es256_command()),
    ]
}

/// The checkpoint of the first release.
pub fn checkpoint() -> (Checkpoint, String) {
    checkpoint_of(samples::FIRST_RELEASE_ENTRIES, &samples::service())
}

/// The one right after the rotation: by the key that would seal the next entry.
fn rotated_checkpoint() -> (Checkpoint, String) {
    checkpoint_of(samples::FIRST_RELEASE_ENTRIES + 1, &samples::next_service())
}

fn checkpoint_of(size: usize, key: &SigningKey) -> (Checkpoint, String) {
    let leaves: Vec<_> = samples::entries().iter().take(size).map(Sealed::leaf).collect();
    let checkpoint = Checkpoint {
        origin: format!("{SERVICE}/{}", collaboration()),
        size: leaves.len() as u64,
        root: merkle::root(&leaves),
    };
    let note = checkpoint.sign(key);
    (checkpoint, note)
}

fn checkpoints() -> Vec<Vector> {
    let one = |name: &str, (checkpoint, note): (Checkpoint, String), key: &SigningKey| {
        let index = json!({
            "verifier_key": verifier_key(&checkpoint.origin, key.public()),
            "decoded": {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": checkpoint.root.to_hex(),
            },
        });
        vector("checkpoint", name, note.into_bytes(), index)
    };
    vec![
        one("note", checkpoint(), &samples::service()),
        one("after-rotation", rotated_checkpoint(), &samples::next_service()),
    ]
}

/// A whole log as the handler of this release makes it: an array of entries, as byte strings.
fn logs() -> Vec<Vector> {
    let mut later = World::started();
    later.rotate(samples::next_service()).unwrap();
    later.report(run_id(), succeed(&later, run_id(), &samples::executor())).unwrap();
    let erased = Subject::Invitation(Who::Contosso.invitation());
    later.litware().does(erased, ErasePersonal {}).unwrap();
    vec![log_of("demo", &World::succeeded()), log_of("rotation", &later)]
}

fn log_of(name: &str, world: &World) -> Vector {
    let leaves: Vec<_> = world.log.iter().map(Sealed::leaf).collect();
    let items = world.log.iter().map(|sealed| Value::bytes(sealed.bytes())).collect();
    let index = json!({
        "service_key": samples::service().public().to_string(),
        "origin": world.room().origin(),
        "size": leaves.len(),
        "root": merkle::root(&leaves).to_hex(),
        "types": world.log.iter().map(|sealed| sealed.entry().kind.clone()).collect::<Vec<_>>(),
    });
    vector("log", name, codec::encode(&Value::Array(items)), index)
}

fn all() -> Vec<Vector> {
    let parts = [
        entries(),
        contents(),
        fuller_contents(),
        signed(),
        checkpoints(),
        logs(),
        rejects::vectors(),
    ];
    parts.into_iter().flatten().collect()
}

fn keys() -> Json {
    let of = |seed: u8, key: &chancery_ledger::key::SigningKey| {
        json!({
            "seed": hex(&[seed; 32]),
            "public": key.public().to_string(),
            "id": key.public().id().to_hex(),
        })
    };
    json!({
        "service": of(200, &samples::service()),
        "executor": of(201, &samples::executor()),
        "service_next": of(202, &samples::next_service()),
        "litware": of(1, &Who::Litware.key()),
    })
}

#[test]
fn the_bytes_of_version_1_are_frozen() {
    let vectors = all();
    let index = json!({
        "version": 1,
        "about": "Golden vectors of wire version 1: see docs/wire/README.md. The seeds are for tests only.",
        "keys": keys(),
        "vectors": vectors.iter().map(|vector| vector.index.clone()).collect::<Vec<_>>(),
    });
    let index = format!("{}\n", serde_json::to_string_pretty(&index).unwrap());
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let _ = std::fs::remove_dir_all(folder());
        std::fs::create_dir_all(folder()).unwrap();
        for vector in &vectors {
            std::fs::write(folder().join(&vector.file), &vector.bytes).unwrap();
        }
        std::fs::write(folder().join("index.json"), &index).unwrap();
    }
    let mut wrong = Vec::new();
    for vector in &vectors {
        let stored = std::fs::read(folder().join(&vector.file)).unwrap_or_default();
        if stored != vector.bytes {
            wrong.push(vector.file.as_str());
        }
    }
    assert!(
        wrong.is_empty(),
        "version 1 would be written otherwise now: {wrong:?}. What is released can't change: make \
         it version 2. `log-demo.cbor` alone differs where the rules or the SQL rewriting decide \
         otherwise than before; then logs of the release before no longer replay."
    );
    let stored = std::fs::read_to_string(folder().join("index.json")).unwrap_or_default();
    assert!(stored == index, "index.json is not what the vectors say");
    let files = std::fs::read_dir(folder()).unwrap().count();
    assert_eq!(files, vectors.len() + 1, "a file that no vector accounts for");
}

#[test]
fn stored_entries_open_chain_and_say_what_they_said() {
    let (mut previous, mut after) = (None, false);
    let rotated = Some(samples::entries()[samples::FIRST_RELEASE_ENTRIES].leaf());
    for (vector, (subject, event)) in entries().iter().zip(samples::events()) {
        let bytes = std::fs::read(folder().join(&vector.file)).unwrap();
        after |= previous == rotated;
        let key = if after { samples::next_service() } else { samples::service() };
        let sealed = Sealed::open(bytes, key.public()).unwrap();
        assert_eq!(sealed.entry().previous, previous);
        let (recorded, read) = log::read(&sealed).unwrap();
        assert_eq!((recorded.subject, read), (subject, event), "{}", vector.file);
        previous = Some(sealed.leaf());
    }
}

#[test]
fn stored_contents_are_their_commands() {
    for (vector, (_, command)) in contents().iter().zip(samples::commands()) {
        let bytes = std::fs::read(folder().join(&vector.file)).unwrap();
        let read = v1::decode_command(command.action(), &codec::decode(&bytes).unwrap());
        assert_eq!(read, Ok(command));
    }
}

#[test]
fn stored_signatures_verify() {
    let read = |file: &str| std::fs::read(folder().join(file)).unwrap();
    let (command, message) =
        SignedCommand::parse(ContentType::Command, &read("signed-command.cbor")).unwrap();
    assert_eq!(command, samples::member_command().0);
    assert!(message.verify(Who::Litware.key().public()).is_ok());
    let (command, message) =
        SignedCommand::parse(ContentType::Command, &read("signed-command-es256.cbor")).unwrap();
    assert_eq!(command, samples::member_command().0);
    assert!(message.verify(&samples::es256_key()).is_ok());
    assert!(message.verify(Who::Litware.key().public()).is_err());
    let file = read("signed-executor-report.cbor");
    let (command, message) = SignedCommand::parse(ContentType::ExecutorReport, &file).unwrap();
    assert_eq!(command, samples::executor_report().0);
    assert!(message.verify(samples::executor().public()).is_ok());
    let (command, message) =
        SignedCommand::parse(ContentType::ServiceCommand, &read("signed-service-command.cbor"))
            .unwrap();
    assert_eq!(command, samples::service_command().0);
    assert!(message.verify(samples::next_service().public()).is_ok());
    let (checkpoint, _) = rotated_checkpoint();
    let note = String::from_utf8(read("checkpoint-after-rotation.txt")).unwrap();
    let opened = Checkpoint::open(&note, &checkpoint.origin, samples::next_service().public());
    assert_eq!(opened, Ok(checkpoint));
    let (checkpoint, _) = self::checkpoint();
    let note = String::from_utf8(read("checkpoint-note.txt")).unwrap();
    let opened = Checkpoint::open(&note, &checkpoint.origin, samples::service().public());
    assert_eq!(opened, Ok(checkpoint));
}

/// The log of the release that wrote it must replay for ever: an auditor has this release only.
#[test]
fn the_stored_logs_replay() {
    for file in ["log-demo.cbor", "log-rotation.cbor"] {
        let bytes = std::fs::read(folder().join(file)).unwrap();
        let Value::Array(items) = codec::decode(&bytes).unwrap() else { panic!("no array") };
        let log: Vec<_> = items
            .into_iter()
            .map(|item| match item {
                Value::Bytes(bytes) => Sealed::parse(bytes).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        // The replay opens each by the key that seals there; the first names the first.
        assert_eq!(key_of(log[0].entry()).as_ref(), Some(samples::service().public()));
        let state = crate::support::replay(&log).unwrap();
        assert_eq!(state.collaboration().unwrap().size, log.len() as u64, "{file}");
    }
}

#[test]
fn every_event_action_and_variant_has_its_vector() {
    let kinds: Vec<_> = samples::events().iter().map(|(_, event)| event.kind()).collect();
    for kind in Event::KINDS {
        assert!(kinds.contains(kind), "{kind}");
    }
    let actions: Vec<_> = samples::commands().iter().map(|(_, command)| command.action()).collect();
    for action in Command::ACTIONS {
        assert!(actions.contains(action), "{action}");
    }
    // Every text that an enum can have stands in some vector.
    let all: String = all().iter().map(|vector| vector.index.to_string()).collect();
    for text in [
        "owner",
        "data_provider",
        "analyst",
        "runner",
        "result_receiver",
        "auditor",
        "votes",
        "consents",
        "runs",
        "execution",
        "logging",
        "telemetry",
        "read",
        "write",
        "string",
        "long",
        "double",
        "boolean",
        "decimal(15,2)",
        "decimal",
        "date",
        "timestamp",
        "insecure-virtual",
        "sev-snp",
        "request",
        "admission",
        "csv",
        "json",
        "parquet",
        "row",
        "column",
        "local",
        "day",
        "week",
        "month",
        "life",
        "member",
        "organisation",
        "ability",
        "left",
        "removed",
        "set_terms",
        "remove_member",
        "grant_owner",
        "revoke_owner",
        "replace_key",
        "admit_member",
        "text",
        "reads",
    ] {
        assert!(all.contains(&format!("\"{text}\"")), "{text}");
    }
}
