//! The rules, from outside: given a log, when a command comes in, then these events or reasons.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../wire/samples.rs"]
#[allow(dead_code, reason = "one of each command is what this binary needs of it")]
mod wire_samples;

mod ability;
mod altered;
mod approval;
mod budget;
mod case;
mod change;
mod clean_room;
mod collaboration;
mod consent;
mod coverage;
mod dataset;
mod evolve;
mod invariants;
mod lifecycle;
mod member;
mod operator;
mod personal;
mod preverify;
mod privacy;
mod query;
mod readiness;
mod receivers;
mod remedy;
mod removal;
mod rule;
mod run;
mod secret;
mod service;
mod signed;
mod size;
