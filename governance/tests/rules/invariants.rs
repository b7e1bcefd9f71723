//! The named invariants of DESIGN section 5, over random sequences of commands by several people,
//! some of them malicious. The checks read the events only, and share no code with the rules.

mod agree;
mod agreed;
mod facts;
mod play;
mod ties;

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::calendar::period_of;
use chancery_governance::change::Change;
use chancery_governance::clean_room::Demands;
use chancery_governance::consent::ConsentKind;
use chancery_governance::event::Event;
use chancery_governance::log;
use chancery_governance::member::ApprovalGroup;
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::reason::Code;
use chancery_governance::remedy::{self, Step};
use chancery_governance::secret::Attests;
use chancery_governance::state::State;
use chancery_governance::subject::Subject;
use chancery_governance::usage::Period;
use chancery_ledger::entry::{Actor, Authority};
use chancery_ledger::id::MemberId;
use chancery_ledger::key::KeyId;
use proptest::prelude::*;

use facts::Facts;
use play::{Op, Played, Rotation, ops, play};

use crate::support::codes;

/// Sequences are long and each command is decided for real, so there are fewer of them than usual;
/// `PROPTEST_CASES` asks for more. A failure prints the shortest sequence and the seed.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if default.cases == 256 { 48 } else { default.cases };
    ProptestConfig { cases, ..default }
}

fn member(actor: Actor) -> Option<chancery_ledger::id::MemberId> {
    if let Actor::Member(id) = actor { Some(id) } else { None }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn invariant_1_approvers_are_computed_from_ownership((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        for (at, event) in &played.events {
            if let Event::QueryProposed(event) = event {
                let bound = event.binding.inputs.iter().chain([&event.binding.output]);
                let owners: BTreeSet<_> =
                    bound.map(|version| facts.owners[&version.dataset]).collect();
                prop_assert_eq!(&event.approvers, &owners.into_iter().collect::<Vec<_>>());
                prop_assert_eq!(&event.groups, &facts.groups());
            }
            facts.see(at, event);
        }
    }

    #[test]
    fn invariant_2_a_vote_binds_to_the_digest((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        for (at, event) in &played.events {
            let Subject::Query(query) = at.subject else {
                facts.see(at, event);
                continue;
            };
            match event {
                Event::QueryApproved(vote) => {
                    let (digest, ..) = facts.live[&query];
                    prop_assert_eq!(vote.digest, digest);
                }
                Event::QueryAccepted(accepted) => {
                    // Nothing that the proposal is about has changed since it was made.
                    let (digest, proposed_at, uses) = &facts.live[&query];
                    prop_assert_eq!(accepted.digest, *digest);
                    for dataset in uses {
                        prop_assert!(facts.changed[dataset] < *proposed_at);
                    }
                    prop_assert!(accepted.votes.iter().all(|vote| vote > proposed_at));
                }
                _ => {}
            }
            facts.see(at, event);
        }
    }

    #[test]
    fn invariant_2_a_new_version_or_an_edit_voids_votes((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        for batch in played.batches() {
            // What each proposal that was live before is about, and what this command changes.
            let live = facts.live.clone();
            let mut changed = BTreeSet::new();
            let (mut superseded, mut wide) = (BTreeSet::new(), false);
            for (at, event) in batch {
                match (event, at.subject) {
                    (Event::DatasetPublished(_) | Event::DatasetRetired(_), Subject::Dataset(id)) => {
                        changed.insert(id);
                    }
                    (Event::QuerySuperseded(_), Subject::Query(id)) => {
                        prop_assert!(superseded.insert(id), "superseded twice");
                    }
                    (Event::QueryProposed(_), Subject::Query(id)) => {
                        // Its votes so far are void: acceptance takes every approver anew.
                        prop_assert!(!facts.live.contains_key(&id));
                    }
                    // These end more than what stands on a dataset: see invariants 7 and 8.
                    (
                        Event::CollaboratorRemoved(_)
                        | Event::AbilityRevoked(_)
                        | Event::ChangeCommitted(_),
                        _,
                    ) => wide = true,
                    _ => {}
                }
                facts.see(at, event);
            }
            let touched: BTreeSet<_> = live
                .iter()
                .filter(|(_, (.., uses))| uses.iter().any(|dataset| changed.contains(dataset)))
                .map(|(query, _)| *query)
                .collect();
            prop_assert!(touched.is_subset(&superseded), "{touched:?} stand on what changed");
            prop_assert!(wide || superseded == touched, "superseded without a cause");
            prop_assert!(superseded.iter().all(|query| live.contains_key(query)));
        }
    }

    #[test]
    fn invariant_3_one_rejection_ends_and_a_vote_is_final((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        let mut voted: BTreeMap<Subject, BTreeSet<MemberId>> = BTreeMap::new();
        let mut open: BTreeMap<Subject, (BTreeSet<MemberId>, Vec<ApprovalGroup>)> = BTreeMap::new();
        for (at, event) in &played.events {
            let has_vote = |voter: MemberId| {
                open.get(&at.subject).is_some_and(|(owners, groups)| {
                    owners.contains(&voter)
                        || groups.iter().any(|group| group.members.contains(&voter))
                })
            };
            match event {
                Event::QueryProposed(event) => {
                    let owners = event.approvers.iter().copied().collect();
                    open.insert(at.subject, (owners, event.groups.clone()));
                    voted.insert(at.subject, BTreeSet::new());
                }
                Event::QueryApproved(_) | Event::QueryRejected(_) => {
                    let voter = member(at.actor).unwrap();
                    prop_assert!(has_vote(voter), "no approver, or not open");
                    prop_assert!(voted.get_mut(&at.subject).unwrap().insert(voter), "voted twice");
                    // Every vote, the author's too, is an act of its own.
                    prop_assert!(played.is_own_act(at.position), "a vote that nobody cast");
                    if let Event::QueryRejected(_) = event {
                        open.remove(&at.subject);
                    }
                }
                Event::QueryApprovedByRule(vote) => {
                    // A rule that stands, and that its member set by an act of its own.
                    prop_assert!(has_vote(vote.member), "no approver, or not open");
                    prop_assert!(voted.get_mut(&at.subject).unwrap().insert(vote.member));
                    let set = Some((vote.member, vote.rule_position));
                    prop_assert_eq!(facts.rules.get(&vote.rule).copied(), set);
                    prop_assert!(played.is_own_act(vote.rule_position));
                }
                Event::QueryAccepted(_) => {
                    let (owners, groups) = open.remove(&at.subject).unwrap();
                    let votes = &voted[&at.subject];
                    prop_assert!(owners.is_subset(votes), "an owner has not voted");
                    for group in groups {
                        let yes = group.members.iter().filter(|id| votes.contains(id)).count();
                        prop_assert!(yes as u64 >= group.needed, "{} has not", group.name);
                    }
                }
                Event::QueryWithdrawn(_) | Event::QuerySuperseded(_) => {
                    open.remove(&at.subject);
                }
                _ => {}
            }
            facts.see(at, event);
        }
    }

    #[test]
    fn invariant_4_a_run_is_admitted_only_while_all_stands((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        let mut asked = BTreeMap::new();
        for (at, event) in &played.events {
            match event {
                Event::RunRequested(event) => {
                    prop_assert_eq!(facts.against(event.query, member(at.actor).unwrap()), Vec::new());
                    prop_assert_eq!(facts.accepted.get(&event.query), Some(&event.digest));
                    let runner = member(at.actor).unwrap();
                    prop_assert!(!facts.is_spent(event.query, runner, at.time_ms), "over budget");
                    asked.insert(at.subject, (event.query, event.digest, runner));
                }
                Event::RunAdmitted(event) => {
                    let (query, digest, runner) = asked[&at.subject];
                    prop_assert_eq!(facts.against(query, runner), Vec::new());
                    prop_assert_eq!(facts.accepted.get(&query), Some(&digest));
                    prop_assert!(facts.applications.contains(&event.measurement));
                    prop_assert!(facts.demands == Demands::default(), "no evidence here says more");
                    prop_assert_eq!(at.actor, Actor::Executor(event.executor.id()));
                }
                Event::RunRefused(event) => prop_assert!(!event.reasons.is_empty()),
                _ => {}
            }
            facts.see(at, event);
        }
    }

    #[test]
    fn invariant_5_withdrawing_consent_cancels_at_once((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        let mut live: BTreeMap<Subject, _> = BTreeMap::new();
        let mut due: BTreeSet<Subject> = BTreeSet::new();
        for (at, event) in &played.events {
            let ends = matches!(
                event,
                Event::RunCancelled(_)
                    | Event::RunFailed(_)
                    | Event::RunSucceeded(_)
                    | Event::RunRefused(_)
            );
            match event {
                Event::ConsentWithdrawn(event) if event.kind == ConsentKind::Execution => {
                    let touched = live.iter().filter(|(_, query)| facts.covers(at.subject, **query));
                    due = touched.map(|(run, _)| *run).collect();
                }
                Event::RunRequested(event) => {
                    live.insert(at.subject, event.query);
                }
                _ if ends => {
                    live.remove(&at.subject);
                    if due.contains(&at.subject) {
                        prop_assert!(matches!(event, Event::RunCancelled(_)));
                        due.remove(&at.subject);
                    }
                }
                _ => prop_assert!(due.is_empty(), "{} before the cancellations", event.kind()),
            }
            facts.see(at, event);
        }
        prop_assert!(due.is_empty());
    }

    #[test]
    fn invariants_4_and_5_a_secret_leaves_only_while_all_stands_and_to_one_key(
        (start, ops) in ops()
    ) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        // The query and runner of each run, and its executor with what that was measured as.
        let mut asked = BTreeMap::new();
        let mut admitted: BTreeMap<Subject, (KeyId, _)> = BTreeMap::new();
        let mut stored: BTreeMap<Subject, _> = BTreeMap::new();
        let mut released = BTreeSet::new();
        for (at, event) in &played.events {
            let (given, of) = match event {
                Event::SecretReleased(event) => {
                    let dataset = Subject::Dataset(event.dataset.dataset);
                    prop_assert_eq!(stored.get(&dataset), Some(&event.ciphertext));
                    let (executor, _) = admitted[&at.subject];
                    prop_assert!(released.insert((at.subject, dataset, executor)), "twice");
                    (true, Some(event.dataset.dataset))
                }
                Event::TokenMinted(event) => (true, Some(event.dataset.dataset)),
                Event::SecretRefused(event) => {
                    prop_assert!(!event.reasons.is_empty());
                    (false, None)
                }
                Event::TokenRefused(event) => {
                    prop_assert!(!event.reasons.is_empty());
                    (false, None)
                }
                _ => (false, None),
            };
            if given {
                let (query, digest, runner) = asked[&at.subject];
                let (executor, measurement) = admitted[&at.subject];
                prop_assert_eq!(at.actor, Actor::Executor(executor));
                prop_assert_eq!(facts.against(query, runner), Vec::new());
                prop_assert_eq!(facts.accepted.get(&query), Some(&digest));
                prop_assert!(facts.applications.contains(&measurement));
                prop_assert!(facts.running.contains_key(&at.subject), "the run has ended");
                prop_assert!(of.is_some_and(|dataset| facts.uses[&query].contains(&dataset)));
            }
            match event {
                Event::RunRequested(event) => {
                    let runner = member(at.actor).unwrap();
                    asked.insert(at.subject, (event.query, event.digest, runner));
                }
                Event::RunAdmitted(event) => {
                    admitted.insert(at.subject, (event.executor.id(), event.measurement));
                }
                Event::DatasetSecretStored(event) => {
                    prop_assert_eq!(facts.owners.values().find(|id| Some(**id) == member(at.actor)).copied(), member(at.actor));
                    stored.insert(at.subject, event.ciphertext);
                }
                Event::DatasetSecretErased(_)
                | Event::DatasetRetired(_)
                | Event::DatasetPublished(_) => {
                    stored.remove(&at.subject);
                }
                _ => {}
            }
            facts.see(at, event);
        }
    }

    #[test]
    fn invariant_4_no_budget_is_ever_overrun((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        for (at, event) in &played.events {
            let before = facts.counted.len();
            facts.see(at, event);
            // Counted with the new run in it, each budget that stood at the request holds.
            if let Event::RunRequested(event) = event {
                prop_assert_eq!(facts.counted.len(), before + 1);
                let runner = member(at.actor).unwrap();
                let run = facts.counted.remove(&at.subject).unwrap();
                prop_assert!(!facts.is_spent(event.query, runner, at.time_ms));
                facts.counted.insert(at.subject, run);
            }
        }
        // The rules' own count agrees with one that is made run by run.
        let room = played.world.room();
        for (dataset, descriptor) in &facts.descriptors {
            for period in Period::ALL {
                let now_ms = room.last_time_ms;
                let number = period_of(period, now_ms);
                for runner in room.members.keys() {
                    let runs = facts.counted.values().filter(|(at_ms, by, on, _)| {
                        on.contains(dataset) && period_of(period, *at_ms) == number && by == runner
                    });
                    let used = room.spent.used(*dataset, (period, now_ms), Some(*runner));
                    prop_assert_eq!(used, runs.count() as u64, "{}", descriptor.name);
                }
            }
        }
    }

    #[test]
    fn invariant_5_no_statistics_leave_over_which_consent_to_telemetry_is_withdrawn(
        (start, ops) in ops()
    ) {
        let played = play(start, &ops);
        let mut facts = Facts::default();
        let mut marks: BTreeSet<(Subject, _)> = BTreeSet::new();
        let mut runs = BTreeMap::new();
        for (at, event) in &played.events {
            let actor = member(at.actor);
            match event {
                Event::ConsentWithdrawn(event) if event.kind == ConsentKind::Telemetry => {
                    marks.insert((at.subject, actor));
                }
                Event::ConsentRestored(event) if event.kind == ConsentKind::Telemetry => {
                    marks.remove(&(at.subject, actor));
                }
                Event::RunRequested(event) => {
                    runs.insert(at.subject, event.query);
                }
                Event::RunSucceeded(event) => {
                    let query = runs[&at.subject];
                    let withheld = marks.iter().any(|(subject, _)| facts.covers(*subject, query));
                    let statistics = &event.result.statistics;
                    prop_assert!(
                        !withheld || statistics.inputs.is_empty() && statistics.segments.is_empty()
                    );
                }
                _ => {}
            }
            facts.see(at, event);
        }
    }

    #[test]
    fn invariant_5_a_pause_or_a_close_cancels_at_once_and_a_close_is_final(
        (start, ops) in ops()
    ) {
        let played = play(start, &ops);
        let mut live = BTreeSet::new();
        let (mut stopping, mut closed) = (false, false);
        for (at, event) in &played.events {
            match event {
                Event::CollaborationPaused(_) => stopping = true,
                Event::CollaborationClosed(_) => (stopping, closed) = (true, true),
                Event::RunCancelled(_) if stopping => {
                    prop_assert!(live.remove(&at.subject), "cancelled twice");
                }
                Event::RunRequested(_) => {
                    prop_assert!(!closed);
                    live.insert(at.subject);
                }
                Event::RunCancelled(_)
                | Event::RunFailed(_)
                | Event::RunSucceeded(_)
                | Event::RunRefused(_) => {
                    live.remove(&at.subject);
                }
                Event::SubjectErased(_)
                | Event::ServiceKeyRotated(_)
                | Event::DatasetSecretErased(_)
                | Event::SecretRefused(_)
                | Event::TokenRefused(_) => {}
                _ => prop_assert!(!closed, "{} after the close", event.kind()),
            }
            if stopping && !matches!(
                event,
                Event::CollaborationPaused(_) | Event::CollaborationClosed(_) | Event::RunCancelled(_)
            ) {
                prop_assert!(live.is_empty() || matches!(event, Event::RunRequested(_)));
                stopping = false;
            }
        }
        prop_assert!(!stopping || live.is_empty());
    }

    #[test]
    fn invariant_6_a_run_has_exactly_one_outcome((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut ended = BTreeSet::new();
        for (at, event) in &played.events {
            // A refused request moves nothing, and may come late.
            let refused = matches!(event, Event::SecretRefused(_) | Event::TokenRefused(_));
            if let (Subject::Run(_), false) = (at.subject, refused) {
                prop_assert!(!ended.contains(&at.subject), "{} after the outcome", event.kind());
            }
            match event {
                Event::RunRefused(_)
                | Event::RunCancelled(_)
                | Event::RunFailed(_)
                | Event::RunSucceeded(_) => {
                    ended.insert(at.subject);
                }
                _ => {}
            }
        }
        let by_state = played.world.room().runs.iter().filter(|(_, run)| run.stage.ended());
        let by_state: BTreeSet<_> = by_state.map(|(id, _)| Subject::Run(*id)).collect();
        prop_assert_eq!(by_state, ended);
    }

    #[test]
    fn invariant_8_what_was_forged_is_refused_and_keyed_members_are_always_signed(
        (start, ops) in ops()
    ) {
        let played = play(start, &ops);
        for (op, tried) in played.forged() {
            prop_assert!(tried.is_err(), "{op:?} was taken: {tried:?}");
        }
        let mut keyed = BTreeSet::new();
        let mut facts = Facts::default();
        let mut replaced = BTreeSet::new();
        for ((at, event), sealed) in played.events.iter().zip(&played.world.log) {
            if let (Event::ChangeCommitted(_), Subject::Change(id)) = (event, at.subject)
                && let (_, Change::ReplaceKey { member, key }) = &facts.changes[&id]
            {
                replaced.insert((*member, *key));
            }
            facts.see(at, event);
            if let Authority::ServiceWitnessed(_) = sealed.entry().authority {
                let by = member(at.actor).unwrap();
                // But the one key that the members voted to put in the place of lost ones.
                let lost = matches!(event, Event::SigningKeyRegistered(event)
                    if replaced.remove(&(by, event.key.id())));
                prop_assert!(lost || !keyed.contains(&by), "witnessed at {}", at.position);
            }
            if let Event::SigningKeyRegistered(_) = event {
                keyed.insert(member(at.actor).unwrap());
            }
        }
    }

    #[test]
    fn invariant_8_a_service_changes_its_key_once_each_and_nothing_else((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut rotations = played.tried.iter().filter_map(|(op, tried)| match op {
            Op::Rotate(_, how) => Some((how, tried)),
            _ => None,
        });
        prop_assert!(rotations.all(|(how, tried)| tried.is_err() || *how == Rotation::Right));
        // Each entry is sealed by the newest key, and no key comes twice.
        let mut seals: Vec<KeyId> = Vec::new();
        for ((at, event), sealed) in played.events.iter().zip(&played.world.log) {
            if let Event::CollaborationCreated(event) = event {
                seals.push(event.service_key.id());
            }
            prop_assert_eq!(Some(&sealed.key_id()), seals.last());
            let by_service = matches!(sealed.entry().authority, Authority::ServiceSigned(_));
            // Beside its key it announces those for secrets and tokens.
            let announces = matches!(event, Event::AttestationRecorded(event)
                if matches!(event.attests, Attests::Service { .. }));
            prop_assert_eq!(by_service, announces || matches!(event, Event::ServiceKeyRotated(_)));
            prop_assert_eq!(by_service, matches!(at.actor, Actor::Service(_)));
            if let Event::ServiceKeyRotated(event) = event {
                prop_assert_eq!(at.actor, Actor::Service(event.key.id()));
                prop_assert!(!seals.contains(&event.key.id()), "a key came back");
                seals.push(event.key.id());
            }
        }
        prop_assert_eq!(Some(&played.world.room().service_key.id()), seals.last());
        for (position, sealed) in (0..).zip(&played.world.log) {
            prop_assert_eq!(played.world.room().service_key_at(position).id(), sealed.key_id());
        }
    }

    #[test]
    fn invariant_9_refusals_have_codes_and_readiness_tells_all((start, ops) in ops()) {
        let played = play(start, &ops);
        for (_, tried) in &played.tried {
            if let Err(rejection) = tried {
                for reason in rejection.reasons() {
                    prop_assert_eq!(Code::from_text(reason.code.as_str()), Some(reason.code));
                    prop_assert!(!reason.detail.is_empty());
                }
                let family = rejection.first.code.family();
                prop_assert_eq!(family, codes(tried)[0].family());
            }
        }
        let mut facts = Facts::default();
        for (at, event) in &played.events {
            facts.see(at, event);
        }
        let room = played.world.room();
        for query in room.queries.keys() {
            for runner in room.members.keys() {
                let asked = Asked { runner: Some(*runner), now_ms: facts.now_ms, run: None };
                let told = readiness_at(room, *query, &asked);
                let told: BTreeSet<_> = told.iter().map(|reason| reason.code).collect();
                let mut against: BTreeSet<_> = facts.against(*query, *runner).into_iter().collect();
                if facts.is_spent(*query, *runner, facts.now_ms) {
                    against.insert(Code::RunBudgetSpent);
                }
                // Beside those that the events show, an unaccepted query says why it is not.
                let why = [
                    Code::ApprovalMissing,
                    Code::DatasetVersionChanged,
                    Code::DatasetRetired,
                    Code::MemberRemoved,
                    Code::TermsChanged,
                    Code::AbilityMissing,
                ];
                if against.contains(&Code::QueryNotAccepted) {
                    against.extend(told.iter().filter(|code| why.contains(code)));
                    against.extend(told.get(&Code::CleanRoomPolicyChanged));
                }
                prop_assert_eq!(told, against);
                let asked = Asked { runner: Some(*runner), now_ms: facts.now_ms, run: None };
                let reasons = readiness_at(room, *query, &asked);
                let remedies = remedy::of(room, *query, &asked, &reasons);
                prop_assert_eq!(reasons.len(), remedies.len());
                for (reason, remedy) in reasons.iter().zip(&remedies) {
                    // Who can end it is a member; beyond help is only what is closed, or whose
                    // author left.
                    prop_assert!(remedy.who.iter().all(|id| room.members.contains_key(id)));
                    let helpless = remedy.step == Step::Nothing;
                    let closed = reason.code == Code::CollaborationClosed;
                    let left = !room.members.contains_key(&room.queries[query].author);
                    let fits = if helpless { closed || left } else { !closed };
                    prop_assert!(fits, "{reason:?} {remedy:?}");
                    prop_assert_eq!(helpless, remedy.who.is_empty());
                }
            }
        }
    }

    #[test]
    fn what_the_fold_keeps_of_ties_is_what_a_search_finds((start, ops) in ops()) {
        let played = play(start, &ops);
        let mut state = State::Absent;
        for sealed in &played.world.log {
            state = log::fold(state, sealed).unwrap();
            prop_assert_eq!(ties::differing(state.collaboration().unwrap()), [""; 0]);
        }
        prop_assert_eq!(state, played.world.state);
    }

    #[test]
    fn every_log_that_the_handler_makes_replays((start, ops) in ops()) {
        play(start, &ops).world.check_replay();
    }
}

/// The sequences are worth their time only if they get somewhere.
#[test]
fn the_sequences_reach_every_event_and_most_codes() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut kinds, mut met) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..300 {
        let (start, ops) = ops().new_tree(&mut runner).unwrap().current();
        let played: Played = play(start, &ops);
        kinds.extend(played.events.iter().map(|(_, event)| event.kind()));
        met.extend(played.tried.iter().flat_map(|(_, tried)| codes(tried)));
    }
    let missing: Vec<_> = Event::KINDS.iter().filter(|kind| !kinds.contains(*kind)).collect();
    assert_eq!(missing, [&""; 0], "in no sequence");
    assert!(met.len() >= 50, "{} codes: {met:?}", met.len());
}
