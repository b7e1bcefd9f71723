//! The rules, without I/O: events, state, decide and evolve, SQL analysis.

pub mod dataset;
