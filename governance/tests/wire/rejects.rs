//! Bytes that version 1 refuses, each with the error that it gives.

#[path = "rejects_people.rs"]
mod people;
#[path = "rejects_secrets.rs"]
mod secrets;

use std::error::Error;

use chancery_governance::log;
use chancery_governance::wire::v1;
use chancery_ledger::codec::{self, Key, Map, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::{self, ContentType};
use chancery_ledger::entry::{Entry, Sealed, seal};
use chancery_ledger::note::Checkpoint;
use serde_json::json;

use crate::samples;
use crate::support::people::Who;
use crate::vectors::{self, Vector, folder};

/// How a reject vector is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Entry,
    Command,
    ExecutorReport,
    ServiceCommand,
    /// The content of `query.approve`.
    Content,
    /// The content of `dataset.publish`.
    Dataset,
    Checkpoint,
}

struct Reject {
    name: &'static str,
    read_as: As,
    bytes: Vec<u8>,
    expected: &'static str,
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What reading gives: an error's text, or nothing where it is taken.
fn refusal(read_as: As, bytes: &[u8]) -> Option<String> {
    match read_as {
        As::Entry => match Sealed::open(bytes.to_vec(), samples::service().public()) {
            Err(error) => Some(chain(&error)),
            Ok(sealed) => log::read(&sealed).err().map(|error| chain(&error)),
        },
        As::Command => signed(ContentType::Command, bytes, Who::Litware.key().public()),
        As::ExecutorReport => {
            signed(ContentType::ExecutorReport, bytes, samples::executor().public())
        }
        As::ServiceCommand => {
            signed(ContentType::ServiceCommand, bytes, samples::next_service().public())
        }
        As::Content => content_refusal("query.approve", bytes),
        As::Dataset => content_refusal("dataset.publish", bytes),
        As::Checkpoint => {
            let note = String::from_utf8(bytes.to_vec()).unwrap();
            let origin = vectors::checkpoint().0.origin;
            let opened = Checkpoint::open(&note, &origin, samples::service().public());
            opened.err().map(|error| chain(&error))
        }
    }
}

fn content_refusal(action: &str, bytes: &[u8]) -> Option<String> {
    match codec::decode(bytes) {
        Err(error) => Some(chain(&error)),
        Ok(value) => v1::decode_command(action, &value).err().map(|error| chain(&error)),
    }
}

fn signed(
    kind: ContentType,
    bytes: &[u8],
    key: &chancery_ledger::key::PublicKey,
) -> Option<String> {
    match SignedCommand::parse(kind, bytes) {
        Err(error) => Some(chain(&error)),
        Ok((_, message)) => message.verify(key).err().map(|error| chain(&error)),
    }
}

/// The payload of a good entry, as a map to spoil.
fn payload() -> Map {
    let entry = good();
    let bytes = chancery_ledger::wire::v1::encode_entry(&entry);
    let Value::Map(map) = codec::decode(&bytes).unwrap() else { unreachable!() };
    map
}

/// A good entry: of `QueryApproved`.
fn good() -> Entry {
    let entries = samples::entries();
    let found = entries.iter().find(|sealed| sealed.entry().kind == "QueryApproved");
    found.unwrap().entry().clone()
}

fn sealed_payload(bytes: &[u8]) -> Vec<u8> {
    cose::sign(ContentType::Entry, bytes, &samples::service())
}

fn with(change: impl FnOnce(&mut Map)) -> Vec<u8> {
    let mut map = payload();
    change(&mut map);
    sealed_payload(&codec::encode(&Value::Map(map)))
}

fn entry_with(change: impl FnOnce(&mut Entry)) -> Vec<u8> {
    let mut entry = good();
    change(&mut entry);
    seal(entry, &samples::service()).into_bytes()
}

fn payload_with(change: impl FnOnce(&mut Map)) -> Vec<u8> {
    entry_with(|entry| {
        if let Value::Map(map) = &mut entry.payload {
            change(map);
        }
    })
}

fn command_with(change: impl FnOnce(&mut Map)) -> Vec<u8> {
    let bytes = chancery_ledger::wire::v1::encode_command(&samples::member_command().0);
    let Value::Map(mut map) = codec::decode(&bytes).unwrap() else { unreachable!() };
    change(&mut map);
    cose::sign(ContentType::Command, &codec::encode(&Value::Map(map)), &Who::Litware.key())
}

fn rejects() -> Vec<Reject> {
    let mut all = envelopes();
    all.extend(entries());
    all.extend(payloads());
    all.extend(commands());
    all.extend(column_rules());
    all.extend(privacy());
    all.extend(decimals());
    all.extend(notes());
    all.extend(service());
    all.extend(usage());
    all.extend(people::rejects());
    all.extend(secrets::rejects());
    all
}

/// What came with the rotation of the service's key.
fn service() -> Vec<Reject> {
    let entries = samples::entries();
    let rotated = entries[samples::FIRST_RELEASE_ENTRIES].entry();
    let with = |change: &dyn Fn(&mut Entry)| {
        let mut entry = rotated.clone();
        change(&mut entry);
        seal(entry, &samples::service()).into_bytes()
    };
    let raw = |label: i64, value: Value| {
        let bytes = chancery_ledger::wire::v1::encode_entry(rotated);
        let Value::Map(mut map) = codec::decode(&bytes).unwrap() else { unreachable!() };
        map.insert(label.into(), value);
        sealed_payload(&codec::encode(&Value::Map(map)))
    };
    let (_, command) = samples::service_command();
    let (_, member) = samples::member_command();
    let mut flipped = command.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let of = |name, bytes, expected| reject(name, As::Entry, bytes, expected);
    vec![
        of(
            "entry-rotation-without-evidence",
            with(&|entry| {
                if let Value::Map(map) = &mut entry.payload {
                    map.remove(&"evidence".into());
                }
            }),
            "position 33: the payload is not that of its type: evidence: is missing",
        ),
        of(
            "entry-rotation-to-a-key-of-31-bytes",
            with(&|entry| {
                if let Value::Map(map) = &mut entry.payload {
                    map.insert("key".into(), Value::text(format!("EdDSA:{}", "A".repeat(42))));
                }
            }),
            "position 33: the payload is not that of its type: key: expected `EdDSA:` or `ES256:` and a key in base64url",
        ),
        of(
            "entry-actor-service-of-16-bytes",
            raw(7, Value::Array(vec![Value::from(2), Value::bytes([0; 16])])),
            "the entry is not of a known wire version: actor",
        ),
        of(
            "entry-authority-service-without-content",
            raw(11, Value::Array(vec![Value::from(4), Value::bytes(command.as_slice())])),
            "the entry is not of a known wire version: authority",
        ),
        of(
            "entry-by-the-key-that-it-brings",
            seal(rotated.clone(), &samples::next_service()).into_bytes(),
            "the seal of the entry does not verify: the signature does not verify",
        ),
        reject(
            "service-command-that-is-a-member-s",
            As::ServiceCommand,
            member,
            "not a signed command: not the expected COSE_Sign1 structure: another content type",
        ),
        reject(
            "command-that-is-the-service-s",
            As::Command,
            command,
            "not a signed command: not the expected COSE_Sign1 structure: another content type",
        ),
        reject(
            "service-command-signature-flipped",
            As::ServiceCommand,
            flipped,
            "the signature does not verify",
        ),
    ]
}

/// What limits use: fields that are left out at their default, and may not be there at it.
fn usage() -> Vec<Reject> {
    let entries = samples::entries();
    let with = |kind: &str, change: &dyn Fn(&mut Map)| {
        let found = entries.iter().rev().find(|sealed| sealed.entry().kind == kind);
        let mut entry = found.unwrap().entry().clone();
        // Wherever the sample stands.
        entry.position = 1;
        if let Value::Map(map) = &mut entry.payload {
            change(map);
        }
        seal(entry, &samples::service()).into_bytes()
    };
    let descriptor = |change: &dyn Fn(&mut Map)| {
        with("DatasetPublished", &|map| {
            let Some(Value::Map(descriptor)) = map.get_mut(&"descriptor".into()) else { return };
            let Some(Value::Map(usage)) = descriptor.get_mut(&"usage".into()) else { return };
            change(usage);
        })
    };
    let list = |map: &mut Map, field: &str, item: Value| {
        map.insert(field.into(), Value::Array(vec![item]));
    };
    let of = |name, bytes, expected| reject(name, As::Entry, bytes, expected);
    vec![
        of(
            "entry-usage-that-is-empty",
            descriptor(&|usage| *usage = Map::new()),
            "position 1: the payload is not that of its type: not the one encoding of this event",
        ),
        of(
            "entry-budgets-that-are-empty",
            descriptor(&|usage| {
                usage.insert("budgets".into(), Value::Array(Vec::new()));
            }),
            "position 1: the payload is not that of its type: not the one encoding of this event",
        ),
        of(
            "entry-budget-of-a-year",
            descriptor(&|usage| {
                let pairs = [("period", Value::text("year")), ("runs", Value::from(1))];
                list(usage, "budgets", Value::map(pairs));
            }),
            "position 1: the payload is not that of its type: descriptor.usage.budgets[0].period: expected one of day week month life",
        ),
        of(
            "entry-budget-of-less-than-nothing",
            descriptor(&|usage| {
                let pairs = [("period", Value::text("day")), ("runs", Value::Int((-1).into()))];
                list(usage, "budgets", Value::map(pairs));
            }),
            "position 1: the payload is not that of its type: descriptor.usage.budgets[0].runs: expected an integer from 0 to 2^64 - 1",
        ),
        of(
            "entry-receiver-of-two-kinds",
            descriptor(&|usage| {
                let pairs = [
                    ("kind", Value::text("organisation")),
                    ("organisation", Value::text("Fabrikam")),
                    ("ability", Value::text("runner")),
                ];
                list(usage, "receivers", Value::map(pairs));
            }),
            "position 1: the payload is not that of its type: descriptor.usage.receivers[0].ability: is not a known field",
        ),
        of(
            "entry-policy-with-demands-that-are-empty",
            with("CleanRoomPolicySet", &|map| {
                map.insert("demands".into(), Value::map::<Key>([]));
            }),
            "position 1: the payload is not that of its type: not the one encoding of this event",
        ),
        of(
            "entry-admission-with-a-claim-of-null",
            with("RunAdmitted", &|map| {
                map.insert("claims".into(), Value::map([("debug", Value::Null)]));
            }),
            "position 1: the payload is not that of its type: not the one encoding of this event",
        ),
        of(
            "entry-pause-without-reason",
            with("CollaborationPaused", &|map| *map = Map::new()),
            "position 1: the payload is not that of its type: reason: is missing",
        ),
    ]
}

const fn reject(name: &'static str, read_as: As, bytes: Vec<u8>, expected: &'static str) -> Reject {
    Reject { name, read_as, bytes, expected }
}

fn envelopes() -> Vec<Reject> {
    let bytes = seal(good(), &samples::service()).into_bytes();
    let mut longer = bytes.clone();
    longer.push(0);
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let payload = codec::encode(&Value::Map(payload()));
    let Value::Array(mut parts) = codec::decode(&bytes[1..]).unwrap() else { unreachable!() };
    parts[1] = Value::map([(4i64, Value::bytes([1]))]);
    let mut unprotected = vec![0xd2];
    unprotected.extend(codec::encode(&Value::Array(parts)));
    let mut indefinite = bytes.clone();
    indefinite[1] = 0x9f;
    indefinite.push(0xff);
    let other = cose::sign(ContentType::Entry, &payload, &Who::Litware.key());
    let typed = cose::sign(ContentType::Command, &payload, &samples::service());
    let of = |name, bytes, expected| reject(name, As::Entry, bytes, expected);
    vec![
        of(
            "entry-trailing-byte",
            longer,
            "the entry is not a signed message of its kind: the message is not canonical CBOR: not the canonical encoding of its value",
        ),
        of(
            "entry-without-tag",
            bytes[1..].to_vec(),
            "the entry is not a signed message of its kind: not a tagged COSE_Sign1",
        ),
        of(
            "entry-indefinite-array",
            indefinite,
            "the entry is not a signed message of its kind: the message is not canonical CBOR: not the canonical encoding of its value",
        ),
        of(
            "entry-unprotected-header",
            unprotected,
            "the entry is not a signed message of its kind: not the expected COSE_Sign1 structure: the unprotected header is not empty",
        ),
        of(
            "entry-content-type-of-command",
            typed,
            "the entry is not a signed message of its kind: not the expected COSE_Sign1 structure: another content type",
        ),
        of(
            "entry-by-another-key",
            other,
            "the seal of the entry does not verify: the signature does not verify",
        ),
        of(
            "entry-signature-flipped",
            flipped,
            "the seal of the entry does not verify: the signature does not verify",
        ),
        of(
            "entry-empty",
            Vec::new(),
            "the entry is not a signed message of its kind: not a tagged COSE_Sign1",
        ),
    ]
}

fn entries() -> Vec<Reject> {
    let canonical = codec::encode(&Value::Map(payload()));
    let mut minimal = vec![0xb8, 11];
    minimal.extend_from_slice(&canonical[1..]);
    let mut duplicate = vec![0xac, 0x01, 0x01];
    duplicate.extend_from_slice(&canonical[1..]);
    let mut trailing = canonical.clone();
    trailing.push(0xf6);
    let mut float = canonical.clone();
    // The version, 1, as a half-precision float.
    float.splice(2..3, [0xf9, 0x3c, 0x00]);
    let of = |name, bytes, expected| reject(name, As::Entry, bytes, expected);
    vec![
        of(
            "entry-map-head-too-long",
            sealed_payload(&minimal),
            "the entry is not canonical CBOR: not the canonical encoding of its value",
        ),
        of(
            "entry-duplicate-key",
            sealed_payload(&duplicate),
            "the entry is not canonical CBOR: not the canonical encoding of its value",
        ),
        of(
            "entry-payload-trailing-byte",
            sealed_payload(&trailing),
            "the entry is not canonical CBOR: not the canonical encoding of its value",
        ),
        of(
            "entry-float",
            sealed_payload(&float),
            "the entry is not canonical CBOR: a data item outside the data model: float",
        ),
        of(
            "entry-version-2",
            with(|map| drop(map.insert(1.into(), Value::from(2)))),
            "the entry is not of a known wire version: version",
        ),
        of(
            "entry-unknown-field",
            with(|map| drop(map.insert(12.into(), Value::Null))),
            "the entry is not of a known wire version: an unknown field",
        ),
        of(
            "entry-field-missing",
            with(|map| drop(map.remove(&11.into()))),
            "the entry is not of a known wire version: a field is missing",
        ),
        of(
            "entry-first-with-previous",
            with(|map| drop(map.insert(4.into(), Value::from(0)))),
            "the entry is not of a known wire version: previous leaf hash and position disagree",
        ),
        of(
            "entry-later-without-previous",
            with(|map| drop(map.insert(5.into(), Value::Null))),
            "the entry is not of a known wire version: previous leaf hash and position disagree",
        ),
        of(
            "entry-authority-of-unknown-kind",
            with(|map| {
                drop(map.insert(11.into(), Value::Array(vec![Value::from(4), Value::from(1)])));
            }),
            "the entry is not of a known wire version: authority",
        ),
        of(
            "entry-actor-of-unknown-kind",
            with(|map| {
                drop(
                    map.insert(7.into(), Value::Array(vec![Value::from(2), Value::bytes([0; 16])])),
                );
            }),
            "the entry is not of a known wire version: actor",
        ),
        of(
            "entry-collaboration-of-15-bytes",
            with(|map| drop(map.insert(3.into(), Value::bytes([0; 15])))),
            "the entry is not of a known wire version: not 16 bytes",
        ),
        of(
            "entry-negative-time",
            with(|map| drop(map.insert(9.into(), Value::Int(-1)))),
            "the entry is not of a known wire version: not an unsigned integer",
        ),
    ]
}

/// Types of decimals that there are not, and texts that are not the one of their type.
fn decimals() -> Vec<Reject> {
    let typed = |kind: &str| {
        let Value::Map(mut content) = v1::encode_command(&samples::ruled().1) else {
            unreachable!()
        };
        let column = Value::map([("name", Value::text("price")), ("type", Value::text(kind))]);
        at(&mut content, &["descriptor"]).insert("columns".into(), Value::Array(vec![column]));
        codec::encode(&Value::Map(content))
    };
    let of = |name, kind| {
        let expected = "invalid_content: descriptor.columns[0].type: expected one of string long \
                        double decimal(p,s) boolean date timestamp";
        reject(name, As::Dataset, typed(kind), expected)
    };
    vec![
        of("content-decimal-without-digits", "decimal"),
        of("content-decimal-of-39-digits", "decimal(39,2)"),
        of("content-decimal-of-no-digit", "decimal(0,0)"),
        of("content-decimal-with-more-after-the-point", "decimal(2,3)"),
        of("content-decimal-with-blank", "decimal(15, 2)"),
    ]
}

/// Rules on columns that are not of their form, and an event that says a default aloud.
fn column_rules() -> Vec<Reject> {
    let ruled = |rules: Value| {
        let Value::Map(mut content) = v1::encode_command(&samples::ruled().1) else {
            unreachable!()
        };
        at(&mut content, &["descriptor", "policy"]).insert("column_rules".into(), rules);
        codec::encode(&Value::Map(content))
    };
    let rule = |fields: Vec<(&str, Value)>| {
        let fields = fields.into_iter().map(|(name, value)| (Key::from(name), value));
        let column = (Key::from("column"), Value::text("amount"));
        ruled(Value::Array(vec![Value::map(std::iter::once(column).chain(fields))]))
    };
    let aloud = {
        let entries = samples::entries();
        let found = entries.iter().find(|sealed| sealed.entry().kind == "DatasetPublished");
        let mut entry = found.unwrap().entry().clone();
        if let Value::Map(payload) = &mut entry.payload {
            let policy = at(payload, &["descriptor", "policy"]);
            policy.insert("column_rules".into(), Value::Array(Vec::new()));
        }
        seal(entry, &samples::service()).into_bytes()
    };
    let of = |name, bytes, expected| reject(name, As::Dataset, bytes, expected);
    vec![
        of(
            "content-rules-not-a-list",
            ruled(Value::Null),
            "invalid_content: descriptor.policy.column_rules: expected a list",
        ),
        of(
            "content-rule-with-unknown-field",
            rule(vec![("masked", Value::Bool(true))]),
            "invalid_content: descriptor.policy.column_rules[0].masked: is not a known field",
        ),
        of(
            "content-rule-with-unknown-literals",
            rule(vec![("literals", Value::text("range"))]),
            "invalid_content: descriptor.policy.column_rules[0].literals: expected one of any equality none",
        ),
        of(
            "content-rule-with-negative-minimum",
            rule(vec![("minimum", Value::Int(-1))]),
            "invalid_content: descriptor.policy.column_rules[0].minimum: expected an integer from 0 to 2^64 - 1",
        ),
        reject(
            "entry-with-empty-column-rules",
            As::Entry,
            aloud,
            "position 9: the payload is not that of its type: not the one encoding of this event",
        ),
    ]
}

/// Differential privacy that is not of its form, and an event that says a default aloud.
fn privacy() -> Vec<Reject> {
    let with = |name: &str, value: Value| {
        let (_, command) = samples::privacy::contents().swap_remove(0);
        let Value::Map(mut content) = v1::encode_command(&command) else { unreachable!() };
        let path = ["descriptor", "policy", "differential_privacy"];
        at(&mut content, &path).insert(name.into(), value);
        codec::encode(&Value::Map(content))
    };
    let aloud = {
        let entries = samples::entries();
        let found = entries.iter().find(|sealed| sealed.entry().kind == "RunRequested");
        let mut entry = found.unwrap().entry().clone();
        if let Value::Map(payload) = &mut entry.payload {
            payload.insert("privacy".into(), Value::Array(Vec::new()));
        }
        seal(entry, &samples::service()).into_bytes()
    };
    let position = samples::entries()
        .iter()
        .find(|sealed| sealed.entry().kind == "RunRequested")
        .map(|sealed| sealed.entry().position);
    assert_eq!(position, Some(RUN_REQUESTED));
    let of = |name, bytes, expected| reject(name, As::Dataset, bytes, expected);
    vec![
        of(
            "content-privacy-with-unknown-field",
            with("mechanism", Value::text("gaussian")),
            "invalid_content: descriptor.policy.differential_privacy.mechanism: is not a known field",
        ),
        of(
            "content-privacy-with-negative-groups",
            with("groups_max", Value::Int(-1)),
            "invalid_content: descriptor.policy.differential_privacy.groups_max: expected an integer from 0 to 2^64 - 1",
        ),
        of(
            "content-privacy-without-budget",
            with("budget", Value::Null),
            "invalid_content: descriptor.policy.differential_privacy.budget: expected a map",
        ),
        reject(
            "entry-with-empty-privacy",
            As::Entry,
            aloud,
            "position 21: the payload is not that of its type: not the one encoding of this event",
        ),
    ]
}

/// Where the first of them stands in the samples.
const RUN_REQUESTED: u64 = 21;

/// The map at a path.
fn at<'v>(map: &'v mut Map, path: &[&str]) -> &'v mut Map {
    path.iter().fold(map, |map, name| match map.get_mut(&Key::from(*name)) {
        Some(Value::Map(inner)) => inner,
        _ => panic!("no map {name}"),
    })
}

fn payloads() -> Vec<Reject> {
    let null_left_out = {
        let entries = samples::entries();
        let found = entries.iter().find(|sealed| sealed.entry().kind == "CollaboratorInvited");
        let mut entry = found.unwrap().entry().clone();
        if let Value::Map(map) = &mut entry.payload {
            map.remove(&"tenant".into());
        }
        seal(entry, &samples::service()).into_bytes()
    };
    let of = |name, bytes, expected| reject(name, As::Entry, bytes, expected);
    let upper = |entry: &mut Entry| {
        let (kind, id) = entry.subject.split_once('/').unwrap();
        entry.subject = format!("{kind}/{}", id.to_uppercase());
    };
    let digest = |text: &str| {
        let text = text.to_owned();
        payload_with(move |map| drop(map.insert("digest".into(), Value::text(text))))
    };
    vec![
        of(
            "entry-event-of-unknown-type",
            entry_with(|entry| entry.kind = "QueryVetoed".into()),
            "position 14: the payload is not that of its type: QueryVetoed is not an event type of version 1",
        ),
        of(
            "entry-event-unknown-field",
            payload_with(|map| drop(map.insert("note".into(), Value::Null))),
            "position 14: the payload is not that of its type: note: is not a known field",
        ),
        of(
            "entry-event-field-missing",
            payload_with(|map| drop(map.remove(&"digest".into()))),
            "position 14: the payload is not that of its type: digest: is missing",
        ),
        of(
            "entry-event-integer-key",
            payload_with(|map| drop(map.insert(1.into(), Value::Null))),
            "position 14: the payload is not that of its type: a key is not a text",
        ),
        of(
            "entry-event-null-left-out",
            null_left_out,
            "position 3: the payload is not that of its type: not the one encoding of this event",
        ),
        of(
            "entry-event-digest-without-prefix",
            digest(&"0".repeat(64)),
            "position 14: the payload is not that of its type: digest: expected `sha256:` and 64 lower-case hex digits",
        ),
        of(
            "entry-event-digest-in-capitals",
            digest(&format!("sha256:{}", "A".repeat(64))),
            "position 14: the payload is not that of its type: digest: expected `sha256:` and 64 lower-case hex digits",
        ),
        of(
            "entry-event-not-a-map",
            entry_with(|entry| entry.payload = Value::Array(Vec::new())),
            "position 14: the payload is not that of its type: expected a map",
        ),
        of(
            "entry-subject-in-capitals",
            entry_with(upper),
            "position 14: the subject is not `kind/id`: not an id: expected a hyphenated lower-case UUID",
        ),
        of(
            "entry-subject-of-unknown-kind",
            entry_with(|entry| entry.subject = entry.subject.replace("query", "quest")),
            "position 14: the subject is not `kind/id`: not an id: expected a hyphenated lower-case UUID",
        ),
    ]
}

fn commands() -> Vec<Reject> {
    let (_, command) = samples::member_command();
    let (_, report) = samples::executor_report();
    let mut longer = command.clone();
    longer.push(0);
    let content = |pairs: Vec<(&str, Value)>| codec::encode(&Value::map(pairs));
    let good = Value::text(chancery_ledger::digest::Digest::of(b"binding").to_string());
    let of = reject;
    vec![
        of(
            "command-trailing-byte",
            As::Command,
            longer,
            "not a signed command: the message is not canonical CBOR: not the canonical encoding of its value",
        ),
        of(
            "command-that-is-a-report",
            As::Command,
            report,
            "not a signed command: not the expected COSE_Sign1 structure: another content type",
        ),
        of(
            "report-that-is-a-command",
            As::ExecutorReport,
            command,
            "not a signed command: not the expected COSE_Sign1 structure: another content type",
        ),
        of(
            "command-version-2",
            As::Command,
            command_with(|map| drop(map.insert(1.into(), Value::from(2)))),
            "the signed command is not of a known wire version: version",
        ),
        of(
            "command-unknown-field",
            As::Command,
            command_with(|map| drop(map.insert(10.into(), Value::Null))),
            "the signed command is not of a known wire version: an unknown field",
        ),
        of(
            "command-without-expiry",
            As::Command,
            command_with(|map| drop(map.remove(&9.into()))),
            "the signed command is not of a known wire version: a field is missing",
        ),
        of(
            "command-audience-of-31-bytes",
            As::Command,
            command_with(|map| drop(map.insert(2.into(), Value::bytes([0; 31])))),
            "the signed command is not of a known wire version: not 32 bytes",
        ),
        of(
            "content-unknown-field",
            As::Content,
            content(vec![("digest", good.clone()), ("approver", Value::Null)]),
            "invalid_content: approver: is not a known field",
        ),
        of(
            "content-field-missing",
            As::Content,
            content(Vec::new()),
            "invalid_content: digest: is missing",
        ),
        of(
            "content-of-another-type",
            As::Content,
            content(vec![("digest", Value::from(1))]),
            "invalid_content: digest: expected a text",
        ),
        of(
            "content-trailing-byte",
            As::Content,
            [content(vec![("digest", good)]), vec![0]].concat(),
            "not the canonical encoding of its value",
        ),
    ]
}

fn notes() -> Vec<Reject> {
    let (checkpoint, note) = vectors::checkpoint();
    let other = note.replacen(&checkpoint.size.to_string(), &(checkpoint.size + 1).to_string(), 1);
    let unsigned = format!("{}\n", checkpoint.text());
    let by_other = checkpoint.sign(&Who::Litware.key());
    let zero = Checkpoint { size: 0, ..checkpoint.clone() }.text().replace("\n0\n", "\n00\n");
    let zero = format!("{zero}\n{}", note.rsplit_once("\n\n").unwrap().1);
    let origin = Checkpoint { origin: "elsewhere.test/log".into(), ..checkpoint };
    let of =
        |name, note: String, expected| reject(name, As::Checkpoint, note.into_bytes(), expected);
    vec![
        of("checkpoint-of-another-size", other, "the note's signature does not verify"),
        of("checkpoint-without-signature", unsigned, "not a signed note: no signature"),
        of("checkpoint-by-another-key", by_other, "not signed by the expected key"),
        of(
            "checkpoint-of-another-log",
            origin.sign(&samples::service()),
            "the checkpoint is of another log",
        ),
        of("checkpoint-size-with-leading-zero", zero, "not a checkpoint: the origin or the size"),
    ]
}

pub fn vectors() -> Vec<Vector> {
    rejects()
        .into_iter()
        .map(|reject| {
            let note = reject.read_as == As::Checkpoint;
            let file = format!("reject-{}.{}", reject.name, if note { "txt" } else { "cbor" });
            let read_as = match reject.read_as {
                As::Entry => "entry",
                As::Command => "command",
                As::ExecutorReport => "executor-report",
                As::ServiceCommand => "service-command",
                As::Content => "content of query.approve",
                As::Dataset => "content of dataset.publish",
                As::Checkpoint => "checkpoint",
            };
            let index = json!({
                "file": file,
                "kind": "reject",
                "read_as": read_as,
                "error": reject.expected,
            });
            Vector { file, bytes: reject.bytes, index }
        })
        .collect()
}

#[test]
fn each_reject_vector_is_refused_with_its_error() {
    let mut wrong = Vec::new();
    for reject in rejects() {
        let extension = if reject.read_as == As::Checkpoint { "txt" } else { "cbor" };
        let stored = std::fs::read(folder().join(format!("reject-{}.{extension}", reject.name)));
        let found = refusal(reject.read_as, &stored.unwrap());
        if found.as_deref() != Some(reject.expected) {
            wrong.push(format!("{}: {found:?}", reject.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_rejects_were_spoilt_from_is_good() {
    assert_eq!(refusal(As::Entry, &seal(good(), &samples::service()).into_bytes()), None);
    assert_eq!(refusal(As::Entry, &with(|_| {})), None);
    assert_eq!(refusal(As::Command, &command_with(|_| {})), None);
    assert_eq!(refusal(As::Checkpoint, vectors::checkpoint().1.as_bytes()), None);
}
