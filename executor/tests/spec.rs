//! The job spec's bytes, frozen. `spark.rs` shows that the application takes them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::path::Path;

use chancery_executor::DataRoot;
use chancery_executor::spec::{self, Request};
use chancery_governance::consent::ConsentKind;
use chancery_governance::state::run::Run;
use chancery_ledger::codec::{self, Key, Value};
use chancery_ledger::cose::{self, ContentType};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;
use chancery_ledger::key::SigningKey;
use support::room::{self, Room};

const EXPIRES_MS: u64 = 4_102_444_800_000;
/// The run's id in the vector. Nothing runs under it.
const RUN: &str = "01932b6c-7d3a-7c1e-8f00-0123456789ab";
/// SHA-256 of the payload, with `/data` for the data root and names for what others hash.
const VECTOR: &str = "sha256:5e0924a0f1e0c044b376755bb7b2ef09a16c165497cbe29ecbd9f34d643df6de";

fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

fn requested(application: Digest) -> (Room, RunId) {
    let mut room = Room::accepted(application);
    let run = RUN.parse().unwrap();
    room.request(run);
    (room, run)
}

fn build(room: &Room, id: RunId, application: Digest, root: &DataRoot) -> Vec<u8> {
    let run: &Run = &room.state().runs[&id];
    let state = room.state();
    let request = Request { state, id, run, application, root, expires_ms: EXPIRES_MS };
    spec::build(&request, &key()).unwrap()
}

fn data(folder: &Path) -> DataRoot {
    std::fs::create_dir_all(folder.join(room::orders_folder())).unwrap();
    std::fs::write(
        folder.join(room::orders_folder()).join("part.csv"),
        "customer,region,amount,note\n",
    )
    .unwrap();
    DataRoot::open(folder).unwrap()
}

#[test]
fn a_private_spec_says_which_noise_to_draw_and_what_the_text_gives() {
    let application = Digest::of(b"application");
    let mut room = Room::private(application);
    let run = RUN.parse().unwrap();
    room.request(run);
    let folder = tempfile::tempdir().unwrap();
    let bytes = build(&room, run, application, &data(folder.path()));
    let message = cose::parse(ContentType::JobSpec, &bytes).unwrap();
    let payload = codec::decode(message.payload()).unwrap();
    let at = |value: &Value, name: &str| {
        let Value::Map(map) = value else { panic!("no map") };
        map.get(&Key::from(name)).cloned().unwrap()
    };
    let items = |value: Value| {
        let Value::Array(items) = value else { panic!("no list") };
        items
    };
    let privacy = at(&payload, "privacy");
    assert_eq!(at(&privacy, "epsilon_micro"), Value::from(400_000_u64));
    let draws = items(at(&privacy, "draws"));
    let sensitivities: Vec<_> = draws.iter().map(|draw| at(draw, "sensitivity")).collect();
    // Two groups of three rows of at most 100 each; two groups.
    assert_eq!(sensitivities, [Value::from(600_u64), Value::from(2_u64)]);
    assert_eq!(at(&privacy, "threshold"), Value::from(1_u64));
    let segment = items(at(&payload, "segments")).remove(0);
    let output = ["__chancery_key_0", "__chancery_part_0", "__chancery_units"];
    assert_eq!(items(at(&segment, "output")), output.map(Value::text));
    let loaded = items(at(&items(at(&payload, "inputs"))[0], "allowed_columns"));
    assert!(loaded.contains(&Value::text("customer")), "the identity is loaded");
}

#[test]
fn a_spec_names_what_consent_is_withdrawn_to_and_nothing_where_none_is() {
    let application = Digest::of(b"application");
    let (mut room, run) = requested(application);
    let folder = tempfile::tempdir().unwrap();
    let root = data(folder.path());
    let withheld = |room: &Room| {
        let bytes = build(room, run, application, &root);
        let message = cose::parse(ContentType::JobSpec, &bytes).unwrap();
        let Value::Map(map) = codec::decode(message.payload()).unwrap() else { panic!("no map") };
        map.get(&Key::from("withheld")).cloned()
    };
    assert_eq!(withheld(&room), None);
    room.withdraw(ConsentKind::Telemetry);
    assert_eq!(withheld(&room), Some(Value::Array(vec![Value::text("telemetry")])));
    room.withdraw(ConsentKind::Logging);
    let both = ["logging", "telemetry"].map(Value::text).to_vec();
    assert_eq!(withheld(&room), Some(Value::Array(both)));
}

fn replaced(value: Value, from: &str, to: &str) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.replace(from, to)),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| replaced(item, from, to)).collect())
        }
        Value::Map(map) => {
            let pairs = map.into_iter().map(|(key, value)| (key, replaced(value, from, to)));
            Value::Map(pairs.collect())
        }
        other => other,
    }
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    match (value, path) {
        (Value::Text(text), []) => text,
        (Value::Map(map), [first, rest @ ..]) => text(map.get(&Key::from(*first)).unwrap(), rest),
        (Value::Array(items), [first, rest @ ..]) => {
            text(&items[first.parse::<usize>().unwrap()], rest)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bytes_of_a_job_spec_are_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let application = Digest::of(b"an application");
    let (room, id) = requested(application);
    let root = data(folder.path());
    let signed = build(&room, id, application, &root);
    assert_eq!(build(&room, id, application, &root), signed, "the same input, the same bytes");

    let message = cose::parse(ContentType::JobSpec, &signed).unwrap();
    message.verify(key().public()).unwrap();
    let payload = codec::decode(message.payload()).unwrap();
    let real = folder.path().canonicalize().unwrap();
    // The folder is another each time.
    let payload = replaced(payload, real.to_str().unwrap(), "/data");
    assert_eq!(
        text(&payload, &["inputs", "0", "path"]),
        format!("/data/{}", room::orders_folder())
    );
    assert_eq!(
        text(&payload, &["output", "path"]),
        format!("/data/{}/{RUN}", room::report_folder())
    );
    assert_eq!(text(&payload, &["nonce"]), room.state().runs[&id].request_leaf.to_string());
    // What the log and the rules hash is theirs to freeze.
    let state = room.state();
    let proposal = state.queries[&room::query()].live_proposal().unwrap();
    let theirs = [
        (state.runs[&id].request_leaf, "nonce"),
        (proposal.digest, "query digest"),
        (proposal.binding.inputs[0].digest, "version digest"),
    ];
    let payload = theirs
        .into_iter()
        .fold(payload, |payload, (digest, name)| replaced(payload, &digest.to_string(), name));
    let bytes = codec::encode(&payload);
    assert_eq!(Digest::of(&bytes).to_string(), VECTOR, "{payload:#?}");

    let stored = spec::read(&signed, id, key().public()).unwrap();
    assert_eq!(stored.facts.digest, Digest::of(&signed));
    assert_eq!((stored.facts.expires_ms, stored.facts.application), (EXPIRES_MS, application));
    assert_eq!(stored.output, real.join(room::report_folder()).join(RUN));
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    assert_eq!(spec::read(&signed, id, other.public()), None);
    assert_eq!(spec::read(&signed, room::fresh_run(), key().public()), None);
}
