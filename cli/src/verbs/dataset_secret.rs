//! `chancery dataset encrypt`, `store-secret` and `erase-secret`: data that leaves its owner encrypted,
//! and the key that runs get.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_commands::clock::random;
use chancery_commands::extract::IDEMPOTENCY_KEY;
use chancery_governance::query::DatasetVersion;
use chancery_governance::secret::{SEALED_SECRET_LEN_MAX, SealingKey, stored_context};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::DatasetId;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use super::done;
use crate::client::clock;
use crate::client::http::{Request, view};
use crate::client::room::Room;
use crate::client::session::Order;
use crate::client::views::{Dataset, ServiceKeys};
use crate::encrypt::{self, KEY_LEN};
use crate::failure::{Failure, OrFail as _, Result};
use crate::text::evidence;
use crate::{output, private_file};

/// Most bytes of a secret: what is around it is HPKE's.
const SECRET_LEN_MAX: usize = SEALED_SECRET_LEN_MAX - chancery_sealing::OVERHEAD;

/// Encrypts a folder under the key in a file, which is drawn where there is none.
///
/// # Errors
///
/// Where a file can't be read or written, or the key's file holds no key.
pub fn encrypt(key: &Path, from: &Path, to: &Path) -> Result<()> {
    let bytes = private_file::read_or_draw(key, || {
        let drawn = random::<KEY_LEN>();
        Ok(drawn.or_unreadable(|| "Can't draw a key".to_owned())?.to_vec())
    })?;
    let bytes: [u8; KEY_LEN] = bytes.try_into().map_err(|_| {
        let why = format!("{} does not hold {KEY_LEN} bytes", key.display());
        Failure::refused("data_key_damaged", "That is no data key", why)
    })?;
    let count = encrypt::folder(&bytes, from, to)
        .or_unreadable(|| format!("Can't encrypt {} into {}", from.display(), to.display()))?;
    let text = format!(
        "Encrypted {count} files into {}. Keep {}: without it nobody reads them.\n",
        to.display(),
        key.display()
    );
    Ok(output::answer(&json!({"files": count, "folder": to, "key": key}), &text)?)
}

/// Stores the secret in a file for the newest version of a dataset, sealed to the service.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn store(room: &Room, (it, id): (&Dataset, DatasetId), key: &Path) -> Result<()> {
    let secret = private_file::read(key)?.ok_or_else(|| {
        Failure::unreadable(format!("Can't read {}", key.display()), "there is no such file")
    })?;
    if secret.is_empty() || secret.len() > SECRET_LEN_MAX {
        let why = format!("{} does not hold 1 to {SECRET_LEN_MAX} bytes", key.display());
        return Err(Failure::refused("secret_length", "That is no secret", why));
    }
    let mut headers = HeaderMap::new();
    let command = HeaderValue::from_str(&clock::command_id()?.to_string());
    headers.insert(IDEMPOTENCY_KEY, command.or_unreadable(|| "Can't make a header".to_owned())?);
    let announce = Request {
        method: Method::POST,
        path: room.path("/service-keys"),
        headers,
        body: Some(b"{}".to_vec()),
    };
    let keys: ServiceKeys = view(&room.session.http.send(&announce).await?)?;
    let unreadable = || "The service's keys have another form".to_owned();
    let to: SealingKey = keys.release_key.parse().or_unreadable(unreadable)?;
    let digest: Digest = it.digest.parse().or_unreadable(unreadable)?;
    let context = stored_context(room.id, &DatasetVersion { dataset: id, digest });
    let sealed = chancery_sealing::seal(&to, &context, &secret)
        .or_unreadable(|| "Can't seal the secret".to_owned())?;
    let version = digest.to_string();
    let release_key = to.id().to_string();
    let ciphertext = Digest::of(&sealed).to_string();
    let order = Order {
        method: Method::PUT,
        path: format!("/datasets/{id}/secret"),
        action: "dataset.store-secret",
        subject: Subject::Dataset(id),
        command: clock::command_id()?,
        expected_version: Some(it.version),
        body: json!({
            "version": version,
            "release_key": release_key,
            "sealed": URL_SAFE_NO_PAD.encode(&sealed),
        }),
        content: Some(json!({
            "version": version,
            "release_key": release_key,
            "ciphertext": ciphertext,
        })),
    };
    let sent = room.send(&order).await?;
    let pairs = vec![("ciphertext", ciphertext), ("held by", evidence(&keys.platform))];
    done(&sent, &format!("Stored the secret of {}", it.descriptor.name), pairs)
}

/// Destroys the stored secret of a dataset.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn erase(room: &Room, (it, id): (&Dataset, DatasetId)) -> Result<()> {
    let order = Order {
        method: Method::POST,
        path: format!("/datasets/{id}/secret/erase"),
        action: "dataset.erase-secret",
        subject: Subject::Dataset(id),
        command: clock::command_id()?,
        expected_version: Some(it.version),
        body: json!({}),
        content: None,
    };
    let sent = room.send(&order).await?;
    done(&sent, &format!("Destroyed the secret of {}", it.descriptor.name), Vec::new())
}
