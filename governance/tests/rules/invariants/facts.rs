//! What the events say, added up naively: no code of the rules.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::change::Change;
use chancery_governance::clean_room::{Demands, Only};
use chancery_governance::consent::ConsentKind;
use chancery_governance::dataset::Descriptor;
use chancery_governance::event::Event;
use chancery_governance::member::{Ability, ApprovalGroup, Terms};
use chancery_governance::reason::Code;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use chancery_governance::usage::{Period, Receiver};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::{ChangeId, DatasetId, MemberId, QueryId, RuleId};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

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
    pub paused: bool,
    pub closed: bool,
    /// The demands of the policy now, and of each proposal when it was made.
    pub demands: Demands,
    pub demands_at_proposal: BTreeMap<QueryId, Demands>,
    pub only: Vec<Only>,
    /// The newest descriptor of each dataset, and each member's organisation.
    pub descriptors: BTreeMap<DatasetId, Descriptor>,
    pub organisations: BTreeMap<MemberId, String>,
    pub written: BTreeMap<QueryId, DatasetId>,
    /// Runs that count: when and by whom they were asked for, on which datasets, and whether an
    /// executor was admitted.
    pub counted: BTreeMap<Subject, (u64, MemberId, BTreeSet<DatasetId>, bool)>,
    pub now_ms: u64,
    /// Who is a member.
    pub members: BTreeSet<MemberId>,
    pub terms: Terms,
    /// What each change request would change, and by whom.
    pub changes: BTreeMap<ChangeId, (MemberId, Change)>,
    /// The change requests that are not settled.
    pub open: BTreeSet<ChangeId>,
    /// The rules that stand: whose, and where they were set.
    pub rules: BTreeMap<RuleId, (MemberId, u64)>,
    pub authors: BTreeMap<QueryId, MemberId>,
    /// For whose runs alone rules approved the live proposal.
    pub runners: BTreeMap<QueryId, BTreeSet<MemberId>>,
    pub retired: BTreeSet<DatasetId>,
    /// The runs without an outcome: whose, and of which query.
    pub running: BTreeMap<Subject, (MemberId, QueryId)>,
}

impl Facts {
    pub fn see(&mut self, at: &Recorded, event: &Event) {
        self.see_agreed(at, event);
        let actor = if let Actor::Member(id) = at.actor { Some(id) } else { None };
        self.now_ms = at.time_ms;
        let definition = |event: &chancery_governance::query::Definition| {
            event.inputs.iter().map(|input| input.dataset).chain([event.output]).collect()
        };
        match (event, at.subject) {
            (Event::CollaborationPaused(_), _) => self.paused = true,
            (Event::CollaborationResumed(_), _) => self.paused = false,
            (Event::CollaborationClosed(_), _) => (self.paused, self.closed) = (false, true),
            (Event::RunRequested(event), run) => {
                let uses = self.uses[&event.query].clone();
                self.counted.insert(run, (at.time_ms, actor.unwrap(), uses, false));
            }
            (Event::RunAdmitted(_), run) => {
                self.counted.get_mut(&run).unwrap().3 = true;
            }
            (Event::RunRefused(_) | Event::RunCancelled(_), run)
                if self.counted.get(&run).is_some_and(|(.., admitted)| !admitted) =>
            {
                self.counted.remove(&run);
            }
            (Event::CollaborationCreated(event), subject) => {
                self.room = Some(subject);
                self.organisations.extend(actor.map(|id| (id, event.organisation.clone())));
                self.abilities
                    .extend(actor.map(|id| (id, vec![Ability::Owner, Ability::DataProvider])));
            }
            (Event::WorkloadEnabled(_), _) => self.workload = true,
            (Event::CleanRoomPolicySet(event), _) => {
                self.applications.clone_from(&event.applications);
                self.demands.clone_from(&event.demands);
                self.only.clone_from(&event.only);
            }
            (Event::CollaboratorActivated(event), Subject::Member(id)) => {
                self.abilities.insert(id, event.abilities.clone());
                self.organisations.insert(id, event.organisation.clone());
            }
            (Event::DatasetPublished(event), Subject::Dataset(id)) => {
                self.descriptors.insert(id, event.descriptor.clone());
                self.owners.entry(id).or_insert(actor.unwrap());
                self.changed.insert(id, at.position);
            }
            (Event::DatasetRetired(_), Subject::Dataset(id)) => {
                self.changed.insert(id, at.position);
            }
            (Event::QueryDrafted(event), Subject::Query(id)) => {
                self.uses.insert(id, definition(&event.definition));
                self.written.insert(id, event.definition.output);
            }
            (Event::QueryRevised(event), Subject::Query(id)) => {
                self.uses.insert(id, definition(&event.definition));
                self.written.insert(id, event.definition.output);
                self.end(id);
            }
            (Event::QueryProposed(event), Subject::Query(id)) => {
                self.live.insert(id, (event.digest, at.position, self.uses[&id].clone()));
                self.policy_at_proposal.insert(id, self.applications.clone());
                self.demands_at_proposal.insert(id, self.demands.clone());
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

    /// What members agree on.
    fn see_agreed(&mut self, at: &Recorded, event: &Event) {
        let actor = if let Actor::Member(id) = at.actor { Some(id) } else { None };
        match (event, at.subject) {
            (Event::CollaborationCreated(event), _) => {
                self.members.extend(actor);
                self.terms = event.terms.clone();
            }
            (Event::CollaboratorActivated(_), Subject::Member(id)) => {
                self.members.insert(id);
            }
            (Event::CollaboratorRemoved(_), Subject::Member(id)) => {
                self.members.remove(&id);
                self.abilities.remove(&id);
            }
            (Event::AbilityGranted(event), Subject::Member(id)) => {
                self.abilities.entry(id).or_default().push(event.ability);
            }
            (Event::AbilityRevoked(event), Subject::Member(id)) => {
                self.abilities.entry(id).or_default().retain(|has| *has != event.ability);
            }
            (Event::ChangeProposed(event), Subject::Change(id)) => {
                self.changes.insert(id, (actor.unwrap(), event.change.clone()));
                self.open.insert(id);
            }
            (Event::ChangeRejected(event), Subject::Change(id)) if event.ends => {
                self.open.remove(&id);
            }
            (Event::ChangeWithdrawn(_) | Event::ChangeSuperseded(_), Subject::Change(id)) => {
                self.open.remove(&id);
            }
            (Event::ChangeCommitted(_), Subject::Change(id)) => {
                self.open.remove(&id);
                if let (_, Change::SetTerms(terms)) = &self.changes[&id] {
                    self.terms = terms.clone();
                }
            }
            (Event::AutoApprovalRuleSet(_), Subject::Rule(id)) => {
                self.rules.insert(id, (actor.unwrap(), at.position));
            }
            (Event::AutoApprovalRuleRemoved(_), Subject::Rule(id)) => {
                self.rules.remove(&id);
            }
            (Event::ConsentLapsed(event), subject) if event.kind == ConsentKind::Execution => {
                self.marks.remove(&(subject, event.member));
            }
            (Event::QueryDrafted(_), Subject::Query(id)) => {
                self.authors.insert(id, actor.unwrap());
            }
            (Event::QueryProposed(_), Subject::Query(id)) => {
                self.runners.insert(id, BTreeSet::new());
            }
            (Event::QueryApprovedByRule(event), Subject::Query(id)) => {
                self.runners.entry(id).or_default().extend(event.runner);
            }
            (Event::DatasetRetired(_), Subject::Dataset(id)) => {
                self.retired.insert(id);
            }
            (Event::RunRequested(event), run) => {
                self.running.insert(run, (actor.unwrap(), event.query));
            }
            (
                Event::RunRefused(_)
                | Event::RunCancelled(_)
                | Event::RunFailed(_)
                | Event::RunSucceeded(_),
                run,
            ) => {
                self.running.remove(&run);
            }
            _ => {}
        }
    }

    /// Who has a vote on a change, and how many it takes.
    pub fn electorate(&self, change: &Change) -> (BTreeSet<MemberId>, usize) {
        let without = match change {
            Change::RemoveMember(id) | Change::RevokeOwner(id) => Some(*id),
            Change::ReplaceKey { member, .. } => Some(*member),
            Change::SetTerms(_) | Change::GrantOwner(_) | Change::AdmitMember(_) => None,
        };
        let mut electorate = self.members.clone();
        if let Some(id) = without {
            electorate.remove(&id);
        }
        let all = electorate.len();
        let needed = match self.terms.change_threshold {
            Some(needed) => all.min(usize::try_from(needed).unwrap()),
            None => all,
        };
        (electorate, needed)
    }

    /// The groups that the terms ask for, among those who are members.
    pub fn groups(&self) -> Vec<ApprovalGroup> {
        let mut groups = self.terms.groups.clone();
        for group in &mut groups {
            group.members.retain(|member| self.members.contains(member));
            group.needed = group.needed.min(group.members.len() as u64);
        }
        groups.retain(|group| !group.members.is_empty());
        groups
    }

    /// What of a former member's still blocks or goes on.
    pub fn left_behind(&self, member: MemberId) -> Vec<String> {
        let owned = self
            .owners
            .iter()
            .filter(|(dataset, owner)| **owner == member && !self.retired.contains(*dataset));
        let marks = self.marks.iter().filter(|(_, by)| *by == member);
        let live = self.live.keys().filter(|query| self.authors[*query] == member);
        let runs = self
            .running
            .iter()
            .filter(|(_, (runner, query))| *runner == member || !self.accepted.contains_key(query));
        let rules = self.rules.iter().filter(|(_, (owner, _))| *owner == member);
        let changes = self.open.iter().filter(|id| {
            let (proposer, change) = &self.changes[*id];
            *proposer == member || change.member() == Some(member)
        });
        owned
            .map(|it| format!("dataset {it:?}"))
            .chain(marks.map(|it| format!("mark {it:?}")))
            .chain(live.map(|it| format!("query {it:?}")))
            .chain(runs.map(|it| format!("run {it:?}")))
            .chain(rules.map(|it| format!("rule {it:?}")))
            .chain(changes.map(|it| format!("change {it:?}")))
            .collect()
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

    /// Whether a budget of a dataset that `query` uses has no room for one run more: counted run by
    /// run, by the day's text and not by the rules' numbers.
    pub fn is_spent(&self, query: QueryId, runner: MemberId, now_ms: u64) -> bool {
        let same = |period: Period, one: u64, other: u64| {
            let day = |ms: u64| chancery_governance::calendar::text(ms)[..10].to_owned();
            match period {
                Period::Day => day(one) == day(other),
                Period::Month => day(one)[..7] == day(other)[..7],
                // 1970-01-01 was a Thursday: three days after a Monday.
                Period::Week => {
                    (one + 3 * DAY_MS) / (7 * DAY_MS) == (other + 3 * DAY_MS) / (7 * DAY_MS)
                }
                Period::Life => true,
            }
        };
        let uses = self.uses.get(&query).into_iter().flatten();
        uses.filter_map(|dataset| Some((dataset, self.descriptors.get(dataset)?))).any(
            |(dataset, descriptor)| {
                descriptor.usage.budgets.iter().any(|budget| {
                    let used = self.counted.values().filter(|(at_ms, by, on, _)| {
                        on.contains(dataset)
                            && same(budget.period, *at_ms, now_ms)
                            && (!budget.each_runner || *by == runner)
                    });
                    used.count() as u64 >= budget.runs
                })
            },
        )
    }

    /// Whether an input of a live proposal lets its output's owner receive nothing.
    fn withholds(&self, query: QueryId) -> bool {
        let (Some((.., uses)), Some(output)) = (self.live.get(&query), self.written.get(&query))
        else {
            return false;
        };
        let to = &self.organisations[&self.owners[output]];
        uses.iter().filter(|dataset| *dataset != output).any(|dataset| {
            let receivers = &self.descriptors[dataset].usage.receivers;
            !receivers.is_empty() && !receivers.contains(&Receiver::Organisation(to.clone()))
        })
    }

    /// Whether the policy limits every application to other queries.
    fn is_excluded(&self, query: QueryId) -> bool {
        let lets = |application: &Digest| {
            let limit = self.only.iter().find(|only| only.application == *application);
            limit.is_none_or(|only| only.queries.contains(&query))
        };
        !self.applications.is_empty() && !self.applications.iter().any(lets)
    }

    /// What stands against a run of `query` by `runner`, each kind once. Budgets are asked for a run
    /// that is not requested yet.
    pub fn against(&self, query: QueryId, runner: MemberId) -> Vec<Code> {
        let policy = self.policy_at_proposal.get(&query);
        let demands = self.demands_at_proposal.get(&query);
        let live = self.live.contains_key(&query);
        let no_runner =
            !self.abilities.get(&runner).is_some_and(|has| has.contains(&Ability::Runner));
        let marked = self.marks.iter().any(|(subject, _)| self.covers(*subject, query));
        let other_runner = self.accepted.contains_key(&query)
            && self.runners.get(&query).is_some_and(|named| named.iter().any(|id| *id != runner));
        let wrong = [
            (!self.workload, Code::WorkloadNotEnabled),
            (self.applications.is_empty(), Code::CleanRoomPolicyMissing),
            (no_runner, Code::AbilityMissing),
            (!self.accepted.contains_key(&query), Code::QueryNotAccepted),
            (marked, Code::ConsentWithdrawn),
            (other_runner, Code::RunnerNotApproved),
            (
                live && (policy != Some(&self.applications) || demands != Some(&self.demands)),
                Code::CleanRoomPolicyChanged,
            ),
            (self.paused, Code::CollaborationPaused),
            (self.closed, Code::CollaborationClosed),
            (self.withholds(query), Code::ReceiverNotAllowed),
            (self.is_excluded(query), Code::ApplicationNotForQuery),
        ];
        wrong.into_iter().filter(|(wrong, _)| *wrong).map(|(_, code)| code).collect()
    }
}
