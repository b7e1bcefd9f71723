//! What the append is compared with: each writes the same sealed bytes, on disk before it answers.

pub mod jetstream;
pub mod postgres;
pub mod sqlite;

#[path = "../../../ledger/store/tests/support/postgres.rs"]
#[allow(clippy::missing_panics_doc, missing_docs, reason = "the store's own test support")]
pub mod server;
