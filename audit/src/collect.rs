//! From verified entries and the state that they add up to, to the report's contents.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::event::Event;
use chancery_governance::run::{Platform, Verdict};
use chancery_governance::state::Collaboration;
use chancery_governance::state::query::{Query as QueryState, Stage as QueryStage};
use chancery_governance::state::run::{Outcome, Run as RunState, Stage as RunStage};
use chancery_governance::subject::Subject;
use chancery_ledger::command::SignedCommand;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority, Entry, Sealed};
use chancery_ledger::id::{QueryId, RunId};
use chancery_ledger::key::KeyId;
use chancery_ledger::note::Checkpoint;

use crate::report::{
    By, Contents, Dataset, DatasetVersion, Executor, Mark, Member, MemberKey, Query, Run, Service,
    ServiceWord, Vote,
};

/// What the entries say that the state at the end does not hold any more.
#[derive(Debug, Default)]
pub struct Collector {
    times: Option<(u64, u64)>,
    keys: BTreeMap<KeyId, (u64, By)>,
    votes: BTreeMap<QueryId, Vec<Vote>>,
    vote_leaves: BTreeMap<Digest, u64>,
    runs: BTreeMap<RunId, Trace>,
    service_word: Vec<ServiceWord>,
    insecure_virtual: bool,
}

/// A run's way through the log.
#[derive(Debug)]
struct Trace {
    requested_at: u64,
    by: By,
    executor: Option<Executor>,
    job_spec: Option<Digest>,
    ended_at: Option<u64>,
}

/// What is known at the end.
pub struct Ending<'a> {
    pub state: &'a Collaboration,
    pub service: Verdict,
    pub pinned: bool,
    pub note: &'a str,
    pub checkpoint: Checkpoint,
    pub exported_at_ms: u64,
}

impl Collector {
    /// Takes an entry that was verified.
    pub fn record(&mut self, sealed: &Sealed, subject: Subject, event: &Event) {
        let entry = sealed.entry();
        let (position, time) = (entry.position, entry.time_ms);
        self.times = Some((self.times.map_or(time, |(first, _)| first), time));
        if let Authority::ServiceWitnessed(witness) = &entry.authority {
            self.service_word.push(ServiceWord::Witnessed {
                position,
                action: witness.action.clone(),
                identity: chancery_governance::member::Identity {
                    issuer: witness.issuer.clone(),
                    tenant: witness.tenant.clone(),
                    subject: witness.subject.clone(),
                },
            });
        }
        match (subject, event) {
            (Subject::Invitation(invitation), Event::InvitationAccepted(_)) => {
                self.service_word.push(ServiceWord::EmailMatched { position, invitation });
            }
            (_, Event::SigningKeyRegistered(event)) => {
                self.keys.insert(event.key.id(), (position, by(entry)));
            }
            (Subject::Query(query), Event::QueryApproved(event)) => {
                self.vote(query, sealed, true, event.digest);
            }
            (Subject::Query(query), Event::QueryRejected(event)) => {
                self.vote(query, sealed, false, event.digest);
            }
            (Subject::Run(run), event) => self.run(run, entry, event),
            _ => {}
        }
    }

    fn vote(&mut self, query: QueryId, sealed: &Sealed, approves: bool, digest: Digest) {
        let entry = sealed.entry();
        // The replay took no vote from anybody but a member.
        let Actor::Member(member) = entry.actor else { return };
        self.vote_leaves.insert(sealed.leaf(), entry.position);
        let position = entry.position;
        let vote = Vote { position, member, approves, digest, by: by(entry), void: true };
        self.votes.entry(query).or_default().push(vote);
    }

    fn run(&mut self, run: RunId, entry: &Entry, event: &Event) {
        let position = entry.position;
        let trace = self.runs.entry(run).or_insert_with(|| Trace {
            requested_at: position,
            by: by(entry),
            executor: None,
            job_spec: None,
            ended_at: None,
        });
        match event {
            Event::RunAdmitted(event) => {
                self.insecure_virtual |= event.platform == Platform::InsecureVirtual;
                trace.job_spec = None;
                trace.executor = Some(Executor {
                    position,
                    key: event.executor.id(),
                    platform: event.platform,
                    measurement: event.measurement,
                });
            }
            Event::RunSubmitted(event) => trace.job_spec = Some(event.job_spec),
            Event::RunRefused(_)
            | Event::RunSucceeded(_)
            | Event::RunFailed(_)
            | Event::RunCancelled(_) => trace.ended_at = Some(position),
            _ => {}
        }
    }

    /// The contents of the report.
    pub fn contents(mut self, ending: Ending<'_>) -> Contents {
        let state = ending.state;
        let hardware =
            !self.insecure_virtual && chancery_attestation::service::is_hardware(&ending.service);
        let named: BTreeSet<_> =
            ending.state.members.values().filter_map(|member| member.invited_key).collect();
        let first_keys = self
            .keys
            .iter()
            .any(|(id, (_, by))| *by == By::ServiceWitnessed && !named.contains(id));
        let not_checked = not_checked(&ending, hardware, first_keys, &self.service_word);
        let (first_time_ms, last_time_ms) = self.times.unwrap_or_default();
        Contents {
            hardware,
            collaboration: state.id,
            name: state.name.clone(),
            terms: state.terms.clone(),
            service: Service {
                name: state.service.clone(),
                key: state.service_key.clone(),
                pinned: ending.pinned,
                platform: ending.service.platform,
                measurement: ending.service.measurement,
            },
            checkpoint: ending.checkpoint,
            first_time_ms,
            last_time_ms,
            exported_at_ms: ending.exported_at_ms,
            members: self.members(state),
            datasets: datasets(state),
            queries: state.queries.iter().map(|(id, query)| self.query(*id, query)).collect(),
            runs: self.runs(state),
            marks: state
                .marks
                .iter()
                .map(|((scope, kind), members)| Mark {
                    subject: Subject::from(*scope),
                    kind: *kind,
                    members: members.iter().copied().collect(),
                })
                .collect(),
            service_word: self.service_word,
            not_checked,
        }
    }

    fn members(&self, state: &Collaboration) -> Vec<Member> {
        let member = |(id, member): (&_, &chancery_governance::state::Member)| {
            let mut keys: Vec<_> = member
                .keys
                .iter()
                .filter_map(|(id, key)| {
                    let (registered_at, by) = *self.keys.get(id)?;
                    let (key, revoked_at) = (key.key.clone(), key.revoked_at);
                    let invited = member.invited_key == Some(*id);
                    Some(MemberKey { key, registered_at, by, invited, revoked_at })
                })
                .collect();
            keys.sort_by_key(|key| key.registered_at);
            Member {
                id: *id,
                organisation: member.organisation.clone(),
                identity: member.identity.clone(),
                abilities: member.abilities.iter().copied().collect(),
                keys,
            }
        };
        state.members.iter().map(member).collect()
    }

    fn query(&mut self, id: QueryId, query: &QueryState) -> Query {
        let proposal = match &query.stage {
            QueryStage::Proposed(proposal)
            | QueryStage::Accepted(proposal)
            | QueryStage::Rejected { proposal, .. }
            | QueryStage::Superseded { proposal, .. } => Some(proposal),
            QueryStage::Draft | QueryStage::Withdrawn => None,
        };
        let mut votes = self.votes.remove(&id).unwrap_or_default();
        let last = votes.last().map(|vote| vote.position);
        for vote in &mut votes {
            let counted = proposal.and_then(|proposal| proposal.votes.get(&vote.member));
            // A rejection ends its proposal, so it is the last vote on it.
            let ended = matches!(query.stage, QueryStage::Rejected { .. })
                && !vote.approves
                && Some(vote.position) == last;
            vote.void = !ended && counted.is_none_or(|counted| counted.position != vote.position);
        }
        Query {
            id,
            name: query.definition.name.clone(),
            author: query.author,
            state: query.stage.name(),
            digest: proposal.map(|proposal| proposal.digest),
            approvers: proposal
                .map(|proposal| proposal.approvers.iter().copied().collect())
                .unwrap_or_default(),
            votes,
        }
    }

    fn runs(&mut self, state: &Collaboration) -> Vec<Run> {
        let traces = std::mem::take(&mut self.runs);
        let mut runs: Vec<_> = traces
            .into_iter()
            .filter_map(|(id, trace)| Some(run(id, trace, state.runs.get(&id)?)))
            .collect();
        for run in &mut runs {
            let leaves = run.result.iter().flat_map(|result| &result.votes);
            run.votes = leaves.filter_map(|leaf| self.vote_leaves.get(leaf).copied()).collect();
        }
        runs.sort_by_key(|run| run.requested_at);
        runs
    }
}

fn by(entry: &Entry) -> By {
    let key = |kind, message: &[u8]| {
        // Verified by the replay; if it could not be read, nothing better than the service's word
        // would stand for it.
        SignedCommand::parse(kind, message)
            .map_or(By::ServiceWitnessed, |(_, message)| By::Key(message.key_id()))
    };
    match &entry.authority {
        Authority::MemberSigned(signed) => key(ContentType::Command, &signed.message),
        Authority::ExecutorSigned(signed) => key(ContentType::ExecutorReport, &signed.message),
        Authority::ServiceSigned(signed) => key(ContentType::ServiceCommand, &signed.message),
        Authority::ServiceWitnessed(_) => By::ServiceWitnessed,
        Authority::Consequence(of) => By::Consequence(*of),
    }
}

fn datasets(state: &Collaboration) -> Vec<Dataset> {
    let datasets = state.datasets.iter().filter_map(|(id, dataset)| {
        let newest = dataset.versions.last()?;
        Some(Dataset {
            id: *id,
            name: newest.descriptor.name.clone(),
            owner: dataset.owner,
            access_mode: newest.descriptor.access_mode,
            retired: dataset.retired,
            versions: dataset
                .versions
                .iter()
                .map(|version| DatasetVersion {
                    position: version.position,
                    digest: version.digest,
                })
                .collect(),
        })
    });
    datasets.collect()
}

fn run(id: RunId, trace: Trace, run: &RunState) -> Run {
    let (result, reasons, failure) = match &run.stage {
        RunStage::Ended(Outcome::Succeeded { result, .. }) => {
            (Some(result.clone()), Vec::new(), None)
        }
        RunStage::Ended(Outcome::Refused(reasons) | Outcome::Cancelled(reasons)) => {
            (None, reasons.clone(), None)
        }
        RunStage::Ended(Outcome::Failed { code, detail }) => {
            (None, Vec::new(), Some((code.clone(), detail.clone())))
        }
        RunStage::Requested
        | RunStage::Admitted(_)
        | RunStage::Submitted(..)
        | RunStage::Started(..) => (None, Vec::new(), None),
    };
    Run {
        id,
        query: run.query,
        query_digest: run.digest,
        runner: run.runner,
        requested_at: trace.requested_at,
        by: trace.by,
        state: run.stage.name(),
        ended_at: trace.ended_at,
        executor: trace.executor,
        job_spec: trace.job_spec,
        votes: Vec::new(),
        result,
        reasons,
        failure,
    }
}

fn not_checked(
    ending: &Ending<'_>,
    hardware: bool,
    first_keys: bool,
    service_word: &[ServiceWord],
) -> Vec<String> {
    let mut not = Vec::new();
    if !hardware {
        not.push(
            "where anything ran: insecure-virtual evidence can be made by anybody; no hardware \
             stands behind it"
                .to_owned(),
        );
    }
    if !ending.pinned {
        not.push(
            "whose key sealed the log: no expected service key was given; compare the key id above \
             with one from elsewhere, or verify again with it"
                .to_owned(),
        );
    }
    not.push("the CCF mirror: no CCF receipts in this bundle".to_owned());
    not.push(match cosignatures(ending.note) {
        0 => "a split view of the log: witness cosignatures: none".to_owned(),
        1 => "a split view of the log: 1 cosignature, by a key not known here".to_owned(),
        count => format!("a split view of the log: {count} cosignatures, by keys not known here"),
    });
    not.push("whether the log went on after this checkpoint".to_owned());
    not.push("when it was exported: nobody signs that time".to_owned());
    if !ending.state.invitations.is_empty() {
        not.push("e-mail addresses: personal data is sealed under keys outside the log".to_owned());
    }
    if service_word.iter().any(|word| matches!(word, ServiceWord::Witnessed { .. })) {
        not.push("identity tokens: the log holds their digests only".to_owned());
    }
    if first_keys {
        not.push(
            "whose a member's first key is, where no invitation names it: it came with a token; ask \
             the member for its key id"
                .to_owned(),
        );
    }
    if !ending.state.runs.is_empty() {
        not.push(
            "job specs and result files: the log holds their digests; compare yours with them"
                .to_owned(),
        );
    }
    not
}

/// Signature lines beside the service's own.
fn cosignatures(note: &str) -> usize {
    let lines = note.rsplit("\n\n").next().unwrap_or_default().lines().count();
    lines.saturating_sub(1)
}
