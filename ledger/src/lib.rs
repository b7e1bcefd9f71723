//! The verifiable log, without I/O: codec, envelope, Merkle tree, checkpoints, keys.
//!
//! Reaches no tokio, sqlx, network or clock: `tests/tests/arrows.rs` holds it.

pub mod batch;
pub mod codec;
pub mod command;
pub mod cose;
pub mod digest;
pub mod entry;
pub mod id;
pub mod key;
pub mod merkle;
pub mod note;
pub mod receipt;
pub mod tile;
pub mod wire;
