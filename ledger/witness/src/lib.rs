//! Witnesses of the log (<https://c2sp.org/tlog-witness>): parties that cosign a checkpoint when it
//! extends the last one that they saw, so that nobody can be shown another history.
//!
//! Both sides are here. A log's operator runs a [`Driver`], which asks witnesses by a [`Client`] for
//! each and keeps what they cosigned; it reads the log through [`Logs`] and never delays an append.
//! An organisation in a collaboration runs a witness of its own: [`Service`] and [`serve`].

mod backoff;
mod board;
mod client;
mod clock;
mod driver;
mod logs;
mod request;
mod server;
mod state;
mod status;
mod store;

pub use client::{Answer, Client, ClientError, FUTURE_SECONDS_MAX, RESPONSE_LEN_MAX};
pub use clock::{Clock, system as system_clock};
pub use driver::{Driver, Options, StatusHandle};
pub use logs::{InMemory, Logs, LogsError, Signed};
pub use request::{AddCheckpoint, BadRequest, PROOF_LINES_MAX, REQUEST_LEN_MAX};
pub use server::{READ_TIMEOUT, Service, router, serve};
pub use state::{Latest, State, StateError};
pub use status::{LogStatus, Status, WitnessLogStatus, WitnessStatus};
pub use store::forward_appends;
