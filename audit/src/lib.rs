//! Offline verification of a collaboration's log: bundle, verifier, report.
//!
//! - [`bundle`]: the file that an auditor gets, written and read as a stream
//! - [`partial`]: bundles of a part of a log, and which part
//! - [`check`]: what is checked, by name, and the four verdicts
//! - [`verify`](fn@verify): runs every check and says which fails first, where and why
//! - [`report`]: what a verified log says, and what of it rests on whose word
//! - [`standing`]: the keys and witnesses that stand behind it
//! - [`render`]: the report as text and as JSON
//!
//! Reaches no network, file system, clock or randomness: readers and writers come in.

pub mod bundle;
pub mod check;
mod collect;
pub mod partial;
pub mod render;
pub mod report;
pub mod standing;
mod verify;

pub use check::{Check, Verdict};
pub use report::Report;
pub use verify::{Options, verify};
