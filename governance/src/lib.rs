//! The rules, without I/O: events, state, decide and evolve, SQL analysis.
//!
//! Reaches no tokio, sqlx, network or clock: `tests/tests/arrows.rs` holds it.

/// The version of these rules: what a command causes, and the text that a query is rewritten to.
///
/// A log names the version that it was begun under. A change that decides an old command
/// differently is a new version, and keeps the old one beside it.
pub const RULES: u64 = 1;

pub mod authorise;
pub mod binding;
pub mod budget;
pub mod calendar;
pub mod change;
pub mod clean_room;
pub mod command;
pub mod consent;
pub mod dataset;
pub mod decide;
pub mod decimal;
pub mod event;
pub mod log;
pub mod member;
pub mod privacy;
pub mod query;
pub mod readiness;
pub mod reason;
pub mod receivers;
pub mod remedy;
pub mod replay;
pub mod rule;
pub mod run;
pub mod secret;
pub mod sql;
pub mod state;
pub mod subject;
pub mod submission;
pub mod usage;
pub mod wire;
