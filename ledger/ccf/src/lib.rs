#![doc = include_str!("../README.md")]

pub mod certificate;
pub mod chunk;
pub mod cose;
pub mod endorsement;
pub mod entry;
pub mod key;
pub mod leaf;
pub mod ledger;
pub mod mirror;
pub mod receipt;
pub mod snapshot;
pub mod tree;
pub mod txid;
pub mod verdict;
