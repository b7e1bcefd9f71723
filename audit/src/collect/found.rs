//! The files that were asked for, in attested manifests.

use chancery_governance::event::RunSucceeded;
use chancery_ledger::id::{QueryId, RunId};

use crate::report::{FOUND_MAX, Found, Listed, Stamp};
use crate::view::View;

/// Adds what `view` asks for of the manifest that a run of `query` attested.
pub fn look(
    found: &mut Listed<Found>,
    view: &View,
    (stamp, run, query): (Stamp, RunId, QueryId),
    event: &RunSucceeded,
) {
    if view.files_of.is_some_and(|wanted| wanted != run) {
        return;
    }
    let (result, manifest) = (&event.result, &event.result.manifest);
    for file in manifest.files.iter().filter(|file| view.files.contains(&file.digest)) {
        let one = Found {
            stamp,
            run,
            query,
            query_digest: result.query_digest,
            path: file.path.clone(),
            digest: file.digest,
            bytes: file.bytes,
            files: manifest.files.len() as u64,
            rows: manifest.rows,
            platform: event.platform,
            application: result.application,
        };
        found.push(one, FOUND_MAX);
    }
}
