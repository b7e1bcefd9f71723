//! Where a server's log is: a file in its data folder, or a PostgreSQL database.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chancery_store::{OpenError, Store};

use crate::failure::{Failure, OrFail as _, Result};

/// The log's database in a data folder.
pub const LOG_FILE: &str = "log.db";
/// The views' database in a data folder.
pub const VIEWS_FILE: &str = "views.db";
/// The environment variable with the URL of the log's database.
pub const URL_ENV: &str = "CHANCERY_DATABASE_URL";

/// The URL of a PostgreSQL database. It can hold a password, so nothing shows it: not the log, not
/// an error.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

impl FromStr for DatabaseUrl {
    /// Never on the command line: what can't be parsed is repeated there.
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl DatabaseUrl {
    fn checked(&self) -> Result<&str> {
        let schemes = ["postgres://", "postgresql://"];
        if schemes.iter().any(|scheme| self.0.starts_with(scheme)) {
            return Ok(&self.0);
        }
        let why = "it is not repeated here, because it can hold a password";
        Err(Failure::usage("database_unfit", "--database is no URL of PostgreSQL", why)
            .with_hint("postgres://USER@HOST/DATABASE, with the password in CHANCERY_DATABASE_URL"))
    }
}

/// Where the log is, for upkeep.
#[derive(Debug, Clone, clap::Args)]
pub struct Place {
    /// The server's data folder
    #[arg(long, value_name = "DIR", required_unless_present = "database")]
    pub data_dir: Option<PathBuf>,
    /// The log's PostgreSQL database, where it is not in the data folder
    ///
    /// Better given by `CHANCERY_DATABASE_URL`: command lines are seen by all.
    #[arg(long, value_name = "postgres://URL", env = URL_ENV, hide_env_values = true)]
    pub database: Option<DatabaseUrl>,
}

impl Place {
    /// What it is called in answers.
    pub fn name(&self) -> String {
        match (&self.database, &self.data_dir) {
            (None, Some(data_dir)) => data_dir.join(LOG_FILE).display().to_string(),
            _ => "the PostgreSQL database".to_owned(),
        }
    }

    /// Opens the log to read it; nothing is made or migrated.
    ///
    /// # Errors
    ///
    /// Where there is none, or it can't be opened.
    pub async fn open_to_read(&self) -> Result<Store> {
        match (&self.database, &self.data_dir) {
            (Some(url), _) => {
                let opened = Store::connect_to_read(url.checked()?).await;
                opened.or_unreadable(|| "Can't open the PostgreSQL database".to_owned())
            }
            (None, Some(data_dir)) => open_file_to_read(data_dir).await,
            (None, None) => Err(Failure::usage(
                "database_missing",
                "Which log is not clear",
                "neither --data-dir nor --database is given",
            )),
        }
    }
}

/// Opens the log in a data folder to read it; nothing is made or migrated.
///
/// # Errors
///
/// Where there is none, or it can't be opened.
pub async fn open_file_to_read(data_dir: &Path) -> Result<Store> {
    let path = data_dir.join(LOG_FILE);
    if !path.is_file() {
        let what = format!("{} holds no log", data_dir.display());
        return Err(Failure::unreadable(what, format!("there is no {}", path.display()))
            .with_hint(
                "Name the server's data folder; of a server on PostgreSQL, its database too \
                 (CHANCERY_DATABASE_URL).",
            ));
    }
    let opened = Store::open_to_read(&path).await;
    opened.or_unreadable(|| format!("Can't open {}", path.display()))
}

/// Opens the log of a server: its database, or the file in its data folder. Tables are made or
/// migrated where that is needed.
///
/// # Errors
///
/// Where it can't be opened.
pub async fn open(data_dir: &Path, database: Option<&DatabaseUrl>) -> Result<Store> {
    let opened: std::result::Result<Store, OpenError> = match database {
        Some(url) => Store::connect(url.checked()?).await,
        None => Store::open(&data_dir.join(LOG_FILE)).await,
    };
    opened.or_unreadable(|| "Can't open the log".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_never_shown() {
        let url: DatabaseUrl = "mysql://user:secret@host/db".parse().unwrap();
        let refused = url.checked().unwrap_err();
        assert!(!refused.text().contains("secret"), "{}", refused.text());
        assert!(!refused.document().to_string().contains("secret"));
        assert!(!format!("{url:?}").contains("secret"));
        for good in ["postgres://u:p@h/d", "postgresql:///d?host=/run"] {
            assert_eq!(good.parse::<DatabaseUrl>().unwrap().checked().unwrap(), good);
        }
    }

    #[tokio::test]
    async fn upkeep_makes_no_database() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { data_dir: Some(dir.path().to_owned()), database: None };
        let Err(refused) = place.open_to_read().await else { panic!("it opened") };
        assert!(refused.text().contains("holds no log"), "{}", refused.text());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
