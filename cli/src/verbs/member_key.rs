//! Registered keys, as part of `chancery collaboration`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::decide::member::registration_message;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, MemberId};
use chancery_ledger::key::{KeyId, SigningKey};
use reqwest::Method;
use serde_json::{Value, json};

use super::done;
use crate::args::Global;
use crate::client::room::Room;
use crate::client::session::Order;
use crate::client::{clock, key_file};
use crate::failure::{Failure, OrFail as _, Result};

/// The content of a key's registration, with its proof of possession.
pub fn registration(
    audience: KeyId,
    collaboration: CollaborationId,
    member: MemberId,
    key: &SigningKey,
) -> Value {
    let proof = key.sign(&registration_message(audience, collaboration, member, key.public()));
    json!({"key": key.public().to_string(), "proof": URL_SAFE_NO_PAD.encode(proof)})
}

/// Registers the profile's key, or the one in `new`.
///
/// # Errors
///
/// Where there is no key, or the service refuses.
pub async fn register(global: &Global, new: Option<&Path>) -> Result<()> {
    let room = Room::open(global).await?;
    let path = new.map_or_else(|| room.session.profile.key_path(), Path::to_owned);
    let key = key_file::load(&path)?.ok_or_else(|| {
        let why = format!("there is no {}", path.display());
        Failure::refused("no_key", "There is no key to register", why)
    })?;
    let member = myself(&room).await?;
    let body = registration(room.session.audience, room.id, member, &key);
    let sent = room.send(&key_order(member, "", "member.register-key", body)?).await?;
    let facts = vec![("key", key.public().to_string()), ("id", key.public().id().to_string())];
    done(&sent, &format!("Registered the key in {}", room.view.name), facts)
}

/// Revokes a key of the caller's.
///
/// # Errors
///
/// The service's refusal.
pub async fn revoke(global: &Global, key: Digest) -> Result<()> {
    let room = Room::open(global).await?;
    let member = myself(&room).await?;
    let body = json!({"key": key.to_string()});
    let sent = room.send(&key_order(member, "/revoke", "member.revoke-key", body)?).await?;
    done(&sent, &format!("Revoked {key} in {}", room.view.name), Vec::new())
}

async fn myself(room: &Room) -> Result<MemberId> {
    room.myself().await?.parse().or_unreadable(|| "The member has no id".to_owned())
}

fn key_order(member: MemberId, below: &str, action: &'static str, body: Value) -> Result<Order> {
    Ok(Order {
        method: Method::POST,
        path: format!("/members/{member}/keys{below}"),
        action,
        subject: Subject::Member(member),
        command: clock::command_id()?,
        expected_version: None,
        body,
        content: None,
    })
}
