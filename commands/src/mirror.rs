//! The mirror of this service's logs, as the API tells of it: how each log stands, its receipts, and
//! how long a command's sender may wait for one.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::Checkpoint;
use chancery_mirror::{Kind, State, StatusHandle, pem};
use chancery_store::{MirrorReceipt as Stored, ReadError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;

/// Longest wait for the mirror, in seconds; who asks for more waits so long.
pub const WAIT_S_MAX: u32 = 30;
/// The header that asks for it, as in `Prefer: wait=10` (RFC 7240 section 4.3).
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The header that says that it was taken up (RFC 7240 section 3).
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The code of the alarm: the mirror holds another history of a log than this service.
pub const DIVERGED: &str = "mirror_diverged";

/// What this service mirrors its logs in.
#[derive(Clone)]
pub struct Mirror {
    /// What stands behind it.
    pub kind: Kind,
    /// How each log stands.
    pub status: StatusHandle,
}

impl Mirror {
    /// How many logs are mirrored no more, because the two sides hold different histories.
    pub fn diverged(&self) -> usize {
        let logs = self.status.read();
        logs.values().filter(|log| matches!(log.state, State::Diverged(_))).count()
    }

    /// The figures of all logs at a time, in milliseconds since the Unix epoch.
    pub fn figures(&self, now_ms: u64) -> Figures {
        let logs = self.status.read();
        let mut figures = Figures::default();
        for log in logs.values() {
            *figures.logs.entry(log.state.as_str()).or_default() += 1;
            figures.entries += log.mirrored;
            figures.lag_entries += log.lag();
            figures.lag_entries_max = figures.lag_entries_max.max(log.lag());
            figures.lag_seconds = figures.lag_seconds.max(log.lag_ms(now_ms) / 1_000);
        }
        figures
    }
}

/// Figures of the mirror over all logs. They name no collaboration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Logs, by the name of how their mirror stands: every name, also with none.
    pub logs: BTreeMap<&'static str, u64>,
    /// Entries with a verified receipt.
    pub entries: u64,
    /// Entries without one.
    pub lag_entries: u64,
    /// Entries without one in the log with most of them.
    pub lag_entries_max: u64,
    /// For how many seconds the oldest of them has been in its log.
    pub lag_seconds: u64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            logs: State::NAMES.map(|name| (name, 0)).into(),
            entries: 0,
            lag_entries: 0,
            lag_entries_max: 0,
            lag_seconds: 0,
        }
    }
}

/// How the mirror of a log stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MirrorStanding {
    /// `ccf`: a CCF network. `insecure-virtual`: a stand-in in the service itself, which proves
    /// nothing. Null where the service mirrors its logs nowhere.
    pub kind: Option<String>,
    /// `following`; `unavailable`: not reached, tried again; `blocked`: the consortium refuses, tried
    /// again; `diverged`: it holds another history, stopped; `starting`; `off`.
    pub state: String,
    /// `mirror_diverged`, where people have to look; null else.
    pub alarm: Option<String>,
    /// Why it does not follow, for people.
    pub detail: Option<String>,
    /// Entries in the log.
    pub size: u64,
    /// Entries with a receipt: those from position 0 on.
    pub mirrored: u64,
    /// Entries without one.
    pub lag_entries: u64,
    /// For how many seconds the oldest of them has been in the log.
    pub lag_seconds: u64,
}

/// A receipt of the mirror: that a batch of entries is in its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MirrorReceipt {
    /// `ccf`, or `insecure-virtual`: that one proves nothing.
    pub kind: String,
    /// The position of the batch's first entry.
    pub first: u64,
    /// The size of the log after the batch.
    pub size: u64,
    /// The Merkle root over the log of that size: an inclusion proof to it proves an entry.
    pub root: String,
    /// The transaction's id in the mirror's ledger.
    pub transaction: String,
    /// SHA-256 of the certificate (DER) of the service that the receipt was verified under. Compare
    /// it with what you have from the consortium.
    pub service: String,
    /// That certificate, PEM.
    pub service_certificate: String,
    /// What the transaction claims: SHA-256 of the log's checkpoint text of that size.
    pub claims_digest: String,
    /// The receipt, base64url: JSON or COSE, as the mirror gave it.
    pub receipt: String,
}

/// Whether an entry is mirrored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MirroredEntry {
    /// The entry's position.
    pub position: u64,
    /// `mirrored`, `not_yet`; `diverged`: it will not be; `off`: nothing mirrors it.
    pub state: String,
    /// The receipt of the batch that holds it, where it is mirrored.
    pub receipt: Option<MirrorReceipt>,
    /// How the mirror of the log stands.
    pub mirror: MirrorStanding,
}

/// How the mirror of a log with that many entries stands.
///
/// # Errors
///
/// Where the store can't be read.
pub async fn standing(
    app: &App,
    c: CollaborationId,
    size: u64,
) -> Result<MirrorStanding, ReadError> {
    let mirrored = app.store().mirrored(c).await?.min(size);
    let lag_entries = size - mirrored;
    let lag_ms = if lag_entries == 0 {
        0
    } else {
        let oldest = app.store().range(c, mirrored, 1).await?.pop();
        let sealed = oldest.and_then(|oldest| Sealed::parse(oldest.sealed).ok());
        sealed.map_or(0, |sealed| (app.clock)().saturating_sub(sealed.entry().time_ms))
    };
    let state = app.mirror.as_ref().map(|mirror| mirror.status.of(c).map(|status| status.state));
    let name = match &state {
        None => "off",
        Some(None) => "starting",
        Some(Some(state)) => state.as_str(),
    };
    let state = state.flatten();
    let diverged = matches!(state, Some(State::Diverged(_)));
    Ok(MirrorStanding {
        kind: app.mirror.as_ref().map(|mirror| mirror.kind.as_str().to_owned()),
        state: name.to_owned(),
        alarm: diverged.then(|| DIVERGED.to_owned()),
        detail: state.as_ref().and_then(State::why).map(str::to_owned),
        size,
        mirrored,
        lag_entries,
        lag_seconds: lag_ms / 1_000,
    })
}

/// Whether the entry at a position, which must be in the log of that many entries, is mirrored.
///
/// # Errors
///
/// Where the store can't be read.
pub async fn entry(
    app: &App,
    c: CollaborationId,
    position: u64,
    size: u64,
) -> Result<MirroredEntry, ReadError> {
    let stored = app.store().mirror_receipt(c, position).await?;
    let mirror = standing(app, c, size).await?;
    let state = match (&stored, mirror.state.as_str()) {
        (Some(_), _) => "mirrored",
        (None, state @ ("off" | "diverged")) => state,
        (None, _) => "not_yet",
    };
    let origin = chancery_governance::state::origin(app.logs.service(), c);
    Ok(MirroredEntry {
        position,
        state: state.to_owned(),
        receipt: stored.map(|stored| MirrorReceipt::of(stored, origin)),
        mirror,
    })
}

impl MirrorReceipt {
    fn of(stored: Stored, origin: String) -> Self {
        let Stored { first, size, root, kind, transaction, service, receipt } = stored;
        let text = Checkpoint { origin, size, root }.text();
        Self {
            kind,
            first,
            size,
            root: root.to_string(),
            transaction,
            service: Digest::of(&service).to_string(),
            service_certificate: pem(&service),
            claims_digest: Digest::of(text.as_bytes()).to_string(),
            receipt: URL_SAFE_NO_PAD.encode(receipt),
        }
    }
}

/// Waits until so many entries of a log have a receipt, for as long as was asked: whether they have.
/// None where nothing mirrors the logs.
pub async fn wait(app: &App, c: CollaborationId, size: u64, wait_s: u32) -> Option<bool> {
    let reached = app.mirror.as_ref()?.status.reached(c, size);
    let limit = Duration::from_secs(wait_s.min(WAIT_S_MAX).into());
    Some(tokio::time::timeout(limit, reached).await.unwrap_or(false))
}

/// The wait that headers ask for, in seconds, at most [`WAIT_S_MAX`]. Of several, the first counts; a
/// preference that is not understood is none (RFC 7240 section 2).
pub fn wait_preferred(headers: &HeaderMap) -> Option<u32> {
    let lines = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut waits = lines.flat_map(|line| line.split(',')).filter_map(|preference| {
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then_some(value)
    });
    let digits = waits.next()?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // So many that it overflows is more than the most, too.
    plain.then(|| digits.parse().map_or(WAIT_S_MAX, |seconds: u32| seconds.min(WAIT_S_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred(lines: &[&str]) -> Option<u32> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, line.parse().unwrap());
        }
        wait_preferred(&headers)
    }

    #[test]
    fn a_wait_is_understood_as_the_rfc_has_it() {
        for (lines, expected) in [
            (&["wait=10"][..], Some(10)),
            (&["respond-async, WAIT = 7 ; x=1"], Some(7)),
            (&["return=minimal", "wait=\"3\""], Some(3)),
            (&["wait=1", "wait=2"], Some(1)),
            (&["wait=0"], Some(0)),
            (&[], None),
            (&["wait"], None),
            (&["wait="], None),
            (&["wait=-1"], None),
            (&["wait=1.5"], None),
            (&["waiter=5"], None),
        ] {
            assert_eq!(preferred(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_wait_is_bounded() {
        for (asked, given) in [(WAIT_S_MAX - 1, WAIT_S_MAX - 1), (WAIT_S_MAX, WAIT_S_MAX)] {
            assert_eq!(preferred(&[&format!("wait={asked}")]), Some(given));
        }
        assert_eq!(preferred(&[&format!("wait={}", WAIT_S_MAX + 1)]), Some(WAIT_S_MAX));
        assert_eq!(preferred(&["wait=99999999999999999999"]), Some(WAIT_S_MAX));
    }
}
