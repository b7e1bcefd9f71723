//! NATS JetStream with `sync_interval: always`: each message is synced before it is acknowledged.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::report::{Sample, Timer};

/// Messages that wait for their acknowledgement at the same time.
pub const IN_FLIGHT: usize = 512;
/// How long the server may take to come up.
const START_MAX: Duration = Duration::from_secs(20);

/// A server with a stream.
pub struct Peer {
    server: Child,
    context: jetstream::Context,
    _folder: TempDir,
}

/// A `nats-server` that can sync always, or why there is none.
///
/// # Errors
///
/// Where none is found.
pub fn program(folder: &Path) -> Result<PathBuf> {
    let named = std::env::var_os("CHANCERY_NATS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = named.into_iter().chain(
        std::env::split_paths(&path)
            .chain([PathBuf::from("/usr/sbin")])
            .map(|folder| folder.join("nats-server")),
    );
    let config = folder.join("can-sync.conf");
    std::fs::write(&config, configuration(folder))?;
    let can_sync = |program: &PathBuf| {
        let test = Command::new(program).arg("-t").arg("-c").arg(&config).output();
        test.is_ok_and(|output| output.status.success())
    };
    programs.into_iter().find(can_sync).context(
        "no nats-server here can sync always (`sync_interval: always`, version 2.10 and newer; \
         Debian 12 has 2.9): put one on the PATH or name it in CHANCERY_NATS_SERVER",
    )
}

fn configuration(folder: &Path) -> String {
    let folder = folder.join("jetstream");
    format!("jetstream {{ store_dir: \"{}\", sync_interval: always }}\n", folder.display())
}

impl Peer {
    /// Starts `program` with its files in a folder under `folder`, and makes the stream.
    ///
    /// # Errors
    ///
    /// Where the server does not come up.
    pub async fn start(program: &Path, folder: &Path) -> Result<Self> {
        let folder = tempfile::tempdir_in(folder)?;
        let config = folder.path().join("server.conf");
        std::fs::write(&config, configuration(folder.path()))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let stop = Stop(Some(server));
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(begun.elapsed() < START_MAX, "nats-server did not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let client = async_nats::connect(format!("127.0.0.1:{port}")).await?;
        let context = jetstream::new(client);
        context
            .create_stream(stream::Config {
                name: "LOG".to_owned(),
                subjects: vec!["log".to_owned()],
                storage: stream::StorageType::File,
                ..stream::Config::default()
            })
            .await?;
        let server = stop.keep().context("a server")?;
        Ok(Self { server, context, _folder: folder })
    }

    /// Publishes `messages` in turn for `time`, each acknowledged. Gives messages a second.
    ///
    /// # Errors
    ///
    /// Where one is not acknowledged.
    pub async fn publish(&self, messages: &[Bytes], time: Duration) -> Result<Sample> {
        let messages: Arc<[Bytes]> = messages.into();
        let (next, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let mut publishers = JoinSet::new();
        let timer = Timer::start();
        for _ in 0..IN_FLIGHT {
            let (context, messages, next) =
                (self.context.clone(), Arc::clone(&messages), Arc::clone(&next));
            publishers.spawn(async move {
                while begun.elapsed() < time {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let at = usize::try_from(number)? % messages.len();
                    context.publish("log", messages[at].clone()).await?.await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = publishers.join_next().await {
            done??;
        }
        Ok(timer.rate(next.load(Ordering::Relaxed)))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Stops a server that did not come up.
struct Stop(Option<Child>);

impl Stop {
    fn keep(mut self) -> Option<Child> {
        self.0.take()
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if let Some(server) = &mut self.0 {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
