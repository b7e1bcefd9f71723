//! Data items and entries as JSON, for people and for implementations in other languages.

use chancery_ledger::codec::{Key, Value};
use chancery_ledger::command::SignedCommand;
use chancery_ledger::digest::hex;
use chancery_ledger::entry::{Actor, Authority, Entry, SignedContent};
use serde_json::{Value as Json, json};

/// A data item. Byte strings become `{"hex": ...}`; integer keys become texts.
pub fn value(value: &Value) -> Json {
    match value {
        Value::Int(number) => u64::try_from(*number)
            .map(Json::from)
            .or_else(|_| i64::try_from(*number).map(Json::from))
            .unwrap(),
        Value::Bytes(bytes) => json!({ "hex": hex(bytes) }),
        Value::Text(text) => json!(text),
        Value::Bool(bool) => json!(bool),
        Value::Null => Json::Null,
        Value::Array(items) => items.iter().map(self::value).collect(),
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, item)| {
                let key = match key {
                    Key::Text(text) => text.0.clone(),
                    Key::Uint(number) => number.to_string(),
                    Key::Nint(number) => (-1 - i128::from(*number)).to_string(),
                };
                (key, self::value(item))
            });
            Json::Object(pairs.collect())
        }
    }
}

pub fn entry(entry: &Entry) -> Json {
    json!({
        "version": 1,
        "type": entry.kind,
        "collaboration": entry.collaboration.to_string(),
        "position": entry.position,
        "previous": entry.previous.map(|digest| digest.to_string()),
        "subject": entry.subject,
        "actor": match entry.actor {
            Actor::Member(id) => json!({ "member": id.to_string() }),
            Actor::Executor(key) => json!({ "executor": key.to_string() }),
            Actor::Service(key) => json!({ "service": key.to_string() }),
        },
        "command": entry.command.to_string(),
        "time_ms": entry.time_ms,
        "payload": value(&entry.payload),
        "authority": authority(&entry.authority),
    })
}

fn authority(authority: &Authority) -> Json {
    let signed = |kind: &str, signed: &SignedContent| json!({ kind: { "message": hex(&signed.message), "content": hex(&signed.content) } });
    match authority {
        Authority::MemberSigned(content) => signed("member-signed", content),
        Authority::ExecutorSigned(content) => signed("executor-signed", content),
        Authority::ServiceSigned(content) => signed("service-signed", content),
        Authority::Consequence(of) => json!({ "consequence": of }),
        Authority::ServiceWitnessed(witness) => json!({ "service-witnessed": {
            "token": witness.token.to_string(),
            "issuer": witness.issuer,
            "tenant": witness.tenant,
            "subject": witness.subject,
            "key_id": witness.key_id,
            "action": witness.action,
            "expected_version": witness.expected_version,
            "content": hex(&witness.content),
        } }),
    }
}

pub fn command(command: &SignedCommand) -> Json {
    json!({
        "version": 1,
        "audience": command.audience.to_string(),
        "collaboration": command.collaboration.to_string(),
        "action": command.action,
        "subject": command.subject,
        "content": command.content.to_string(),
        "expected_version": command.expected_version,
        "command": command.command.to_string(),
        "expires_ms": command.expires_ms,
    })
}
