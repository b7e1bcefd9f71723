//! `chancery serve` beside an issuer of another process, and the verbs that need no server.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Background, Outcome, Person, Room, Shape, chancery, free_port, is_open, wait_until};

/// The service's name.
pub const NAME: &str = "ledger.example.com";
/// How long a server may take to come up.
const UP: Duration = Duration::from_mins(1);

/// A server that can be stopped and started again with other options, gone when dropped.
pub struct Served {
    /// Its folder.
    pub folder: TempDir,
    /// Options besides the usual.
    pub options: Vec<String>,
    /// The log's database, where it is not in the data folder.
    pub database: Option<String>,
    /// Its data folder.
    pub data_dir: PathBuf,
    issuer: Room,
    port: u16,
    server: Option<Background>,
}

impl Served {
    /// Starts the server.
    pub fn start(database: Option<String>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut served = Self {
            options: Vec::new(),
            database,
            data_dir: folder.path().join("chancery"),
            issuer: Room::start(Shape::ServerOnly),
            port: free_port(),
            server: None,
            folder,
        };
        served.resume();
        served
    }

    /// Starts the server again.
    pub fn resume(&mut self) {
        let mut command = Command::new(chancery());
        command.env_remove("CHANCERY_DATABASE_URL");
        if let Some(url) = &self.database {
            command.env("CHANCERY_DATABASE_URL", url);
        }
        command.args(["serve", "--name", NAME, "--tenant-claim", "tid"]);
        command.args(["--issuer", &self.issuer(), "--listen", &format!("127.0.0.1:{}", self.port)]);
        command.arg("--data-dir").arg(&self.data_dir).args(&self.options);
        let server = Background::start(&mut command, &self.folder.path().join("server.log"));
        let (port, server) = (self.port, self.server.insert(server));
        wait_until("the server is up", UP, || {
            assert!(server.is_alive(), "it ended: {}", server.said());
            is_open(port).then_some(())
        });
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.server.take().expect("the server is up").kill();
    }

    /// What it said so far, in all its lives.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// The issuer of its tokens.
    pub fn issuer(&self) -> String {
        format!("{}/dev/issuer", self.issuer.litware.server)
    }

    /// A profile of that name, not signed in.
    pub fn profile(&self, name: &str) -> Person {
        Person {
            profile: self.folder.path().join(name),
            server: format!("http://127.0.0.1:{}", self.port),
            collaboration: None,
        }
    }

    /// A profile of that name, signed in as Olivia of Litware.
    pub fn olivia(&self, name: &str) -> Person {
        let person = self.profile(name);
        person.does(&["login", "--as", "olivia@litware.example", "--issuer", &self.issuer()]);
        person
    }

    /// Runs a verb of operators on this server's data folder and database.
    pub fn operate(&self, arguments: &[&str]) -> Outcome {
        let data_dir = self.data_dir.to_str().expect("a path");
        let url = self.database.as_deref();
        offline(&[arguments, &["--data-dir", data_dir]].concat(), url)
    }
}

/// Runs a verb without a server, with `--output json`.
pub fn offline(arguments: &[&str], database: Option<&str>) -> Outcome {
    let mut command = Command::new(chancery());
    command.env_remove("CHANCERY_DATABASE_URL").env_remove("CHANCERY_COLLABORATION");
    if let Some(url) = database {
        command.env("CHANCERY_DATABASE_URL", url);
    }
    let output = command.args(["--output", "json"]).args(arguments).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{arguments:?} wrote no document: {said}\n{notes}"));
    Outcome { code: output.status.code().unwrap_or(-1), document, notes }
}
