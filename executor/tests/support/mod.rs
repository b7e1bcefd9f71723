//! A clean room in memory behind the service's HTTP API, and a scripted `spark-submit`.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod bench;
pub mod engine;
pub mod room;
pub mod service;
