//! The bundle straight from the service's database, which is only read.

use std::path::Path;
use std::process::ExitCode;

use chancery_audit::partial::Scope;
use chancery_commands::export::{Export, ExportError, Wanted};
use chancery_ledger::id::CollaborationId;
use chancery_store::Store;

use super::export::{Exported, answer};
use super::landing::Landing;
use crate::client::clock::now_ms;
use crate::failure::{Failure, OrFail as _, Result};

/// Most collaborations that are listed where none is named.
const LISTED_MAX: u32 = 20;

/// Writes the bundle of a log in a database, or of a part of one.
///
/// # Errors
///
/// Where there is no such database or log, or the bundle can't be written.
pub async fn export(
    database: &str,
    collaboration: Option<&str>,
    scope: Option<Scope>,
    file: &Path,
) -> Result<ExitCode> {
    let store = open(database).await?;
    let exported = write(&store, collaboration, scope, file).await;
    store.close().await;
    exported
}

/// Opens a database to read it.
async fn open(database: &str) -> Result<Store> {
    if database.starts_with("postgres://") || database.starts_with("postgresql://") {
        // The address may hold a password: it is not repeated.
        let opened = Store::connect_to_read(database).await;
        return opened.or_unreadable(|| "Can't read the PostgreSQL database".to_owned());
    }
    let path = Path::new(database);
    if !path.is_file() {
        return Err(Failure::unreadable(
            format!("There is no database at {database}"),
            "no such file; none is created",
        )
        .with_hint("Name the log's file in the server's data folder: --database DIR/log.db"));
    }
    let failed = || format!("Can't read the database {database}");
    Store::open_to_read(path).await.or_unreadable(failed)
}

async fn write(
    store: &Store,
    collaboration: Option<&str>,
    scope: Option<Scope>,
    file: &Path,
) -> Result<ExitCode> {
    let id = match collaboration {
        Some(text) => text.parse().map_err(|_| {
            let why = format!("{text:?} is no id; names are known to the service only");
            Failure::usage("collaboration_unclear", "Which collaboration is not clear", why)
                .with_hint("Name it by its id: --collaboration ID")
        })?,
        None => only(store).await?,
    };
    let wanted = Wanted {
        collaboration: id,
        scope,
        // This process does nothing else.
        chosen_of_max: u64::MAX,
        exported_at_ms: now_ms(),
    };
    let export = Export::begin(store, &wanted).await.or_else(|error| failed(id, error))?;
    let (name, key) = (export.name().to_owned(), export.header().service_key.id().to_string());
    let mut landing = Landing::open(file)?;
    let mut left = Some(export);
    while let Some(export) = left {
        let (bytes, rest) = export.chunk().await.or_else(|error| failed(id, error))?;
        landing.push(&bytes)?;
        left = rest;
    }
    let (bytes, id) = (landing.land()?, id.to_string());
    answer(&Exported { file, bytes, id: &id, name: &name, scope, key: &key })
}

fn failed<T>(id: CollaborationId, error: ExportError) -> Result<T> {
    match error {
        ExportError::NoLog => {
            let why = format!("no log of collaboration {id} is in it");
            Err(Failure::refused("collaboration_not_found", "The database has no such log", why))
        }
        ExportError::NotFound(scope) => {
            let code = match scope {
                Scope::Query(_) => "query_not_found",
                Scope::Run(_) => "run_not_found",
                Scope::Member(_) => "member_not_found",
            };
            let why = format!("nothing in it is about {scope}");
            Err(Failure::refused(code, "The log has no such part", why))
        }
        error => Err(error).or_unreadable(|| "Can't export the log".to_owned()),
    }
}

/// The only log of a database.
async fn only(store: &Store) -> Result<CollaborationId> {
    let failed = || "Can't read the database".to_owned();
    let heads = store.heads(None, LISTED_MAX + 1).await.or_unreadable(failed)?;
    match heads.as_slice() {
        [] => Err(Failure::refused(
            "collaboration_not_found",
            "The database has no log",
            "nothing was ever appended to it",
        )),
        [(id, _)] => Ok(*id),
        many => {
            let shown = many.iter().take(LISTED_MAX as usize);
            let shown: Vec<_> = shown.map(|(id, size)| format!("{id} ({size} entries)")).collect();
            let more = if many.len() > shown.len() { ", and more" } else { "" };
            let why = format!("it has the logs {}{more}", shown.join(", "));
            let what = "Which collaboration is not clear";
            Err(Failure::usage("collaboration_unclear", what, why)
                .with_hint("Name it by its id: --collaboration ID"))
        }
    }
}
