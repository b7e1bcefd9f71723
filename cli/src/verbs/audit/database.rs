//! The bundle straight from the service's database, which is only read.

use std::path::Path;
use std::process::ExitCode;

use chancery_audit::bundle::{Header, Writer};
use chancery_governance::event::Event;
use chancery_governance::{log, state};
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::CollaborationId;
use chancery_store::{Head, Store};

use super::export::{Exported, answer};
use super::landing::Landing;
use crate::client::clock::now_ms;
use crate::failure::{Failure, OrFail as _, Result};

/// Entries read at a time.
const PAGE: u32 = 256;
/// Most collaborations that are listed where none is named.
const LISTED_MAX: u32 = 20;

/// Writes the bundle of a log in a database.
///
/// # Errors
///
/// Where there is no such database or log, or the bundle can't be written.
pub async fn export(database: &str, collaboration: Option<&str>, file: &Path) -> Result<ExitCode> {
    let store = open(database).await?;
    let exported = write(&store, collaboration, file).await;
    store.close().await;
    exported
}

/// Opens a database to read it.
async fn open(database: &str) -> Result<Store> {
    if database.starts_with("postgres://") || database.starts_with("postgresql://") {
        // The address may hold a password: it is not repeated.
        return Err(Failure::refused(
            "database_unsupported",
            "Can't open the PostgreSQL database",
            "this build reads SQLite files only",
        ));
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

async fn write(store: &Store, wanted: Option<&str>, file: &Path) -> Result<ExitCode> {
    let id = match wanted {
        Some(text) => text.parse().map_err(|_| {
            let why = format!("{text:?} is no id; names are known to the service only");
            Failure::usage("collaboration_unclear", "Which collaboration is not clear", why)
                .with_hint("Name it by its id: --collaboration ID")
        })?,
        None => only(store).await?,
    };
    let failed = || "Can't read the log".to_owned();
    let head = store.head(id).await.or_unreadable(failed)?.ok_or_else(|| {
        let why = format!("no log of collaboration {id} is in it");
        Failure::refused("collaboration_not_found", "The database has no such log", why)
    })?;
    let (header, name) = header(store, id, &head).await?;
    let writing = || format!("Can't write {}", file.display());
    let mut writer = Writer::new(Landing::open(file)?, &header).or_unreadable(writing)?;
    let mut next = 0;
    while next < head.size {
        let left = u32::try_from(head.size - next).unwrap_or(PAGE).min(PAGE);
        let page = store.range(id, next, left).await.or_unreadable(failed)?;
        if page.is_empty() {
            let why = format!("its head says {} entries, and {next} are there", head.size);
            return Err(Failure::unreadable("The log is cut short", why));
        }
        for stored in &page {
            writer.push(&stored.sealed).or_unreadable(writing)?;
        }
        next += page.len() as u64;
    }
    let landing = writer.finish(&head.checkpoint).or_unreadable(writing)?;
    let bytes = landing.land()?;
    let (id, key) = (id.to_string(), header.service_key.id().to_string());
    answer(&Exported { file, bytes, id: &id, name: &name, key: &key })
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

/// The bundle's header, and the collaboration's name, by the log's first event.
async fn header(store: &Store, id: CollaborationId, head: &Head) -> Result<(Header, String)> {
    let failed = || "Can't read the log's first entry".to_owned();
    let first = store.range(id, 0, 1).await.or_unreadable(failed)?;
    let first = first
        .into_iter()
        .next()
        .ok_or_else(|| Failure::unreadable("The log is cut short", "its first entry is missing"))?;
    let sealed = Sealed::parse(first.sealed).or_unreadable(failed)?;
    let (_, event) = log::read(&sealed).or_unreadable(failed)?;
    let Event::CollaborationCreated(created) = event else {
        let why = format!("it is a {}", event.kind());
        return Err(Failure::unreadable("The log does not begin as one does", why));
    };
    let header = Header {
        collaboration: id,
        origin: state::origin(&created.service, id),
        service_key: created.service_key,
        size: head.size,
        exported_at_ms: now_ms(),
    };
    Ok((header, created.name))
}
