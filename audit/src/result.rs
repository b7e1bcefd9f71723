//! Is this file the one that was attested?
//!
//! An attested result names each of its files by path, SHA-256 and length. A file is held against
//! the manifests of every run in a verified log, or in a verified part of one.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;

use crate::report::{Found, Report};

/// A file that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a log says of some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// Each file, in the order given.
    pub files: Vec<Checked>,
    /// The results that any of them is of, by run: how many of the result's files are here, and how
    /// many it has.
    pub of: BTreeMap<RunId, (u64, u64)>,
}

/// A file and where it was attested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The file.
    pub candidate: Candidate,
    /// The manifest entries with its digest and length; none if no run attests it.
    pub found: Vec<Found>,
}

impl Results {
    /// Whether each file was attested.
    pub fn attested(&self) -> bool {
        !self.files.is_empty() && self.files.iter().all(|file| !file.found.is_empty())
    }

    /// The exit code: 0 each was attested, 1 at least one was not.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.attested())
    }
}

/// Holds files against a log, or a part of one, whose [`crate::View::files`] were their digests;
/// none where it does not verify.
pub fn results(report: &Report, files: Vec<Candidate>) -> Option<Results> {
    let known = match (&report.contents, &report.partial) {
        (Some(contents), _) => &contents.found,
        (None, Some(part)) => &part.found,
        (None, None) => return None,
    };
    let mut here: BTreeMap<RunId, (BTreeSet<&str>, u64)> = BTreeMap::new();
    let files: Vec<_> = files
        .into_iter()
        .map(|candidate| {
            let same =
                |found: &&Found| found.digest == candidate.digest && found.bytes == candidate.bytes;
            let found: Vec<_> = known.iter().filter(same).collect();
            for one in &found {
                here.entry(one.run).or_insert((BTreeSet::new(), one.files)).0.insert(&one.path);
            }
            Checked { candidate, found: found.into_iter().cloned().collect() }
        })
        .collect();
    let of = here.into_iter().map(|(run, (paths, files))| (run, (paths.len() as u64, files)));
    Some(Results { files, of: of.collect() })
}
