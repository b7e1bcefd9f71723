//! The HTTP API from outside: what it takes, what it refuses and how, what it leaves in the log.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod agreed;
mod bodies;
mod bundle;
mod contract;
mod headers;
mod invitations;
mod lineage;
mod log;
mod mirror;
mod personal;
mod privacy;
mod queries;
mod reports;
mod rotation;
mod runs;
mod secrets;
mod signatures;
mod strangers;
mod tiles;
mod tokens;
mod transport;
mod usage;
mod views;
mod writers;
mod writing;
