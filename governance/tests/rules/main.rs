//! The rules, from outside: given a log, when a command comes in, then these events or reasons.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod altered;
mod case;
mod collaboration;
mod consent;
mod coverage;
mod dataset;
mod evolve;
mod invariants;
mod member;
mod operator;
mod preverify;
mod query;
mod readiness;
mod run;
mod signed;
mod size;
