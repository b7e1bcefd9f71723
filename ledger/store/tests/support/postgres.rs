//! A PostgreSQL server of one's own, for tests and benchmarks: `#[path]`-include it.
//!
//! Needs the server's programs (`apt-get install postgresql`), on the `PATH`, in
//! `/usr/lib/postgresql/<version>/bin` or where `CHANCERY_POSTGRES_BIN` says. As root, which the
//! server refuses to run as, it runs as the user `postgres` by `setpriv` (util-linux).
//!
//! The server listens on a socket in a temporary folder only. It goes when the value is dropped or
//! the process ends, however it ends: a watching shell stops it then and removes the folder.

#![allow(dead_code, reason = "not every includer uses all of it")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

const MISSING: &str = "these tests need the programs of a PostgreSQL server, version 15 or newer, \
                       and found none: apt-get install postgresql";

/// How a server is stopped.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// In order.
    Fast,
    /// As in a crash (SIGQUIT): the next start recovers from the write-ahead log.
    Immediate,
}

/// A running server.
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    as_user: Option<&'static str>,
    databases: AtomicU32,
    watch: Child,
}

impl Server {
    /// Makes a server and starts it. Panics, with what is missing, if it can't.
    pub fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("chancery-postgres").tempdir().unwrap();
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| {
            use std::os::unix::fs::MetadataExt as _;
            own.uid() == 0
        });
        let as_user = root.then_some("postgres");
        if let Some(user) = as_user {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
                .unwrap();
            let own = Command::new("chown").arg(user).arg(folder.path()).status();
            assert!(own.is_ok_and(|own| own.success()), "there is no user {user}: {MISSING}");
        }
        let watch = watch(folder.path());
        let server = Self { folder, programs, as_user, databases: AtomicU32::new(0), watch };
        server.run(
            "initdb",
            &["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "-D"],
            &[],
        );
        let mut settings = std::fs::OpenOptions::new()
            .append(true)
            .open(server.data().join("postgresql.conf"))
            .unwrap();
        writeln!(
            settings,
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 300",
            server.folder.path().display()
        )
        .unwrap();
        server.resume();
        server
    }

    /// Starts the server again after [`Server::stop`].
    pub fn resume(&self) {
        let log = self.folder.path().join("log");
        self.run(
            "pg_ctl",
            &["start", "--wait", "--timeout=120", "--silent", "-l", log.to_str().unwrap(), "-D"],
            &[],
        );
    }

    /// Stops the server; its data stays.
    pub fn stop(&self, how: Stop) {
        let mode = match how {
            Stop::Fast => "--mode=fast",
            Stop::Immediate => "--mode=immediate",
        };
        self.run("pg_ctl", &["stop", "--wait", "--timeout=120", "--silent", mode, "-D"], &[]);
    }

    /// Makes a database and returns its URL.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let output = self
            .command("createdb")
            .args(["--username=postgres", "--host"])
            .arg(self.folder.path())
            .arg(&name)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.url(&name)
    }

    /// The URL of a database of this server.
    pub fn url(&self, database: &str) -> String {
        // The path may hold nothing that a URL's query can't.
        format!("postgres:///{database}?user=postgres&host={}", self.folder.path().display())
    }

    /// Where the server keeps its files.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str], more: &[&str]) {
        // No pipe: the server would hold its other end, and reading it would never end.
        let errors = self.folder.path().join("errors");
        let status = self
            .command(program)
            .args(arguments)
            .arg(self.data())
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&errors).unwrap())
            .status();
        let Ok(status) = status else { panic!("{MISSING} ({program} doesn't run)") };
        if !status.success() {
            let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
            let log = read(self.folder.path().join("log"));
            panic!("{program} failed: {}\n{log}", read(errors));
        }
    }

    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.as_user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .args([&format!("--reuid={user}"), &format!("--regid={user}")])
                    .args(["--init-groups", "--"])
                    .arg(program);
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closes the watch's input: it stops the server and removes the folder.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

/// A shell that waits for its input to end, which it does with this process at the latest, and
/// then stops the server.
fn watch(folder: &Path) -> Child {
    let script = r#"
        trap '' INT TERM HUP
        cat > /dev/null
        if [ -f "$0/data/postmaster.pid" ]; then
            server=$(head -n 1 "$0/data/postmaster.pid")
            kill -QUIT "$server"
            while kill -0 "$server" 2> /dev/null; do sleep 0.05; done
        fi
        rm -rf "$0"
    "#;
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("CHANCERY_POSTGRES_BIN") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |version: u32| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    let all = ["initdb", "pg_ctl", "postgres", "createdb"];
    std::env::split_paths(&path)
        .chain((15..=30).map(installed))
        .find(|folder| all.iter().all(|program| folder.join(program).is_file()))
        .unwrap_or_else(|| panic!("{MISSING}"))
}
