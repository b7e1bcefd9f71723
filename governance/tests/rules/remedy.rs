//! What to do about each reason, and who can.

use chancery_governance::command::{
    CloseCollaboration, PauseCollaboration, PublishDataset, RequestRun, RestoreConsent,
    RetireDataset, WithdrawConsent, WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::event::Event;
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::remedy::{self, Remedy, Step};
use chancery_governance::usage::{Period, Receiver, RunBudget};
use chancery_ledger::digest::Digest;

use crate::readiness::without_workload;
use crate::support::World;
use crate::support::fixtures::{
    admit, application, campaigns_s, moved, orders, orders_s, query_id, query_s, room, run_id,
    run_s,
};
use crate::support::people::Who;

/// The remedies where `runner` would run the query; there is one for each reason.
fn remedies(world: &World, runner: Who) -> Vec<Remedy> {
    let asked = Asked { runner: Some(runner.member()), now_ms: world.now_ms, run: None };
    let reasons = readiness_at(world.room(), query_id(), &asked);
    let remedies = remedy::of(world.room(), query_id(), &asked, &reasons);
    assert_eq!(reasons.len(), remedies.len());
    for remedy in &remedies {
        assert!(!remedy.detail.is_empty());
    }
    remedies
}

fn steps(world: &World, runner: Who) -> Vec<(Step, Vec<Who>)> {
    let who = |remedy: &Remedy| {
        let named = Who::MEMBERS.into_iter().filter(|who| remedy.who.contains(&who.member()));
        named.collect()
    };
    remedies(world, runner).iter().map(|remedy| (remedy.step, who(remedy))).collect()
}

use Who::{Contosso, Fabrikam, Litware};

#[test]
fn each_stage_of_a_query_has_its_step() {
    assert_eq!(steps(&World::accepted(), Fabrikam), []);
    assert_eq!(steps(&World::drafted(), Fabrikam), [(Step::ProposeQuery, vec![Fabrikam])]);
    let mut world = World::proposed();
    world.approve(Contosso).unwrap();
    assert_eq!(
        steps(&world, Fabrikam),
        [
            (Step::Vote, vec![Litware, Fabrikam]),
            (Step::Vote, vec![Fabrikam]),
            (Step::Vote, vec![Litware])
        ]
    );
    let mut world = World::accepted();
    world.fabrikam().does(query_s(), WithdrawQuery {}).unwrap();
    assert_eq!(steps(&world, Fabrikam), [(Step::ReviseQuery, vec![Fabrikam])]);
    let mut world = World::accepted();
    let publish = PublishDataset { descriptor: moved(orders(), 2) };
    world.litware().does(orders_s(), publish).unwrap();
    assert_eq!(
        steps(&world, Fabrikam),
        [(Step::ReviseQuery, vec![Fabrikam]), (Step::ReviseQuery, vec![Fabrikam])]
    );
}

#[test]
fn what_stands_against_a_run_is_told_with_who_can_end_it() {
    let mut world = without_workload();
    let withdraw = || WithdrawConsent { kind: ConsentKind::Execution };
    world.contosso().does(query_s(), withdraw()).unwrap();
    world.fabrikam().does(query_s(), withdraw()).unwrap();
    world.contosso().does(campaigns_s(), withdraw()).unwrap();
    let pause = PauseCollaboration { reason: "An incident.".into() };
    world.litware().does(room(), pause).unwrap();
    assert_eq!(
        steps(&world, Litware),
        [
            (Step::ResumeCollaboration, vec![Litware]),
            (Step::EnableWorkload, vec![Litware]),
            (Step::GrantAbility, vec![Litware]),
            (Step::RestoreConsent, vec![Contosso]),
            (Step::RestoreConsent, vec![Fabrikam]),
            (Step::RestoreConsent, vec![Contosso]),
        ]
    );
    world.set_policy(&[application(), chancery_ledger::digest::Digest::of(b"two")]);
    let last = steps(&world, Litware).pop();
    assert_eq!(last, Some((Step::ProposeAgain, vec![Fabrikam])));
}

#[test]
fn a_spent_budget_says_when_it_is_free_or_who_can_raise_it() {
    let mut world = World::stocked();
    let mut limited = orders();
    let budget = |period| RunBudget { period, runs: 1, each_runner: false };
    limited.usage.budgets = vec![budget(Period::Life), budget(Period::Day)];
    world.litware().does(orders_s(), PublishDataset { descriptor: limited }).unwrap();
    let mut world = world.draft().propose().accept();
    world.request(run_id()).unwrap();
    let told = remedies(&world, Fabrikam);
    let day = 1_767_225_600_000 + 86_400_000;
    assert_eq!(
        told.iter().map(|it| (it.step, it.at_ms)).collect::<Vec<_>>(),
        [(Step::RaiseBudget, None), (Step::AwaitBudget, Some(day))]
    );
    assert!(told.iter().all(|it| it.who == [Litware.member()]));
    assert!(told[1].detail.contains("2026-01-02T00:00:00Z"), "{}", told[1].detail);
    // Admitted once, the run is counted for good. Retired, the dataset gets no larger budget, and a
    // free one is of no use.
    let admission = admit(&world, run_id(), &world.executor);
    world.report(run_id(), admission).unwrap();
    world.litware().does(orders_s(), RetireDataset {}).unwrap();
    let told = remedies(&world, Fabrikam);
    assert!(told.len() > 2, "{told:?}");
    let revise = told.iter().all(|it| it.step == Step::ReviseQuery && it.at_ms.is_none());
    assert!(revise && told.iter().all(|it| it.who == [Fabrikam.member()]), "{told:?}");
}

#[test]
fn nothing_helps_a_closed_collaboration() {
    let mut world = World::accepted();
    let close = CloseCollaboration { reason: "Over.".into() };
    world.litware().does(room(), close).unwrap();
    assert_eq!(steps(&world, Fabrikam), [(Step::Nothing, vec![])]);
}

#[test]
fn an_input_that_lets_nobody_receive_names_its_owner() {
    // It was proposed under a version that let them, and the name is another's since.
    let mut world = World::proposed();
    let room = world.state.collaboration().unwrap().clone();
    let mut room = Box::new(room);
    let version = room.datasets.get_mut(&crate::support::fixtures::orders_id()).unwrap();
    version.versions[0].descriptor.usage.receivers = vec![Receiver::Organisation("Nobody".into())];
    world.state = chancery_governance::state::State::Present(room);
    let steps = steps(&world, Fabrikam);
    assert!(steps.contains(&(Step::AllowReceiver, vec![Litware])), "{steps:?}");
}

#[test]
fn the_texts_of_the_steps_are_distinct() {
    let texts: std::collections::BTreeSet<_> = Step::ALL.iter().map(|step| step.as_str()).collect();
    assert_eq!(texts.len(), Step::ALL.len());
}

#[test]
fn a_refused_run_has_a_remedy_for_each_reason_that_still_stands() {
    let mut world = World::accepted();
    let withdraw = || WithdrawConsent { kind: ConsentKind::Execution };
    world.contosso().does(query_s(), withdraw()).unwrap();
    world.fabrikam().does(query_s(), withdraw()).unwrap();
    let digest = Digest::of(b"another");
    let events = world.fabrikam().does(run_s(), RequestRun { query: query_id(), digest }).unwrap();
    let [(_, Event::RunRefused(refused))] = &events[..] else { panic!("{events:?}") };
    let remedies = |world: &World| {
        let each = remedy::of_refused(world.room(), run_id(), refused, world.now_ms).into_iter();
        each.map(|remedy| remedy.map(|it| (it.step, it.who))).collect::<Vec<_>>()
    };
    let restore = |who: Who| Some((Step::RestoreConsent, vec![who.member()]));
    let name = Some((Step::NameDigest, vec![Fabrikam.member()]));
    let mut both = [restore(Contosso), restore(Fabrikam)];
    both.sort_by_key(|it| it.as_ref().map(|(_, who)| who.clone()));
    assert_eq!(remedies(&world), [both[0].clone(), both[1].clone(), name.clone()]);
    world.contosso().does(query_s(), RestoreConsent { kind: ConsentKind::Execution }).unwrap();
    let left = both.map(|it| it.filter(|(_, who)| *who == [Fabrikam.member()]));
    assert_eq!(remedies(&world), [left[0].clone(), left[1].clone(), name]);
}
