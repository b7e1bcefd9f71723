//! From verified entries, one by one, and the state that they add up to, to the report's contents.
//!
//! Whatever the log's size, each collection here ends at a bound of [`crate::report`], but for what
//! is kept of a query's votes: a few words for each query, of which the state holds far more.

mod agreed;
pub mod found;
mod moment;
mod release;
mod runs;
mod service_word;
mod state;
mod texts;
mod timeline;
mod unverified;
mod votes;

pub use unverified::unmirrored;

use std::collections::BTreeMap;

use chancery_governance::event::Event;
use chancery_governance::run::{Platform, Verdict};
use chancery_governance::state::query::{Proposal, Stage};
use chancery_governance::state::{Collaboration, State};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::QueryId;
use chancery_ledger::key::KeyId;
use chancery_ledger::merkle::Frontier;
use chancery_ledger::note::Checkpoint;

use crate::report::{By, Contents, Found, Listed, Service, Stamp};
use crate::report::{KEYS_MAX, QUERIES_MAX};
use crate::standing::{Mirrored, Witnessed};
use crate::view::View;

/// What the entries say that the state at the end does not hold any more.
#[derive(Debug, Default)]
pub struct Collector {
    view: View,
    times: Option<(u64, u64)>,
    keys: BTreeMap<KeyId, (u64, By)>,
    unnamed_first_key: bool,
    texts: texts::Texts,
    votes: votes::Votes,
    agreed: agreed::Agreed,
    runs: runs::Runs,
    releases: release::Releases,
    service_word: service_word::Words,
    timeline: timeline::Lines,
    moment: moment::Asked,
    found: Listed<Found>,
    insecure_virtual: bool,
}

/// What is known at the end.
pub struct Ending<'a> {
    pub state: &'a Collaboration,
    pub service: Verdict,
    pub pinned: bool,
    pub note: &'a str,
    pub checkpoint: Checkpoint,
    pub witnessed: Option<&'a Witnessed>,
    pub mirrored: Option<&'a Mirrored>,
    /// Signature lines on the notes beside the service's own.
    pub cosignatures: usize,
    pub exported_at_ms: u64,
}

/// An entry that was verified, for those that collect from it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    sealed: &'a Sealed,
    stamp: Stamp,
    subject: Subject,
    event: &'a Event,
    /// The state that it led to.
    state: &'a Collaboration,
    /// Whether it stands where the lists begin, or after.
    listed: bool,
}

impl Seen<'_> {
    /// By what right it stands there. Reads the signed command again: for entries that are kept.
    fn by(&self) -> By {
        By::of(self.sealed.entry())
    }
}

impl Collector {
    /// A collector of what `view` asks for.
    pub fn new(view: View) -> Self {
        Self {
            timeline: timeline::Lines::new(view.from),
            moment: moment::Asked::new(view.at),
            view,
            ..Self::default()
        }
    }

    /// Takes the log as it is before an entry: `sealed` comes next, and is not verified yet.
    pub fn before(&mut self, sealed: &Sealed, tree: &Frontier, state: &State) {
        let entry = sealed.entry();
        if entry.position == self.view.from {
            self.timeline.begins_after(tree);
        }
        self.moment.before(entry.position, entry.time_ms, state);
    }

    /// Takes an entry that was verified, and the state that it led to.
    pub fn record(&mut self, sealed: &Sealed, subject: Subject, event: &Event, state: &State) {
        let entry = sealed.entry();
        let stamp = Stamp { position: entry.position, time_ms: entry.time_ms };
        self.times = Some((self.times.map_or(stamp.time_ms, |(first, _)| first), stamp.time_ms));
        let State::Present(state) = state else { return };
        let listed = stamp.position >= self.view.from;
        let seen = Seen { sealed, stamp, subject, event, state, listed };
        self.service_word.record(&seen);
        self.timeline.record(&seen);
        self.texts.record(&seen);
        self.votes.record(&seen);
        self.agreed.record(&seen);
        self.releases.record(&seen);
        self.runs.record(&seen);
        match event {
            Event::SigningKeyRegistered(event) => self.key(&seen, event.key.id()),
            Event::RunAdmitted(event) => {
                self.insecure_virtual |= event.platform == Platform::InsecureVirtual;
            }
            Event::RunSucceeded(_) => self.files(&seen),
            _ => {}
        }
    }

    fn key(&mut self, seen: &Seen<'_>, key: KeyId) {
        let Subject::Member(member) = seen.subject else { return };
        let named =
            seen.state.members.get(&member).is_some_and(|member| member.invited_key == Some(key));
        let by = seen.by();
        self.unnamed_first_key |= by == By::ServiceWitnessed && !named;
        if self.keys.len() < KEYS_MAX {
            self.keys.insert(key, (seen.stamp.position, by));
        }
    }

    /// Looks for the files that were asked for in an attested manifest.
    fn files(&mut self, seen: &Seen<'_>) {
        let (Subject::Run(run), Event::RunSucceeded(event)) = (seen.subject, seen.event) else {
            return;
        };
        let Some(query) = seen.state.runs.get(&run).map(|run| run.query) else { return };
        found::look(&mut self.found, &self.view, (seen.stamp, run, query), event);
    }

    /// The contents of the report.
    pub fn contents(mut self, ending: Ending<'_>) -> Contents {
        let state = ending.state;
        let hardware =
            !self.insecure_virtual && chancery_attestation::service::is_hardware(&ending.service);
        let service_word = self.service_word.told();
        let not_checked = unverified::list(&unverified::Known {
            ending: &ending,
            hardware,
            unnamed_first_key: self.unnamed_first_key,
            service_word: &service_word,
        });
        let (first_time_ms, last_time_ms) = self.times.unwrap_or_default();
        // Before the votes are given away: those that stood are found among them.
        let at = self.moment.told(state, &self.votes);
        let queries = state.queries.iter();
        let (bound, bound_left_out) = self.texts.told();
        let (releases, secrets, code) = self.releases.told();
        let (changes, rules) = self.agreed.told(state);
        Contents {
            hardware,
            collaboration: state.id,
            name: state.name.clone(),
            terms: state.terms.clone(),
            lifecycle: state.lifecycle.clone(),
            service: Service {
                name: state.service.clone(),
                // The first one: whose log it is. Those after it stand in `Standing`.
                key: state.service_keys.first().map_or(&state.service_key, |(_, key)| key).clone(),
                pinned: ending.pinned,
                platform: ending.service.platform,
                measurement: ending.service.measurement,
            },
            checkpoint: ending.checkpoint,
            note: ending.note.to_owned(),
            first_time_ms,
            last_time_ms,
            exported_at_ms: ending.exported_at_ms,
            members: state::members(state, &self.keys),
            datasets: state::datasets(state),
            queries: Listed::of(
                queries.map(|(id, query)| self.votes.query(*id, query)),
                QUERIES_MAX,
            ),
            changes,
            rules,
            bound,
            bound_left_out,
            runs: self.runs.told(state),
            code,
            releases,
            secrets,
            marks: state::marks(state),
            service_word,
            timeline: self.timeline.told(),
            at,
            found: self.found,
            not_checked,
        }
    }
}

/// What was proposed of a query, while its stage still holds it.
const fn proposal(stage: &Stage) -> Option<&Proposal> {
    match stage {
        Stage::Proposed(proposal)
        | Stage::Accepted(proposal)
        | Stage::Rejected { proposal, .. }
        | Stage::Superseded { proposal, .. } => Some(proposal),
        Stage::Draft | Stage::Withdrawn => None,
    }
}

/// The proposal of a query that can still be voted on or run, if it has this digest.
fn live(state: &Collaboration, query: QueryId, digest: Digest) -> Option<&Proposal> {
    let proposal = state.queries.get(&query)?.live_proposal()?;
    (proposal.digest == digest).then_some(proposal)
}
