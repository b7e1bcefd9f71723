//! Wire version 1 is frozen: `docs/wire/vectors/v1` holds its bytes, `docs/wire/v1.cddl` its grammar.
//!
//! `UPDATE_VECTORS=1` writes the files anew; that is for a version that nobody has released yet.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod cddl;
mod json;
mod rejects;
mod samples;
mod vectors;
