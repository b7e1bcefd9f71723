//! The client: profile, sign-in, HTTP, names, signatures. What it asks of whom is in `verbs`.

pub mod clock;
pub mod http;
pub mod key_file;
pub mod login;
pub mod names;
pub mod profile;
pub mod room;
pub mod session;
pub mod sign;
pub mod views;
