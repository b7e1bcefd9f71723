//! `chancery log fsck`: the store checks its rows against the stored bytes, the audit what the
//! bytes say; then what lies beside the log.

mod found;
mod log;
mod show;

use std::path::Path;
use std::process::ExitCode;

use chancery_commands::keyring::Keyring;
use chancery_ledger::id::CollaborationId;
use chancery_projections::Views;
use chancery_store::Store;

use super::database::{Place, VIEWS_FILE};
use super::keys;
use super::log::meant;
use crate::failure::{Exit, OrFail as _, Result};
use crate::output;
use found::Found;
use show::Outcome;

/// Checks the logs that are meant.
///
/// # Errors
///
/// Where the log can't be read: then nothing is said of it.
pub async fn run(
    store: &Store,
    place: &Place,
    wanted: Option<CollaborationId>,
) -> Result<ExitCode> {
    let data_dir = place.data_dir.as_deref();
    let keys = data_dir.map(keys::read).transpose()?.flatten();
    // Before the heads: views follow the log, so that a server at work is not taken for a fault.
    let shown = match data_dir {
        Some(data_dir) => Shown::read(data_dir).await?,
        None => Shown::NotThere,
    };
    let heads = meant(store, wanted).await?;
    let mut logs = Vec::new();
    for (id, size) in &heads {
        logs.push(log::check(store, keys.as_ref(), *id, *size).await?);
    }
    let views = shown.compare(&heads, wanted);
    let outcome = Outcome { place: place.name(), logs, views, keys: keys.is_some() };
    output::answer(&outcome.document(), &outcome.text())?;
    Ok(if outcome.is_clean() { Exit::Done } else { Exit::Refused }.into())
}

/// What the views database shows.
enum Shown {
    NotThere,
    OtherSchema,
    Entries(Vec<(CollaborationId, u64)>),
}

/// What came of comparing the views with the log.
pub enum ViewsChecked {
    /// There is no views database, or its place was not named.
    NotThere,
    /// It is of another release, and will be made anew.
    OtherSchema,
    /// What disagrees.
    Compared(Found),
}

impl Shown {
    async fn read(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(VIEWS_FILE);
        if !path.is_file() {
            return Ok(Self::NotThere);
        }
        let shown = Views::shown(&path).await;
        let shown = shown.or_unreadable(|| format!("Can't read {}", path.display()))?;
        Ok(shown.map_or(Self::OtherSchema, |shown| {
            let mut shown: Vec<_> = shown.into_iter().collect();
            shown.sort_unstable();
            Self::Entries(shown)
        }))
    }

    /// That the views show nothing that the log does not hold.
    fn compare(
        self,
        heads: &[(CollaborationId, u64)],
        wanted: Option<CollaborationId>,
    ) -> ViewsChecked {
        let shown = match self {
            Self::NotThere => return ViewsChecked::NotThere,
            Self::OtherSchema => return ViewsChecked::OtherSchema,
            Self::Entries(shown) => shown,
        };
        let mut found = Found::default();
        for (id, entries) in shown {
            if wanted.is_some_and(|wanted| wanted != id) {
                continue;
            }
            let size = heads.iter().find(|(head, _)| *head == id).map_or(0, |(_, size)| *size);
            if entries > size {
                found.add(format!(
                    "the views show {entries} entries of {id}, and the log has {size}"
                ));
            }
        }
        ViewsChecked::Compared(found)
    }
}

/// The keys that a server of the data folder has, if it was named.
type Keys<'a> = Option<&'a Keyring>;
