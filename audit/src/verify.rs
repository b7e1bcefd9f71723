//! The checks, in order: those of the header, of each entry as it comes, of the end.

mod agreement;
mod entry;
mod mirror;
mod opened;
mod partial;
mod pipeline;
mod tree;
mod verdict;
mod whole;

use std::io::Read;
use std::num::NonZero;
use std::thread;

use chancery_ccf::certificate::Certificate;
use chancery_ledger::batch::Seed;
use chancery_ledger::key::KeyId;
use chancery_ledger::note::Policy;

use crate::bundle::{Kind, Reader};
use crate::check::Verdict;
use crate::report::Report;
use crate::view::View;
use opened::Directory;
use pipeline::Known;
use verdict::unread;

/// What an auditor knows beforehand.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The id of a key of the service, the first one or any that came after it, from elsewhere than
    /// the bundle. Without it, a log that somebody
    /// made up with a key of their own verifies too.
    pub service_key: Option<KeyId>,
    /// Which witnesses must have cosigned the log, and how many of them.
    pub witnesses: Option<Policy>,
    /// Certificates of the services of mirrors, from elsewhere than the bundle. Where any is given,
    /// every receipt must be one of theirs, and there must be one. Without, receipts are verified
    /// under the certificate that the bundle brings, which may be anybody's.
    pub mirrors: Vec<Certificate>,
    /// What is asked for beyond the log at its end.
    pub view: View,
    /// On how many cores signatures are checked; by default on all. The verdict is the same.
    pub threads: Option<NonZero<usize>>,
    /// Bytes drawn at random for this run, which whoever made the bundle could not know: signatures
    /// are checked many at once. Without them, what the bundle holds stands in.
    pub seed: [u8; 32],
}

/// Reads a bundle to its end and runs every check; the first that fails is the verdict.
pub fn verify(bundle: impl Read, options: &Options) -> Report {
    audit(bundle, options).unwrap_or_else(|verdict| Report {
        verdict,
        contents: None,
        partial: None,
        standing: None,
    })
}

fn audit(bundle: impl Read, options: &Options) -> Result<Report, Verdict> {
    let mut reader = Reader::open(bundle).map_err(|error| unread(&error, 0))?;
    let header = reader.header().clone();
    let threads = options
        .threads
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZero::<usize>::MIN);
    let keys = Directory::new(Seed::new(options.seed));
    keys.add(header.service_key.clone());
    let known = Known { keys: &keys, mirrors: &options.mirrors };
    let (mut contents, mut partial) = (None, None);
    let standing = match reader.kind() {
        Kind::WholeLog => {
            let (told, standing) = whole::audit(&mut reader, header, known, threads, options)?;
            contents = Some(Box::new(told));
            standing
        }
        Kind::Partial(scope) => {
            let (told, standing) =
                partial::audit(&mut reader, header, scope, known, threads, options)?;
            partial = Some(Box::new(told));
            standing
        }
    };
    Ok(Report { verdict: Verdict::Verified, contents, partial, standing: Some(standing) })
}
