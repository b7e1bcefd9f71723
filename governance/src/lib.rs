//! The rules, without I/O: events, state, decide and evolve, SQL analysis.
//!
//! Reaches no tokio, sqlx, network or clock: `tests/tests/arrows.rs` holds it.

pub mod authorise;
pub mod binding;
pub mod command;
pub mod consent;
pub mod dataset;
pub mod decide;
pub mod event;
pub mod log;
pub mod member;
pub mod query;
pub mod readiness;
pub mod reason;
pub mod replay;
pub mod run;
pub mod sql;
pub mod state;
pub mod subject;
pub mod submission;
pub mod wire;
