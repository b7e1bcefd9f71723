//! PostgreSQL: `pgbench` itself, one insert a transaction, `synchronous_commit=on`, as the server
//! is by default.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::server::Server;
use crate::report::{Sample, Timer};

/// Clients of `pgbench`: enough that their commits share syncs.
pub const CLIENTS: u32 = 64;

/// A server with a table to insert into.
pub struct Peer {
    server: Server,
    program: PathBuf,
    script: tempfile::NamedTempFile,
    /// `payload=` and the bytes of an insert as PostgreSQL reads them.
    payload: String,
}

impl Peer {
    /// Starts a server and makes the table; `sealed` is what each insert writes.
    ///
    /// # Errors
    ///
    /// Where `pgbench` is missing or the table can't be made.
    pub fn start(sealed: &[u8]) -> Result<Self> {
        let program = program().context("there is no pgbench: apt-get install postgresql")?;
        let server = Server::start();
        let mut payload = String::from("payload=\\x");
        for byte in sealed {
            write!(payload, "{byte:02x}")?;
        }
        let script = tempfile::NamedTempFile::new()?;
        std::fs::write(script.path(), "INSERT INTO log (sealed) VALUES (:payload);\n")?;
        let peer = Self { server, program, script, payload };
        let table = "CREATE TABLE log (position bigserial PRIMARY KEY, sealed bytea NOT NULL)";
        let setup = tempfile::NamedTempFile::new()?;
        std::fs::write(setup.path(), format!("{table};\n"))?;
        peer.pgbench(setup.path(), &["-c", "1", "-t", "1"])?;
        Ok(peer)
    }

    /// Inserts for `time`, which is rounded up to seconds. Gives rows a second.
    ///
    /// # Errors
    ///
    /// Where `pgbench` fails.
    pub fn insert(&self, time: Duration) -> Result<Sample> {
        let seconds = time.as_secs_f64().ceil().max(1.0).to_string();
        let clients = CLIENTS.to_string();
        let timer = Timer::start();
        let load = ["-c", &clients, "-j", "2", "-T", &seconds, "-D", &self.payload];
        let said = self.pgbench(self.script.path(), &load)?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        Ok(timer.sample(rate.context("pgbench gave no rate")?.parse()?))
    }

    /// The URL of a fresh database of this server.
    pub fn database(&self) -> String {
        self.server.database()
    }

    fn pgbench(&self, script: &Path, arguments: &[&str]) -> Result<String> {
        let data = self.server.data();
        let Some(socket) = data.parent() else { bail!("a server without a folder") };
        // Prepared: the statement is planned once for each client, and the bytes go as a parameter.
        let output = Command::new(&self.program)
            .args(["-n", "-M", "prepared", "-U", "postgres", "-h"])
            .arg(socket)
            .arg("-f")
            .arg(script)
            .args(arguments)
            .arg("postgres")
            .output()?;
        let (said, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "pgbench failed: {errors}");
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

fn program() -> Option<PathBuf> {
    let named = std::env::var_os("CHANCERY_POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = (15..=30).map(|n| PathBuf::from(format!("/usr/lib/postgresql/{n}/bin")));
    let folders = named.into_iter().chain(installed).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join("pgbench")).find(|program| program.is_file())
}
