//! What the events say, added up naively: no code of the rules.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::consent::ConsentKind;
use chancery_governance::event::Event;
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::{DatasetId, MemberId, QueryId};

#[derive(Default)]
pub struct Facts {
    pub room: Option<Subject>,
    pub workload: bool,
    pub applications: Vec<Digest>,
    pub abilities: BTreeMap<MemberId, Vec<Ability>>,
    pub owners: BTreeMap<DatasetId, MemberId>,
    /// Where each dataset last changed.
    pub changed: BTreeMap<DatasetId, u64>,
    /// What each query reads and writes, as last drafted or revised.
    pub uses: BTreeMap<QueryId, BTreeSet<DatasetId>>,
    /// Open or accepted proposals: digest, where proposed, what they use.
    pub live: BTreeMap<QueryId, (Digest, u64, BTreeSet<DatasetId>)>,
    pub policy_at_proposal: BTreeMap<QueryId, Vec<Digest>>,
    pub accepted: BTreeMap<QueryId, Digest>,
    pub marks: BTreeSet<(Subject, MemberId)>,
}

impl Facts {
    pub fn see(&mut self, at: &Recorded, event: &Event) {
        let actor = if let Actor::Member(id) = at.actor { Some(id) } else { None };
        let definition = |event: &chancery_governance::query::Definition| {
            event.inputs.iter().map(|input| input.dataset).chain([event.output]).collect()
        };
        match (event, at.subject) {
            (Event::CollaborationCreated(_), subject) => {
                self.room = Some(subject);
                self.abilities
                    .extend(actor.map(|id| (id, vec![Ability::Owner, Ability::DataProvider])));
            }
            (Event::WorkloadEnabled(_), _) => self.workload = true,
            (Event::CleanRoomPolicySet(event), _) => {
                self.applications.clone_from(&event.applications);
            }
            (Event::CollaboratorActivated(event), Subject::Member(id)) => {
                self.abilities.insert(id, event.abilities.clone());
            }
            (Event::DatasetPublished(_), Subject::Dataset(id)) => {
                self.owners.entry(id).or_insert(actor.unwrap());
                self.changed.insert(id, at.position);
            }
            (Event::DatasetRetired(_), Subject::Dataset(id)) => {
                self.changed.insert(id, at.position);
            }
            (Event::QueryDrafted(event), Subject::Query(id)) => {
                self.uses.insert(id, definition(&event.definition));
            }
            (Event::QueryRevised(event), Subject::Query(id)) => {
                self.uses.insert(id, definition(&event.definition));
                self.end(id);
            }
            (Event::QueryProposed(event), Subject::Query(id)) => {
                self.live.insert(id, (event.digest, at.position, self.uses[&id].clone()));
                self.policy_at_proposal.insert(id, self.applications.clone());
            }
            (Event::QueryAccepted(event), Subject::Query(id)) => {
                self.accepted.insert(id, event.digest);
            }
            (
                Event::QueryRejected(_) | Event::QueryWithdrawn(_) | Event::QuerySuperseded(_),
                Subject::Query(id),
            ) => self.end(id),
            (Event::ConsentWithdrawn(event), subject) if event.kind == ConsentKind::Execution => {
                self.marks.insert((subject, actor.unwrap()));
            }
            (Event::ConsentRestored(event), subject) if event.kind == ConsentKind::Execution => {
                self.marks.remove(&(subject, actor.unwrap()));
            }
            _ => {}
        }
    }

    fn end(&mut self, query: QueryId) {
        self.live.remove(&query);
        self.accepted.remove(&query);
    }

    /// Whether consent on `subject` is consent to runs of `query`.
    pub fn covers(&self, subject: Subject, query: QueryId) -> bool {
        match subject {
            Subject::Dataset(id) => self.uses.get(&query).is_some_and(|uses| uses.contains(&id)),
            Subject::Query(id) => id == query,
            subject => Some(subject) == self.room,
        }
    }

    /// What stands against a run of `query` by `runner`, each kind once.
    pub fn against(&self, query: QueryId, runner: MemberId) -> Vec<Code> {
        let policy = self.policy_at_proposal.get(&query);
        let live = self.live.contains_key(&query);
        let no_runner =
            !self.abilities.get(&runner).is_some_and(|has| has.contains(&Ability::Runner));
        let marked = self.marks.iter().any(|(subject, _)| self.covers(*subject, query));
        let wrong = [
            (!self.workload, Code::WorkloadNotEnabled),
            (self.applications.is_empty(), Code::CleanRoomPolicyMissing),
            (no_runner, Code::AbilityMissing),
            (!self.accepted.contains_key(&query), Code::QueryNotAccepted),
            (marked, Code::ConsentWithdrawn),
            (live && policy != Some(&self.applications), Code::CleanRoomPolicyChanged),
        ];
        wrong.into_iter().filter(|(wrong, _)| *wrong).map(|(_, code)| code).collect()
    }
}
