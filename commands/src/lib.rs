//! chancery-commands

pub mod dev_issuer;
pub mod identity;
pub mod problem;
