//! Budgets of runs: what counts, until when, and what a spent one refuses.

use chancery_governance::budget;
use chancery_governance::calendar;
use chancery_governance::command::{CancelRun, FailRun, PublishDataset};
use chancery_governance::dataset::Descriptor;
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::reason::Code;
use chancery_governance::subject::Subject;
use chancery_governance::usage::{BUDGETS_MAX, Period, RunBudget};
use chancery_ledger::id::RunId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    admit, campaigns, campaigns_s, orders, orders_id, orders_s, query_id, report, report_s,
};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, kinds, uuid};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn run(number: u64) -> RunId {
    RunId::new(uuid(0x9, number))
}

fn runs(period: Period, runs: u64) -> RunBudget {
    RunBudget { period, runs, each_runner: false }
}

fn with(mut descriptor: Descriptor, budgets: &[RunBudget]) -> PublishDataset {
    descriptor.usage.budgets = budgets.to_vec();
    PublishDataset { descriptor }
}

/// An accepted query on orders of these budgets.
fn accepted(budgets: &[RunBudget]) -> World {
    let mut world = World::stocked();
    if !budgets.is_empty() {
        world.litware().does(orders_s(), with(orders(), budgets)).unwrap();
    }
    world.draft().propose().accept()
}

fn admitted(world: &mut World, id: RunId) {
    world.request(id).unwrap();
    let command = admit(world, id, &world.executor);
    assert_eq!(kinds(&world.report(id, command)), ["RunAdmitted"]);
}

#[test]
fn a_spent_budget_refuses_until_its_period_ends() {
    for period in Period::ALL {
        let mut world = accepted(&[runs(period, 2)]);
        let begin = world.now_ms;
        admitted(&mut world, run(1));
        admitted(&mut world, run(2));
        let refused = world.request(run(3));
        assert_eq!(kinds(&refused), ["RunRefused"], "{period:?}");
        assert_eq!(codes(&refused), [Code::RunBudgetSpent]);
        let Some(next_ms) = calendar::next_begins_ms(period, begin) else {
            world.now_ms += 5_000 * DAY_MS;
            assert_eq!(codes(&world.request(run(4))), [Code::RunBudgetSpent], "a life is one");
            continue;
        };
        world.now_ms = next_ms - 1;
        assert_eq!(codes(&world.request(run(4))), [Code::RunBudgetSpent]);
        world.now_ms = next_ms;
        assert_eq!(kinds(&world.request(run(5))), ["RunRequested"]);
        world.check_replay();
    }
}

#[test]
fn a_run_counts_from_its_request_and_not_when_it_ends_before_an_admission() {
    let mut world = accepted(&[runs(Period::Life, 1)]);
    world.request(run(1)).unwrap();
    assert_eq!(codes(&world.request(run(2))), [Code::RunBudgetSpent], "two at once");
    // Its own place is in no way of its admission.
    world.fabrikam().does(Subject::Run(run(1)), CancelRun {}).unwrap();
    world.request(run(3)).unwrap();
    let command = admit(&world, run(3), &world.executor);
    assert_eq!(kinds(&world.report(run(3), command)), ["RunAdmitted"]);
    let failed = FailRun { code: "out_of_memory".into(), detail: "Killed.".into() };
    world.report(run(3), failed).unwrap();
    assert_eq!(codes(&world.request(run(4))), [Code::RunBudgetSpent], "admitted, it is spent");
    world.check_replay();
}

#[test]
fn a_second_admission_counts_once() {
    let mut world = accepted(&[runs(Period::Life, 2)]);
    admitted(&mut world, run(1));
    let command = admit(&world, run(1), &world.executor);
    world.report(run(1), command).unwrap();
    assert_eq!(kinds(&world.request(run(2))), ["RunRequested"]);
    world.check_replay();
}

#[test]
fn what_is_given_back_is_of_the_period_that_it_was_taken_from() {
    let mut world = accepted(&[runs(Period::Day, 1), runs(Period::Life, 2)]);
    world.request(run(1)).unwrap();
    world.now_ms += DAY_MS;
    world.request(run(2)).unwrap();
    world.fabrikam().does(Subject::Run(run(1)), CancelRun {}).unwrap();
    // Today's is spent still; of the life one is free again.
    assert_eq!(codes(&world.request(run(3))), [Code::RunBudgetSpent]);
    world.now_ms += DAY_MS;
    assert_eq!(kinds(&world.request(run(4))), ["RunRequested"]);
    world.check_replay();
}

#[test]
fn a_run_of_the_evening_is_admitted_in_the_morning() {
    let mut world = accepted(&[runs(Period::Day, 1)]);
    world.request(run(1)).unwrap();
    world.now_ms += DAY_MS;
    world.request(run(2)).unwrap();
    for id in [run(1), run(2)] {
        let command = admit(&world, id, &world.executor);
        assert_eq!(kinds(&world.report(id, command)), ["RunAdmitted"]);
    }
    world.check_replay();
}

#[test]
fn a_new_version_keeps_the_count() {
    let mut world = accepted(&[]);
    admitted(&mut world, run(1));
    let budget = with(orders(), &[runs(Period::Life, 1)]);
    world.litware().does(orders_s(), budget).unwrap();
    let definition = crate::support::fixtures::definition();
    let revise = chancery_governance::command::ReviseQuery { definition };
    world.fabrikam().does(Subject::Query(query_id()), revise).unwrap();
    let mut world = world.propose().accept();
    assert_eq!(codes(&world.request(run(2))), [Code::RunBudgetSpent]);
    world.check_replay();
}

#[test]
fn every_dataset_of_a_query_has_its_own_budget_and_all_are_told_at_once() {
    let mut world = World::stocked();
    let one = [runs(Period::Day, 1), runs(Period::Month, 1)];
    world.litware().does(orders_s(), with(orders(), &one)).unwrap();
    world.contosso().does(campaigns_s(), with(campaigns(), &one[..1])).unwrap();
    world.fabrikam().does(report_s(), with(report(), &one[1..])).unwrap();
    let mut world = world.draft().propose().accept();
    admitted(&mut world, run(1));
    let refused = world.request(run(2));
    assert_eq!(codes(&refused), [Code::RunBudgetSpent; 4]);
    world.check_replay();
}

#[test]
fn a_budget_of_each_runner_is_each_ones_own() {
    let each = RunBudget { each_runner: true, ..runs(Period::Day, 1) };
    let mut world = accepted(&[each]);
    admitted(&mut world, run(1));
    assert_eq!(codes(&world.request(run(2))), [Code::RunBudgetSpent]);
    let asked =
        |who: Option<Who>, now_ms| Asked { runner: who.map(Who::member), now_ms, run: None };
    let of = |who| budget::standings(world.room(), orders_id(), &asked(who, world.now_ms));
    assert_eq!(of(Some(Who::Fabrikam))[0].used, 1);
    assert_eq!(of(Some(Who::Contosso))[0].used, 0);
    assert_eq!(of(None), [], "without a runner it says nothing");
}

#[test]
fn readiness_says_when_it_is_free_again() {
    let mut world = accepted(&[runs(Period::Day, 1)]);
    admitted(&mut world, run(1));
    let asked = Asked { runner: Some(Who::Fabrikam.member()), now_ms: world.now_ms, run: None };
    let reasons = readiness_at(world.room(), query_id(), &asked);
    assert_eq!(reasons.len(), 1);
    assert_eq!(
        reasons[0].detail,
        "orders allows 1 run a day; they are spent, and free again at 2026-01-02T00:00:00Z"
    );
}

fn published(budgets: &[RunBudget]) -> Tried {
    World::stocked().litware().does(orders_s(), with(orders(), budgets))
}

#[test]
fn all_kinds_of_budget_fit_a_dataset() {
    let all: Vec<_> = Period::ALL
        .into_iter()
        .flat_map(|period| [runs(period, 1), RunBudget { each_runner: true, ..runs(period, 1) }])
        .collect();
    assert_eq!(all.len(), BUDGETS_MAX);
    assert!(published(&all).is_ok());
    assert!(published(&[runs(Period::Day, 1_000_000)]).is_ok());
}

pub fn cases() -> Vec<Case> {
    vec![
        case("a spent budget", Code::RunBudgetSpent, || {
            let mut world = accepted(&[runs(Period::Week, 1)]);
            admitted(&mut world, run(1));
            world.request(run(2))
        }),
        case("a budget of nothing", Code::InvalidDescriptor, || published(&[runs(Period::Day, 0)])),
        case("a budget without an end", Code::InvalidDescriptor, || {
            published(&[runs(Period::Day, 1_000_001)])
        }),
        case("a budget twice", Code::InvalidDescriptor, || {
            published(&[runs(Period::Day, 1), runs(Period::Day, 2)])
        }),
        case("more budgets than there are kinds", Code::LimitExceeded, || {
            published(&[runs(Period::Day, 1); BUDGETS_MAX + 1])
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}
