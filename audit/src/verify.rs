//! The checks, in order: those of the header, of each entry as it comes, of the end.

mod opened;
mod pipeline;
mod verdict;
mod whole;

use std::io::Read;
use std::num::NonZero;
use std::thread;

use chancery_ledger::key::KeyId;

use crate::bundle::{Kind, Reader};
use crate::check::{Check, Verdict};
use crate::report::{Contents, Report};
use opened::Directory;
use verdict::{tampered, unread};

/// What an auditor knows beforehand.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The id of the service's key, from elsewhere than the bundle. Without it, a log that somebody
    /// made up with a key of their own verifies too.
    pub service_key: Option<KeyId>,
    /// On how many cores signatures are checked; by default on all. The verdict is the same.
    pub threads: Option<NonZero<usize>>,
}

/// Reads a bundle to its end and runs every check; the first that fails is the verdict.
pub fn verify(bundle: impl Read, options: &Options) -> Report {
    match audit(bundle, options) {
        Ok(contents) => Report { verdict: Verdict::Verified, contents: Some(Box::new(contents)) },
        Err(verdict) => Report { verdict, contents: None },
    }
}

fn audit(bundle: impl Read, options: &Options) -> Result<Contents, Verdict> {
    let mut reader = Reader::open(bundle).map_err(|error| unread(&error, 0))?;
    let header = reader.header().clone();
    let key = header.service_key.id();
    if let Some(pinned) = options.service_key
        && pinned != key
    {
        let detail = format!("the header names the key {key}, not the expected {pinned}");
        return Err(tampered(Check::ServiceKey, None, detail));
    }
    let threads = options
        .threads
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZero::<usize>::MIN);
    let keys = Directory::default();
    keys.add(header.service_key.clone());
    match reader.kind() {
        Kind::WholeLog => whole::audit(&mut reader, header, &keys, threads, options),
        Kind::Partial(_) => Err(Verdict::Unreadable { detail: "partial".to_owned() }),
    }
}
