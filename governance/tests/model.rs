//! A model of proposal, vote, consent, run, change and removal, explored in full at a bounded size.
//!
//! The transitions are the rules themselves: `authorise`, `decide` and `evolve`. Only signatures and
//! seals are left out. States are told apart by what the rules look at, not by positions, leaf
//! hashes and times, so that the space is finite; every reachable state meets the invariants of
//! DESIGN section 5, and the states that make them worth something are reached.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use chancery_governance::authorise::{Action, authorise};
use chancery_governance::change::Change;
use chancery_governance::command::{
    AdmitRun, ApproveChange, ApproveQuery, CancelRun, Command, CommitChange, FailRun,
    LeaveCollaboration, ProposeChange, PublishDataset, RejectChange, RejectQuery, RequestRun,
    RestoreConsent, ReviseQuery, RevokeAbility, SetAutoApprovalRule, StartRun, WithdrawConsent,
    WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::decide::decide;
use chancery_governance::decide::run::admission_report_data;
use chancery_governance::event::Event;
use chancery_governance::member::{Ability, Terms};
use chancery_governance::rule::{AllowedInput, ApprovalRule, Shape};
use chancery_governance::run::{Evidence, Platform, Verdict};
use chancery_governance::state::change::Stage as ChangeStage;
use chancery_governance::state::query::Stage as QueryStage;
use chancery_governance::state::run::{Outcome, Stage as RunStage};
use chancery_governance::state::{Collaboration, Recorded, State, evolve};
use chancery_governance::subject::Subject;
use chancery_governance::submission::{Caller, Facts, Submission};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority};
use chancery_ledger::id::{ChangeId, MemberId};
use chancery_ledger::key::PublicKey;
use stateright::{Checker as _, Model, Property};

use support::fixtures::{
    application, campaigns, campaigns_id, campaigns_s, moved, propose, query_id, query_s, report_s,
    room, rule_s, run_id, run_s, submit, terms, without_litware,
};
use support::people::Who;
use support::{World, uuid};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Revise,
    Propose,
    Approve(Who),
    Reject(Who),
    WithdrawQuery,
    Mark(Who),
    Unmark(Who),
    Republish,
    Rule,
    Request,
    Admit,
    Submit,
    Start,
    Fail,
    Cancel,
    RevokeRunner,
    Leave(Who),
    Ask(u8),
    Yes(u8, Who),
    No(u8, Who),
    Commit(u8),
}

/// A room and what it must not have come to.
#[derive(Clone)]
struct Reached {
    state: State,
    /// What the last step did against an invariant: seen from its events and the state before.
    broken: Option<&'static str>,
}

impl Reached {
    fn room(&self) -> &Collaboration {
        self.state.collaboration().unwrap()
    }

    /// What the rules look at.
    fn essence(&self) -> String {
        let room = self.room();
        let votes = |of: &BTreeMap<MemberId, _>| of.keys().copied().collect::<Vec<_>>();
        let queries: Vec<_> = room
            .queries
            .values()
            .map(|query| {
                let live = query.live_proposal().map(|proposal| {
                    let by_rule = proposal.votes.values().filter(|vote| vote.rule.is_some());
                    (proposal.digest, votes(&proposal.votes), by_rule.count())
                });
                (query.stage.name(), live)
            })
            .collect();
        let changes: Vec<_> = room
            .changes
            .iter()
            .map(|(id, it)| (*id, it.stage.name(), votes(&it.approvals), it.rejections.clone()))
            .collect();
        let runs: Vec<_> = room.runs.values().map(|run| (run.stage.name(), run.digest)).collect();
        let members: Vec<_> =
            room.members.iter().map(|(id, member)| (*id, member.abilities.clone())).collect();
        let datasets: Vec<_> = room
            .datasets
            .values()
            .map(|dataset| (dataset.versions.last().map(|it| it.digest), dataset.retired))
            .collect();
        let rules: Vec<_> = room.rules.keys().collect();
        let used = room.versions.contains_key(&rule_s());
        let (marks, terms, broken) = (&room.marks, &room.terms, self.broken);
        format!(
            "{queries:?}{changes:?}{runs:?}{members:?}{datasets:?}{rules:?}{used}{marks:?}\
             {terms:?}{broken:?}"
        )
    }
}

impl std::fmt::Debug for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.essence())
    }
}

impl PartialEq for Reached {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Hash for Reached {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.essence().hash(hasher);
    }
}

/// Whether a state is one that must be reached.
type Reaches = fn(&Story, &Reached) -> bool;

/// Where it begins and what can be done.
struct Story {
    begin: State,
    steps: Vec<Step>,
    /// What must be reached, by name.
    reaches: Vec<(&'static str, Reaches)>,
}

fn reach(name: &'static str, is: Reaches) -> (&'static str, Reaches) {
    (name, is)
}

fn change_id(n: u8) -> ChangeId {
    ChangeId::new(uuid(0x8, u64::from(n) + 1))
}

fn change(n: u8) -> Change {
    match n {
        0 => Change::RemoveMember(Who::Contosso.member()),
        1 => Change::SetTerms(Terms {
            change_threshold: Some(2),
            admission_by_vote: true,
            ..terms(&[], true)
        }),
        _ => Change::GrantOwner(Who::Contosso.member()),
    }
}

/// Lets the query through, for runs by Fabrikam.
fn rule() -> ApprovalRule {
    let columns = vec!["region".into(), "spend".into()];
    let input = AllowedInput { dataset: campaigns_id(), columns, aggregates: Vec::new() };
    ApprovalRule {
        name: "Spend".into(),
        author: None,
        runner: Some(Who::Fabrikam.member()),
        output: None,
        shape: Shape::Reads(vec![input]),
        expires_ms: None,
    }
}

/// Who does a step; nobody where the executor does.
fn by(step: Step) -> Option<Who> {
    match step {
        Step::Revise | Step::Propose | Step::WithdrawQuery | Step::Request | Step::Cancel => {
            Some(Who::Fabrikam)
        }
        Step::Approve(who)
        | Step::Reject(who)
        | Step::Mark(who)
        | Step::Unmark(who)
        | Step::Leave(who)
        | Step::Yes(_, who)
        | Step::No(_, who) => Some(who),
        Step::Republish | Step::Rule => Some(Who::Contosso),
        Step::RevokeRunner | Step::Ask(_) | Step::Commit(_) => Some(Who::Litware),
        Step::Admit | Step::Submit | Step::Start | Step::Fail => None,
    }
}

fn executor() -> PublicKey {
    support::key(201).public().clone()
}

fn command(room_state: &Collaboration, step: Step) -> (Subject, Command) {
    let query = room_state.queries.get(&query_id());
    let digest = query.and_then(|query| query.live_proposal()).map(|proposal| proposal.digest);
    let digest = digest.unwrap_or(Digest::of(b"none"));
    let kind = ConsentKind::Execution;
    let comment = || "No.".to_owned();
    let asked = |n| {
        let request = room_state.changes.get(&change_id(n));
        request.map_or(Digest::of(b"none"), |request| request.digest)
    };
    match step {
        Step::Revise => (query_s(), ReviseQuery { definition: without_litware() }.into()),
        Step::Propose => (query_s(), propose().into()),
        Step::Approve(_) => (query_s(), ApproveQuery { digest }.into()),
        Step::Reject(_) => (query_s(), RejectQuery { digest, comment: comment() }.into()),
        Step::WithdrawQuery => (query_s(), WithdrawQuery {}.into()),
        Step::Mark(_) => (room(), WithdrawConsent { kind }.into()),
        Step::Unmark(_) => (room(), RestoreConsent { kind }.into()),
        Step::Republish => {
            (campaigns_s(), PublishDataset { descriptor: moved(campaigns(), 2) }.into())
        }
        Step::Rule => (rule_s(), SetAutoApprovalRule { rule: rule() }.into()),
        Step::Request => (run_s(), RequestRun { query: query_id(), digest }.into()),
        Step::Admit => {
            let evidence = Evidence { kind: "insecure-virtual".into(), document: "AA".into() };
            (run_s(), AdmitRun { executor: executor(), evidence }.into())
        }
        Step::Submit => (run_s(), submit().into()),
        Step::Start => (run_s(), StartRun {}.into()),
        Step::Fail => (run_s(), FailRun { code: "oom".into(), detail: "Killed.".into() }.into()),
        Step::Cancel => (run_s(), CancelRun {}.into()),
        Step::RevokeRunner => {
            (Who::Fabrikam.itself(), RevokeAbility { ability: Ability::Runner }.into())
        }
        Step::Leave(who) => (who.itself(), LeaveCollaboration {}.into()),
        Step::Ask(n) => (
            Subject::Change(change_id(n)),
            ProposeChange { change: change(n), expires_ms: None }.into(),
        ),
        Step::Yes(n, _) => {
            (Subject::Change(change_id(n)), ApproveChange { digest: asked(n) }.into())
        }
        Step::No(n, _) => (
            Subject::Change(change_id(n)),
            RejectChange { digest: asked(n), comment: comment() }.into(),
        ),
        Step::Commit(n) => {
            (Subject::Change(change_id(n)), CommitChange { digest: asked(n) }.into())
        }
    }
}

/// What the evidence of a well-behaved executor says.
fn verdict(room_state: &Collaboration) -> Verdict {
    let nonce = room_state.runs.get(&run_id()).map(|run| run.request_leaf);
    let report_data = admission_report_data(
        room_state.service_key.id(),
        room_state.id,
        run_id(),
        nonce.unwrap_or(Digest::of(b"none")),
        &executor(),
    );
    Verdict {
        platform: Platform::InsecureVirtual,
        measurement: application(),
        report_data,
        claims: chancery_governance::clean_room::Claims::default(),
    }
}

impl Model for Story {
    type State = Reached;
    type Action = Step;

    fn init_states(&self) -> Vec<Reached> {
        vec![Reached { state: self.begin.clone(), broken: None }]
    }

    fn actions(&self, _: &Reached, steps: &mut Vec<Step>) {
        steps.extend(&self.steps);
    }

    fn next_state(&self, from: &Reached, step: Step) -> Option<Reached> {
        let before = from.room();
        let (subject, command) = command(before, step);
        let key = executor();
        let caller = match by(step) {
            None => Caller::Executor(&key),
            // Whoever is no member is turned away before anything is decided.
            Some(who) => {
                let (id, member) = before.member_by_identity(&who.identity())?;
                Caller::Member { id, member, signed: true }
            }
        };
        let action = Action { command: &command, subject, caller };
        authorise(&from.state, &action).ok()?;
        let facts = Facts { verdict: Some(Ok(verdict(before))), ..Facts::default() };
        let submission = Submission {
            collaboration: before.id,
            subject,
            command: chancery_ledger::id::CommandId::new(uuid(0xe, before.size + 1000)),
            // What follows rests on the caller alone, as found out above.
            authority: &Authority::Consequence(0),
            verified: None,
            now_ms: before.last_time_ms,
            facts,
        };
        let decision = decide(&from.state, &action, &submission).ok()?;
        let events: Vec<Event> = decision.events.iter().map(|(_, event)| event.clone()).collect();
        let mut state = from.state.clone();
        for (subject, event) in decision.events {
            let position = state.collaboration().unwrap().size;
            let at = Recorded {
                collaboration: before.id,
                position,
                leaf: Digest::of(&position.to_be_bytes()),
                time_ms: submission.now_ms,
                actor: decision.actor,
                command: submission.command,
                subject,
            };
            state = evolve(state, &at, event).expect("decided, and illegal in the fold");
        }
        let mut reached = Reached { state, broken: None };
        reached.broken = broken(before, reached.room(), &events, decision.actor);
        Some(reached)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties: Vec<Property<Self>> = vec![
            Property::<Self>::always("no step breaks an invariant", |_, reached: &Reached| {
                reached.broken.is_none()
            }),
            Property::<Self>::always(
                "4, 5: a live run stands on everything it needs",
                |_, reached| live_runs_stand(reached.room()),
            ),
            Property::<Self>::always("1, 2, 3: what is accepted has every vote", |_, reached| {
                accepted_is_carried(reached.room())
            }),
            Property::<Self>::always(
                "7: nothing of a former member blocks or goes on",
                |_, reached| former_left_nothing(reached.room()),
            ),
            Property::<Self>::always("an owner is left", |_, reached| reached.room().owners() > 0),
        ];
        properties.extend(self.reaches.iter().map(|(name, is)| Property::sometimes(name, *is)));
        properties
    }
}

/// What a step did against an invariant.
fn broken(
    before: &Collaboration,
    after: &Collaboration,
    events: &[Event],
    actor: Actor,
) -> Option<&'static str> {
    for (id, run) in &before.runs {
        if run.stage.ended() && after.runs[id] != *run {
            return Some("6: a run has a second outcome");
        }
    }
    for event in events {
        match event {
            Event::RunRequested(_) | Event::RunAdmitted(_) if !before.marks.is_empty() => {
                return Some("4: a run against a mark");
            }
            Event::ChangeCommitted(_) => {
                let (id, request) = after.changes.iter().find(|(id, request)| {
                    request.stage == ChangeStage::Committed
                        && before.changes[*id].stage == ChangeStage::Open
                })?;
                let electorate: BTreeSet<_> = before
                    .members
                    .keys()
                    .copied()
                    .filter(|member| Some(*member) != request.change.concerned())
                    .collect();
                let mut yes: BTreeSet<_> = before.changes[id].approvals.keys().copied().collect();
                if let Actor::Member(last) = actor
                    && matches!(events[0], Event::ChangeApproved(_))
                {
                    yes.insert(last);
                }
                let yes = yes.intersection(&electorate).count();
                let needed = before.terms.change_threshold.map_or(electorate.len(), |needed| {
                    usize::try_from(needed).unwrap().min(electorate.len())
                });
                if yes < needed || needed == 0 {
                    return Some("8: a change without its votes");
                }
            }
            _ => {}
        }
    }
    let committed = events.iter().any(|event| matches!(event, Event::ChangeCommitted(_)));
    if before.terms != after.terms && !committed {
        return Some("8: other terms without a vote");
    }
    let gone: Vec<_> = before.members.keys().filter(|id| !after.members.contains_key(id)).collect();
    if !committed && gone.iter().any(|id| actor != Actor::Member(**id)) {
        return Some("8: a member removed without a vote");
    }
    None
}

fn live_runs_stand(room: &Collaboration) -> bool {
    room.runs.values().filter(|run| !run.stage.ended()).all(|run| {
        let accepted = room.queries.get(&run.query).and_then(|query| match &query.stage {
            QueryStage::Accepted(proposal) => Some(proposal),
            _ => None,
        });
        let runner = room.members.get(&run.runner);
        room.marks.is_empty()
            && accepted.is_some_and(|proposal| {
                Some(proposal.digest) == run.digest
                    && proposal
                        .votes
                        .values()
                        .all(|vote| vote.runner.is_none_or(|it| it == run.runner))
            })
            && runner.is_some_and(|member| member.abilities.contains(&Ability::Runner))
    })
}

fn accepted_is_carried(room: &Collaboration) -> bool {
    room.queries.values().all(|query| match &query.stage {
        QueryStage::Accepted(proposal) => {
            let bound = proposal.binding.inputs.iter().chain([&proposal.binding.output]);
            let owners: BTreeSet<_> =
                bound.clone().map(|version| room.datasets[&version.dataset].owner).collect();
            let newest = bound.clone().all(|version| {
                let dataset = &room.datasets[&version.dataset];
                !dataset.retired
                    && dataset.versions.last().is_some_and(|it| it.digest == version.digest)
            });
            newest
                && owners == proposal.approvers
                && owners.iter().all(|owner| proposal.votes.contains_key(owner))
        }
        _ => true,
    })
}

fn former_left_nothing(room: &Collaboration) -> bool {
    room.former.keys().all(|gone| {
        !room.members.contains_key(gone)
            && room.marks.values().all(|by| !by.contains(gone))
            && room.datasets.values().all(|it| it.owner != *gone || it.retired)
            && room.rules.values().all(|it| it.owner != *gone)
            && room.runs.values().all(|it| it.runner != *gone || it.stage.ended())
            && room.queries.values().all(|query| {
                let proposal = query.live_proposal();
                proposal.is_none_or(|proposal| {
                    query.author != *gone && proposal.pending().all(|id| id != *gone)
                })
            })
            && room.changes.values().all(|it| {
                let about = it.proposer == *gone || it.change.member() == Some(*gone);
                it.stage != ChangeStage::Open || !about
            })
    })
}

/// Everybody has a key, and Fabrikam has a draft on Contosso's dataset.
fn drafted() -> State {
    let mut world = World::keyed();
    let draft = chancery_governance::command::DraftQuery { definition: without_litware() };
    world.fabrikam().does(query_s(), draft).unwrap();
    assert!(world.room().datasets.contains_key(&campaigns_id()));
    assert!(world.room().versions.contains_key(&report_s()));
    world.state
}

fn run_is(reached: &Reached, is: fn(&RunStage) -> bool) -> bool {
    reached.room().runs.values().any(|run| is(&run.stage))
}

#[test]
fn a_query_its_votes_consents_and_run() {
    use Step::{
        Admit, Approve, Cancel, Fail, Leave, Mark, Propose, Reject, Republish, Request, Revise,
        RevokeRunner, Rule, Start, Submit, Unmark, WithdrawQuery,
    };
    let story = Story {
        begin: drafted(),
        steps: vec![
            Revise,
            Propose,
            Approve(Who::Litware),
            Approve(Who::Contosso),
            Approve(Who::Fabrikam),
            Reject(Who::Contosso),
            WithdrawQuery,
            Mark(Who::Contosso),
            Unmark(Who::Contosso),
            Republish,
            Rule,
            Request,
            Admit,
            Submit,
            Start,
            Fail,
            Cancel,
            RevokeRunner,
            Leave(Who::Contosso),
            Leave(Who::Fabrikam),
        ],
        reaches: vec![
            reach("a run is started", |_, it| {
                run_is(it, |stage| matches!(stage, RunStage::Started(..)))
            }),
            reach("a run fails", |_, it| {
                run_is(it, |stage| matches!(stage, RunStage::Ended(Outcome::Failed { .. })))
            }),
            reach("a run is cancelled", |_, it| {
                run_is(it, |stage| matches!(stage, RunStage::Ended(Outcome::Cancelled(_))))
            }),
            reach("a run is refused", |_, it| {
                run_is(it, |stage| matches!(stage, RunStage::Ended(Outcome::Refused(_))))
            }),
            reach("a rule votes", |_, it| {
                it.room().queries.values().any(|query| {
                    query.live_proposal().is_some_and(|proposal| {
                        proposal.votes.values().any(|vote| vote.rule.is_some())
                    })
                })
            }),
            reach("a member leaves while others stay", |_, it| !it.room().former.is_empty()),
        ],
    };
    explore(story, 1_000);
}

#[test]
fn changes_votes_and_removals() {
    use Step::{Approve, Ask, Commit, Leave, Mark, No, Propose, Request, Yes};
    let all = |step: fn(Who) -> Step| Who::MEMBERS.map(step);
    let mut steps = vec![
        Propose,
        Request,
        Ask(0),
        Ask(1),
        Commit(0),
        Commit(1),
        No(0, Who::Fabrikam),
        No(1, Who::Contosso),
        Mark(Who::Contosso),
        Leave(Who::Contosso),
        Leave(Who::Fabrikam),
        Approve(Who::Contosso),
        Approve(Who::Fabrikam),
    ];
    steps.extend(all(|who| Yes(0, who)));
    steps.extend(all(|who| Yes(1, who)));
    let story = Story {
        begin: drafted(),
        steps,
        reaches: vec![
            reach("the members remove one", |_, it| {
                it.room()
                    .changes
                    .get(&change_id(0))
                    .is_some_and(|request| request.stage == ChangeStage::Committed)
            }),
            reach("the terms change", |_, it| it.room().terms.change_threshold == Some(2)),
            reach("a change is rejected", |_, it| {
                it.room().changes.values().any(|it| it.stage == ChangeStage::Rejected)
            }),
            reach("a change is superseded", |_, it| {
                it.room().changes.values().any(|it| matches!(it.stage, ChangeStage::Superseded(_)))
            }),
            reach("a vote of who left counts no more", |_, it| {
                it.room().changes.values().any(|request| {
                    request.stage == ChangeStage::Open
                        && request.approvals.keys().any(|by| it.room().former.contains_key(by))
                })
            }),
        ],
    };
    explore(story, 1_000);
}

/// Explores every reachable state; a model that reaches fewer than `least` proves little.
fn explore(story: Story, least: usize) {
    let checker = story.checker().spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.is_done(), "not everything was explored");
    let states = checker.unique_state_count();
    assert!(states >= least, "{states} states");
}
