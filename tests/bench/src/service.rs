//! The command service in this process, over a log on disk, with rooms whose members have keys and
//! lanes of commands to send (`crate::room`). Without HTTP and tokens: what is measured begins
//! where a handler calls [`execute`].

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use chancery_commands::caller::Caller;
use chancery_commands::clock;
use chancery_commands::execute::{CommandHeaders, Incoming, execute};
use chancery_commands::identity::{VerifiedIdentity, Verifier};
use chancery_commands::keyring::Keyring;
use chancery_commands::logs::Logs;
use chancery_commands::reply::Reply;
use chancery_commands::writer::Writers;
use chancery_commands::{App, Parts};
use chancery_governance::wire::v1;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CommandId;
use chancery_ledger::merkle::Growth;
use chancery_ledger::note::Checkpoint;
use chancery_projections::{Projector, Views};
use chancery_store::{Append, BATCH_ENTRIES_MAX, NewEntry, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::report::{Sample, Timer};
use crate::room::{self, Lane, Room, SERVICE, Signed};

/// A service with rooms.
pub struct Service {
    /// What carries commands out.
    pub app: App,
    /// The log.
    pub store: Store,
    rooms: Vec<Arc<Room>>,
    callers: Vec<Arc<Caller>>,
    /// Each lane with the place of its room.
    lanes: Vec<(usize, Lane)>,
    signed: u64,
}

/// A command ready to be sent.
pub struct Ready {
    caller: Arc<Caller>,
    incoming: Incoming,
}

impl Ready {
    /// The signed command.
    pub fn message(&self) -> &[u8] {
        self.incoming.headers.signature.as_deref().unwrap_or_default()
    }

    /// Has it carried out.
    ///
    /// # Errors
    ///
    /// Any problem that it is answered with.
    pub async fn send(self, app: &App) -> Result<Reply> {
        execute(app, &self.caller, self.incoming).await.map_err(|problem| anyhow!("{problem:?}"))
    }
}

impl Service {
    /// A service over `store` with `rooms` rooms that have `lanes` lanes in all, its views in
    /// `folder`.
    ///
    /// # Errors
    ///
    /// Where a part does not open, or a room can't be founded.
    pub async fn begin(store: Store, folder: &Path, rooms: u64, lanes: usize) -> Result<Self> {
        let key = Arc::new(room::service_key()?);
        let evidence = room::service_evidence(&key);
        let clock = clock::system();
        let views = Views::open(&folder.join("views.db")).await?;
        let logs = Logs::new(store.clone(), Keyring::new(Arc::clone(&key)), SERVICE.to_owned());
        let app = App::new(Parts {
            logs,
            writers: Writers::default(),
            mirror: None,
            views,
            verifier: Verifier::new(Vec::new(), reqwest::Client::new())?,
            executor: None,
            evidence,
            clock,
            trust: chancery_commands::trust::TrustKeys::generate()?,
            token_issuer: None,
        });
        let mut service = Self {
            app,
            store,
            rooms: Vec::new(),
            callers: Vec::new(),
            lanes: Vec::new(),
            signed: 0,
        };
        let count = usize::try_from(rooms)?;
        for number in 0..rooms {
            // Three lanes a dataset; the same number to each member.
            let datasets = (lanes / count).div_ceil(3).next_multiple_of(room::MEMBERS);
            service.found(number, datasets).await?;
        }
        Ok(service)
    }

    async fn found(&mut self, number: u64, datasets: usize) -> Result<()> {
        let room = Room::founded(number, datasets, (self.app.clock)())?;
        append(&self.store, &room).await?;
        if self.callers.is_empty() {
            self.callers = room.members.iter().map(|member| Arc::new(caller(member))).collect();
        }
        // By way of the service, so that it holds the keys as one does that has been running.
        for (place, caller) in self.callers.iter().enumerate() {
            let (subject, register) = room.registration(place);
            let incoming = Incoming {
                collaboration: room.id,
                subject,
                action: "member.register-key",
                content: v1::encode_command(&register.into()),
                email: None,
                sealed: None,
                headers: CommandHeaders {
                    command: CommandId::new(Uuid::from_u128(
                        0x0193_2b6c_7d3a_7fff_8000_0000_0000_0000 | place as u128,
                    )),
                    signature: None,
                    if_match: None,
                    wait_s: None,
                },
            };
            let reply = execute(&self.app, caller, incoming).await;
            reply.map_err(|problem| anyhow!("a key is not registered: {problem:?}"))?;
        }
        let at = self.rooms.len();
        self.lanes.extend(room.lanes().into_iter().map(|lane| (at, lane)));
        self.rooms.push(Arc::new(room));
        Ok(())
    }

    /// Follows the log with the views from now on, as a running service does.
    pub fn follow(&self) {
        let projector = Projector::new(self.store.clone(), self.app.views.clone());
        tokio::spawn(async move { projector.run(std::future::pending()).await });
    }

    /// Signs `count` commands or a few more, the same number for each lane, on all cores. Gives
    /// them by lane, in the order in which each lane must send them.
    ///
    /// # Errors
    ///
    /// Where a thread dies.
    pub fn sign(&mut self, count: u64) -> Result<Vec<Vec<Ready>>> {
        let lanes = self.lanes.len() as u64;
        let each = count.div_ceil(lanes).max(1);
        let first = self.signed;
        self.signed += each * lanes;
        let now_ms = (self.app.clock)();
        let cores = std::thread::available_parallelism()?.get();
        let share = self.lanes.len().div_ceil(cores);
        let (rooms, callers) = (&self.rooms, &self.callers);
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (part, share_of_lanes) in self.lanes.chunks_mut(share).enumerate() {
                let begin = first + (part * share) as u64;
                threads.push(scope.spawn(move || {
                    let mut all = Vec::with_capacity(share_of_lanes.len());
                    for (lane_number, (room, lane)) in (begin..).zip(share_of_lanes) {
                        let (room, caller) = (&rooms[*room], &callers[lane.member]);
                        // As UUIDv7s do, ids ascend in the order in which commands are sent.
                        let one = (0..each).map(|turn| {
                            let number = lane_number + turn * lanes;
                            ready(room, caller, room.signed(lane, 0, number, now_ms))
                        });
                        all.push(one.collect::<Vec<_>>());
                    }
                    all
                }));
            }
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            let parts: Result<Vec<_>, _> = joined.collect();
            Ok(parts
                .map_err(|_| anyhow!("a thread that signs died"))?
                .into_iter()
                .flatten()
                .collect())
        })
    }

    /// Sends all of `commands`, each lane by a caller of its own that waits for every reply. Gives
    /// events a second.
    ///
    /// # Errors
    ///
    /// Where one is refused.
    pub async fn send_all(&self, commands: Vec<Vec<Ready>>) -> Result<Sample> {
        let count = commands.iter().map(|lane| lane.len() as u64).sum();
        let mut callers = JoinSet::new();
        let timer = Timer::start();
        for lane in commands {
            let app = self.app.clone();
            callers.spawn(async move {
                for command in lane {
                    let reply = command.send(&app).await?;
                    anyhow::ensure!(!reply.receipt.is_empty(), "a reply without a receipt");
                }
                Ok(())
            });
        }
        while let Some(done) = callers.join_next().await {
            done??;
        }
        Ok(timer.rate(count))
    }

    /// The first room.
    pub fn room(&self) -> Result<&Room> {
        self.rooms.first().map(AsRef::as_ref).context("a service with rooms")
    }
}

fn ready(room: &Room, caller: &Arc<Caller>, signed: Signed) -> Ready {
    let Signed { subject, action, command, content, message } = signed;
    let headers =
        CommandHeaders { command, signature: Some(message), if_match: None, wait_s: None };
    let incoming = Incoming {
        collaboration: room.id,
        subject,
        action,
        content,
        email: None,
        sealed: None,
        headers,
    };
    Ready { caller: Arc::clone(caller), incoming }
}

fn caller(member: &room::Member) -> Caller {
    let identity = VerifiedIdentity {
        issuer: member.identity.issuer.clone(),
        tenant: member.identity.tenant.clone(),
        subject: member.identity.subject.clone(),
        email: None,
        email_verified: false,
        name: None,
        key_id: "key-1".to_owned(),
        token_digest: Digest::of(b"a token"),
        expires_ms: u64::MAX,
    };
    Caller { identity, is_executor: false }
}

/// Appends a room's entries to an empty log.
async fn append(store: &Store, room: &Room) -> Result<()> {
    let mut tree = chancery_ledger::merkle::Frontier::default();
    for part in room.entries.chunks(BATCH_ENTRIES_MAX) {
        let leaves: Vec<_> = part.iter().map(chancery_ledger::entry::Sealed::leaf).collect();
        let growth = Growth::of(&tree, &leaves);
        let entries =
            part.iter().map(|it| NewEntry { sealed: it.bytes().to_vec(), leaf_hash: it.leaf() });
        let append = Append {
            collaboration: room.id,
            expected_size: tree.size(),
            entries: entries.collect(),
            nodes: growth.nodes().to_vec(),
            checkpoint: checkpoint_of(room, &growth),
            commands: Vec::new(),
            personal_keys: Vec::new(),
            erased: Vec::new(),
        };
        store.append(append).await?;
        tree = growth.frontier().clone();
    }
    Ok(())
}

/// The signed checkpoint over a room's tree.
pub fn checkpoint_of(room: &Room, growth: &Growth) -> String {
    Checkpoint {
        origin: chancery_governance::state::origin(SERVICE, room.id),
        size: growth.frontier().size(),
        root: growth.frontier().root(),
    }
    .sign(room.service())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_command_is_carried_out_once_and_in_its_room() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("log.db")).await.unwrap();
        let mut service = Service::begin(store, folder.path(), 2, 24).await.unwrap();
        let before = service.store.heads(None, 10).await.unwrap();
        assert_eq!(before.len(), 2);
        let mut sent = 0;
        // An odd number in each lane, twice: the second go begins with what restores.
        for _ in 0..2 {
            let commands = service.sign(72).unwrap();
            assert!(commands.iter().all(|lane| lane.len() == 3));
            sent += 3 * commands.len() as u64;
            service.send_all(commands).await.unwrap();
        }
        let after = service.store.heads(None, 10).await.unwrap();
        for ((id, before), (same, after)) in before.into_iter().zip(after) {
            assert_eq!((id, before + sent / 2), (same, after));
        }
    }
}
