//! Connecting: settings, checks, migrations.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{PgPool, Row as _};
use tokio::sync::{broadcast, mpsc};

use super::{Postgres, hints};
use crate::open::TABLES_READ;
use crate::{Appended, OpenError};

/// The oldest server that will do.
const VERSION_MIN: i32 = 150_000;
const READERS_MAX: u32 = 8;
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Settings of every connection. In the order of patience: a lock, a statement, a client that
/// doesn't go on with its transaction (milliseconds), a client that is gone (seconds).
const SETTINGS: [(&str, &str); 7] = [
    ("synchronous_commit", "on"),
    ("lock_timeout", "10000"),
    ("statement_timeout", "30000"),
    ("idle_in_transaction_session_timeout", "40000"),
    ("tcp_keepalives_idle", "20"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "4"),
];

impl Postgres {
    pub(crate) async fn connect(
        url: &str,
        here: broadcast::Sender<Appended>,
    ) -> Result<(Self, mpsc::Sender<Appended>), OpenError> {
        let options = options(url)?;
        let writer = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            // A broken one is seen at BEGIN, without asking first.
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(|error| OpenError::Database(error.into()))?;
        check(&writer).await?;
        // sqlx keeps others out meanwhile by an advisory lock.
        sqlx::migrate!("src/postgres/migrations")
            .run(&writer)
            .await
            .map_err(OpenError::Migration)?;
        let readers = readers(options);
        let (tasks, elsewhere) = hints::spawn(readers.clone(), here);
        Ok((Self { readers, writer: Some(writer), _hints: Some(tasks.into()) }, elsewhere))
    }

    pub(crate) async fn connect_to_read(url: &str) -> Result<Self, OpenError> {
        let options = options(url)?.options([("default_transaction_read_only", "on")]);
        let database = |error: sqlx::Error| OpenError::Database(error.into());
        let readers = PgPoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(database)?;
        // As the search path finds them; what their rows are is seen when they are read.
        let all: bool = sqlx::query_scalar(
            "SELECT BOOL_AND(to_regclass(name) IS NOT NULL) FROM UNNEST($1::text[]) AS name",
        )
        .bind(TABLES_READ.as_slice())
        .fetch_one(&readers)
        .await
        .map_err(database)?;
        if !all {
            return Err(OpenError::NoTables);
        }
        Ok(Self { readers, writer: None, _hints: None })
    }
}

/// Connections that only read.
fn readers(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options.options([("default_transaction_read_only", "on")]))
}

fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let mut options =
        PgConnectOptions::from_str(url).map_err(|error| OpenError::Url(error.into()))?;
    let local = options.get_socket().is_some()
        || ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&options.get_host())
        || options.get_host().starts_with('/');
    let chosen = ["sslmode=", "ssl-mode="].iter().any(|name| url.contains(name));
    if !local && !chosen {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    if options.get_application_name().is_none() {
        options = options.application_name("chancery");
    }
    Ok(options.options(SETTINGS))
}

/// That the server can keep the store's promises.
async fn check(pool: &PgPool) -> Result<(), OpenError> {
    let database = |error: sqlx::Error| OpenError::Database(error.into());
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int4, current_setting('fsync') = 'on',
                current_setting('full_page_writes') = 'on', pg_is_in_recovery()",
    )
    .fetch_one(pool)
    .await
    .map_err(database)?;
    if row.try_get::<i32, _>(0).map_err(database)? < VERSION_MIN {
        Err(OpenError::Unfit("it is older than version 15"))
    } else if !row.try_get::<bool, _>(1).map_err(database)? {
        Err(OpenError::Unfit("fsync is off"))
    } else if !row.try_get::<bool, _>(2).map_err(database)? {
        Err(OpenError::Unfit("full_page_writes is off"))
    } else if row.try_get::<bool, _>(3).map_err(database)? {
        Err(OpenError::Unfit("it is a standby"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_must_prove_its_name_unless_the_url_says_otherwise() {
        for (url, expected) in [
            ("postgres://u@db.example/log", PgSslMode::VerifyFull),
            ("postgres://u@db.example/log?sslmode=disable", PgSslMode::Disable),
            ("postgres://u@localhost/log", PgSslMode::Prefer),
            ("postgres://u@127.0.0.1:5433/log", PgSslMode::Prefer),
            ("postgres:///log?host=/run/postgresql", PgSslMode::Prefer),
        ] {
            let mode = options(url).unwrap().get_ssl_mode();
            assert_eq!(format!("{mode:?}"), format!("{expected:?}"), "{url}");
        }
        assert!(matches!(options("no url"), Err(OpenError::Url(_))));
    }
}
