//! Read models of the log: one pure fold and one table set a view, and the driver that follows it.
//!
//! - [`Rows`] is the fold: events in, rows out, without a database.
//! - [`Views`] is the database of the rows and its query API.
//! - [`Projector`] follows the log; a batch's rows and its cursor move in one transaction.
//! - [`rebuild`] makes all rows anew from the log while readers go on.
//!
//! Views show; they decide nothing. What is legal is checked in full by whoever writes and whoever
//! audits; here an entry that cannot be read, does not continue the chain or does not fit the rows
//! stops its collaboration's views. This crate never imports `commands` or `executor`.

// The story that the tests tell names the crate as they do.
#[cfg(test)]
extern crate self as chancery_projections;

mod advance;
mod ahead;
pub mod changes;
mod charges;
pub mod collaborations;
pub mod datasets;
pub mod document;
mod fold;
mod halt;
mod marks;
pub mod members;
mod mirror;
mod moment;
mod open;
mod projector;
pub mod queries;
mod read;
mod rebuild;
pub mod rules;
pub mod runs;
mod schema;
mod search;
pub mod secrets;
mod tables;
mod task;
mod views;

pub use advance::BATCH_ENTRIES_MAX;
pub use changes::ChangeView;
pub use charges::Charge;
pub use collaborations::CollaborationView;
pub use datasets::DatasetView;
pub use fold::{Illegal, Rows};
pub use halt::{Corrupt, Halt, ProjectError};
pub use marks::Mark;
pub use members::{InvitationView, MemberView};
pub use moment::Moment;
pub use open::OpenError;
pub use projector::{Projector, SWEEP_INTERVAL};
pub use queries::QueryView;
pub use read::{PAGE_DEFAULT, PAGE_MAX, Page, PageRequest};
pub use rebuild::{Rebuilt, rebuild};
pub use rules::RuleView;
pub use runs::RunView;
pub use schema::VERSION as SCHEMA_VERSION;
pub use search::{Membership, OpenInvitation};
pub use secrets::{HandedOut, SecretView, ServiceKeysView};
pub use views::{Health, Views, ViewsError};
