//! The mirror of the logs in a CCF network (`docs/wire/mirror.md`): what the log's operator runs.
//!
//! A [`Driver`] follows the logs by position and sends them on in batches; it waits until a batch is
//! committed, verifies the receipt against the service certificate that it was given, and keeps it.
//! It delays no append, resumes from the other side's own head, and stops, loudly, where the two
//! histories differ.
//!
//! The other side is a port, [`MirrorLedger`], with two implementations under one contract
//! (`tests/contract.rs`): [`Ccf`] over HTTPS, and [`InsecureVirtual`], which runs in this process,
//! gives receipts of the same format under an identity that it made itself, and proves nothing.

mod backoff;
mod batch;
mod ccf;
mod driver;
mod follower;
mod logs;
mod port;
mod status;
mod store;
mod virtual_ledger;

pub use batch::{BATCH_LEN_MAX, Batch, ENTRIES_MAX};
pub use ccf::{Ccf, Config, ConfigError, Credentials};
pub use driver::Driver;
pub use follower::{Divergence, Options};
pub use logs::{InMemory, Logs, LogsError, Mirrored, Signed};
pub use port::{Accepted, Head, Kind, LedgerError, MirrorLedger, Refusal, Standing};
pub use status::{LogStatus, State, StatusHandle};
pub use store::{StoredLogs, forward_appends};
pub use virtual_ledger::{InsecureVirtual, OpenError, pem};
