//! Offline verification of a collaboration's log: bundle, verifier, report.
//!
//! - [`bundle`]: the file that an auditor gets, written and read as a stream
//! - [`partial`]: bundles of a part of a log, and which part
//! - [`check`]: what is checked, by name, and the four verdicts
//! - [`verify`](fn@verify): runs every check and says which fails first, where and why
//! - [`report`]: what a verified log says, and what of it rests on whose word
//! - [`standing`]: the keys and witnesses that stand behind it
//! - [`view`]: what is asked for beyond that: a moment, a place in the lists, result files
//! - [`diff`](fn@diff): what stands between two bundles
//! - [`result`]: whether a file is the one that was attested
//! - [`render`]: all of that as text and JSON, the report as a page to print
//!
//! Reaches no network, file system, clock or randomness: readers and writers come in.

pub mod bundle;
pub mod check;
mod collect;
pub mod diff;
pub mod partial;
pub mod render;
pub mod report;
pub mod result;
pub mod standing;
mod verify;
pub mod view;

pub use check::{Check, Verdict};
pub use diff::diff;
pub use report::Report;
pub use result::results;
pub use verify::{Options, verify};
pub use view::{Moment, View};
