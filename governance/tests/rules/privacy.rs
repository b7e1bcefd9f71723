//! Differential privacy: what a query costs, what is left of a budget, and what a result must tell.

use chancery_governance::calendar;
use chancery_governance::command::{
    CancelRun, DraftQuery, FailRun, PublishDataset, ReviseQuery, SetAutoApprovalRule,
};
use chancery_governance::dataset::{
    AccessMode, ColumnType, Descriptor, GroupIdentity, MinimumGroup,
};
use chancery_governance::decimal::Decimal;
use chancery_governance::event::Event;
use chancery_governance::privacy::budget::standing;
use chancery_governance::privacy::{
    BUDGET_EPSILON_MICRO_MAX, Bounds, Charge, DECIMALS_MAX, DELTA_PICO_MAX, DISCRETE_LAPLACE,
    DeclaredValues, DifferentialPrivacy, Drawn, EPSILON_MICRO_MAX, EPSILON_MICRO_MIN, GROUPS_MAX,
    Loss, LossBudget, Mechanism, Noised, ROWS_MAX, VALUE_BYTES_MAX, VALUES_MAX,
};
use chancery_governance::query::{Definition, Input, PostFilter, PreCondition, Segment};
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::reason::Code;
use chancery_governance::rule::{AllowedInput, ApprovalRule, Shape};
use chancery_governance::run::{Attested, InputRows, Platform};
use chancery_governance::sql::RefusalCode;
use chancery_governance::state::run::Stage;
use chancery_governance::subject::Subject;
use chancery_governance::usage::Period;
use chancery_ledger::id::RunId;
use proptest::prelude::*;

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    admit, application, attested, definition, orders, orders_id, orders_s, propose, query_id,
    query_s, report_id, rule_s, submit, succeed_with,
};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, kinds, uuid};

const COST: Loss = Loss { epsilon_micro: 400_000, delta_pico: 1_000 };

fn run(number: u64) -> RunId {
    RunId::new(uuid(0x9, number))
}

fn policy(period: Period) -> DifferentialPrivacy {
    DifferentialPrivacy {
        unit: "customer".into(),
        budget: LossBudget { period, epsilon_micro: 1_000_000, delta_pico: 10_000 },
        query_epsilon_micro_max: 500_000,
        groups_max: 2,
        rows_max: 3,
        columns: vec![Bounds { column: "amount".into(), lower: 0, upper: 100, decimals: 0 }],
        declared: Vec::new(),
    }
}

fn private(policy: DifferentialPrivacy) -> Descriptor {
    let mut private = orders();
    private.policy.minimum_group = None;
    private.policy.column_rules.clear();
    private.policy.differential_privacy = Some(policy);
    private
}

fn query(sql: &str, privacy: Option<Loss>) -> Definition {
    Definition {
        segments: vec![Segment {
            order: 1,
            view: "result".into(),
            sql: sql.into(),
            pre_conditions: Vec::new(),
            post_filters: Vec::new(),
        }],
        inputs: vec![Input { alias: "orders".into(), dataset: orders_id() }],
        output: report_id(),
        parameters: Vec::new(),
        privacy,
        ..definition()
    }
}

/// A text that gives the report's columns.
const TEXT: &str =
    "SELECT region, SUM(amount) AS total, COUNT(*) AS spend FROM orders GROUP BY region";

fn world(policy: DifferentialPrivacy) -> World {
    let mut world = World::stocked();
    world.litware().does(orders_s(), PublishDataset { descriptor: private(policy) }).unwrap();
    world
}

fn drafted_with(definition: Definition) -> Tried {
    world(policy(Period::Life)).fabrikam().does(query_s(), DraftQuery { definition })
}

/// An accepted query over a private dataset.
fn accepted(policy: DifferentialPrivacy) -> World {
    let mut world = world(policy);
    let definition = query(TEXT, Some(COST));
    world.fabrikam().does(query_s(), DraftQuery { definition }).unwrap();
    approved(world.propose())
}

/// Contosso has no dataset in it.
fn approved(mut world: World) -> World {
    for who in [Who::Litware, Who::Fabrikam] {
        world.approve(who).unwrap();
    }
    world
}

fn admitted(world: &mut World, id: RunId) {
    world.request(id).unwrap();
    let command = admit(world, id, &world.executor);
    assert_eq!(kinds(&world.report(id, command)), ["RunAdmitted"]);
}

fn left(world: &World) -> Loss {
    standing(world.room(), orders_id(), world.now_ms).unwrap().left()
}

#[test]
fn a_request_reserves_what_the_query_costs_and_says_so() {
    let mut world = accepted(policy(Period::Life));
    let events = world.request(run(1)).unwrap();
    let requested = events.iter().find_map(|(_, event)| match event {
        Event::RunRequested(event) => Some(event.clone()),
        _ => None,
    });
    assert_eq!(requested.unwrap().privacy, [Charge { dataset: orders_id(), loss: COST }]);
    assert_eq!(left(&world), Loss { epsilon_micro: 600_000, delta_pico: 9_000 });
    world.check_replay();
}

#[test]
fn a_run_over_budget_is_refused_before_it_runs() {
    for period in Period::ALL {
        let mut world = accepted(policy(period));
        let begin = world.now_ms;
        admitted(&mut world, run(1));
        admitted(&mut world, run(2));
        let refused = world.request(run(3));
        assert_eq!(kinds(&refused), ["RunRefused"], "{period:?}");
        assert_eq!(codes(&refused), [Code::PrivacyBudgetSpent]);
        let Some(next_ms) = calendar::next_begins_ms(period, begin) else { continue };
        world.now_ms = next_ms - 1;
        assert_eq!(codes(&world.request(run(4))), [Code::PrivacyBudgetSpent]);
        world.now_ms = next_ms;
        assert_eq!(kinds(&world.request(run(5))), ["RunRequested"]);
        world.check_replay();
    }
}

#[test]
fn a_budget_that_fits_to_the_last_millionth_is_spent_whole() {
    let mut exact = policy(Period::Life);
    exact.budget.epsilon_micro = 2 * COST.epsilon_micro;
    exact.budget.delta_pico = 2 * COST.delta_pico;
    let mut world = accepted(exact.clone());
    admitted(&mut world, run(1));
    admitted(&mut world, run(2));
    assert_eq!(left(&world), Loss::default());
    assert_eq!(codes(&world.request(run(3))), [Code::PrivacyBudgetSpent]);
    for (epsilon, delta) in [(1, 0), (0, 1)] {
        let mut short = exact.clone();
        short.budget.epsilon_micro -= epsilon;
        short.budget.delta_pico -= delta;
        let mut world = accepted(short);
        admitted(&mut world, run(1));
        assert_eq!(codes(&world.request(run(2))), [Code::PrivacyBudgetSpent]);
    }
}

#[test]
fn what_nobody_was_admitted_to_gives_back_and_nothing_else_does() {
    let mut world = accepted(policy(Period::Life));
    let whole = left(&world);
    world.request(run(1)).unwrap();
    world.fabrikam().does(Subject::Run(run(1)), CancelRun {}).unwrap();
    assert_eq!(left(&world), whole, "cancelled before an admission");
    admitted(&mut world, run(2));
    world.fabrikam().does(Subject::Run(run(2)), CancelRun {}).unwrap();
    let once = Loss { epsilon_micro: 600_000, delta_pico: 9_000 };
    assert_eq!(left(&world), once, "cancelled after it");
    admitted(&mut world, run(3));
    let failed = FailRun { code: "out_of_memory".into(), detail: "Killed.".into() };
    world.report(run(3), failed).unwrap();
    assert_eq!(left(&world), Loss { epsilon_micro: 200_000, delta_pico: 8_000 }, "failed");
    world.check_replay();
}

#[test]
fn a_new_version_spends_from_where_the_last_one_stood() {
    let mut world = accepted(policy(Period::Life));
    admitted(&mut world, run(1));
    let mut wider = policy(Period::Life);
    wider.groups_max = 3;
    world.litware().does(orders_s(), PublishDataset { descriptor: private(wider) }).unwrap();
    assert_eq!(left(&world), Loss { epsilon_micro: 600_000, delta_pico: 9_000 });
    let revise = ReviseQuery { definition: query(TEXT, Some(COST)) };
    world.fabrikam().does(Subject::Query(query_id()), revise).unwrap();
    let mut world = approved(world.propose());
    admitted(&mut world, run(2));
    assert_eq!(codes(&world.request(run(3))), [Code::PrivacyBudgetSpent]);
    world.check_replay();
}

#[test]
fn readiness_tells_what_is_left_and_until_when() {
    let mut world = accepted(policy(Period::Day));
    admitted(&mut world, run(1));
    let ready = |world: &World| {
        let asked = Asked { runner: Some(Who::Fabrikam.member()), now_ms: world.now_ms, run: None };
        readiness_at(world.room(), query_id(), &asked)
    };
    assert_eq!(ready(&world), []);
    admitted(&mut world, run(2));
    assert_eq!(
        ready(&world)[0].detail,
        "a run costs ε 0.4, δ 1e-9, and orders has ε 0.2, δ 8e-9 left, until 2026-01-02T00:00:00Z"
    );
}

#[test]
fn no_rule_votes_on_what_costs_privacy() {
    let mut world = world(policy(Period::Life));
    let rule = ApprovalRule {
        name: "Any text over orders".into(),
        author: None,
        runner: None,
        output: None,
        shape: Shape::Reads(vec![AllowedInput {
            dataset: orders_id(),
            columns: vec!["region".into(), "amount".into(), "customer".into()],
            aggregates: Vec::new(),
        }]),
        expires_ms: None,
    };
    world.litware().does(rule_s(), SetAutoApprovalRule { rule }).unwrap();
    let definition = query(TEXT, Some(COST));
    world.fabrikam().does(query_s(), DraftQuery { definition }).unwrap();
    let proposed = world.fabrikam().does(query_s(), propose());
    assert_eq!(kinds(&proposed), ["QueryProposed"]);
}

/// What the application would tell of the query's noise.
fn noised(threshold: u64) -> Noised {
    let share = COST.epsilon_micro / 3;
    let mechanism = |column: &str, of, sensitivity: u64, threshold| Mechanism {
        column: column.into(),
        of,
        mechanism: DISCRETE_LAPLACE.into(),
        epsilon_micro: share,
        sensitivity,
        scale_milli: chancery_governance::privacy::scale_milli(sensitivity, share).unwrap(),
        threshold,
    };
    Noised {
        epsilon_micro: COST.epsilon_micro,
        delta_pico: COST.delta_pico,
        mechanisms: vec![
            mechanism("total", Drawn::Sum, 600, None),
            mechanism("spend", Drawn::Count, 6, None),
            mechanism("__chancery_units", Drawn::Groups, 2, Some(threshold)),
        ],
    }
}

fn reported(change: impl FnOnce(&mut Attested)) -> Tried {
    let mut world = accepted(policy(Period::Life));
    admitted(&mut world, run(1));
    world.report(run(1), submit()).unwrap();
    world.report(run(1), chancery_governance::command::StartRun {}).unwrap();
    let mut result = attested(&world, run(1));
    result.statistics.inputs.clear();
    result.statistics.segments.clear();
    result.privacy = Some(noised(30));
    change(&mut result);
    let command = succeed_with(
        &world,
        run(1),
        &world.executor,
        result,
        Platform::InsecureVirtual,
        application(),
    );
    let tried = world.report(run(1), command);
    if tried.is_ok() {
        assert!(matches!(world.room().runs[&run(1)].stage, Stage::Ended(_)));
        world.check_replay();
    }
    tried
}

#[test]
fn a_result_tells_of_the_noise_that_its_query_takes() {
    assert_eq!(kinds(&reported(|_| {})), ["RunSucceeded"]);
}

fn drafted(change: impl FnOnce(&mut Definition)) -> Tried {
    let mut definition = query(TEXT, Some(COST));
    change(&mut definition);
    drafted_with(definition)
}

fn published(change: impl FnOnce(&mut Descriptor)) -> Tried {
    let mut descriptor = private(policy(Period::Life));
    change(&mut descriptor);
    World::stocked().litware().does(orders_s(), PublishDataset { descriptor })
}

fn with(change: impl FnOnce(&mut DifferentialPrivacy)) -> Tried {
    published(|descriptor| change(descriptor.policy.differential_privacy.as_mut().unwrap()))
}

#[test]
fn every_bound_of_a_policy_is_inclusive() {
    let fits: Vec<(&str, Tried)> = vec![
        ("budget", with(|policy| policy.budget.epsilon_micro = BUDGET_EPSILON_MICRO_MAX)),
        ("delta", with(|policy| policy.budget.delta_pico = DELTA_PICO_MAX)),
        (
            "query",
            with(|policy| {
                policy.budget.epsilon_micro = BUDGET_EPSILON_MICRO_MAX;
                policy.query_epsilon_micro_max = EPSILON_MICRO_MAX;
            }),
        ),
        ("groups", with(|policy| policy.groups_max = GROUPS_MAX)),
        ("rows", with(|policy| policy.rows_max = ROWS_MAX)),
        (
            "sensitivity",
            with(|policy| {
                (policy.groups_max, policy.rows_max) = (GROUPS_MAX, ROWS_MAX);
                policy.columns[0].upper = 1_000_000;
            }),
        ),
        (
            "values",
            with(|policy| {
                let mut values: Vec<_> = (1..VALUES_MAX).map(|n| n.to_string()).collect();
                values.push("v".repeat(VALUE_BYTES_MAX));
                policy.declared = vec![DeclaredValues { column: "region".into(), values }];
            }),
        ),
    ];
    for (what, tried) in fits {
        assert!(tried.is_ok(), "{what}: {:?}", codes(&tried));
    }
    assert!(drafted(|query| query.privacy = Some(Loss { epsilon_micro: 500_000, ..COST })).is_ok());
    let least = Loss { epsilon_micro: 3 * EPSILON_MICRO_MIN, delta_pico: DELTA_PICO_MAX };
    assert!(drafted(|query| query.privacy = Some(least)).is_ok());
}

fn values(values: Vec<String>) -> Tried {
    with(|policy| policy.declared = vec![DeclaredValues { column: "region".into(), values }])
}

fn policies() -> Vec<Case> {
    let code = Code::InvalidDescriptor;
    vec![
        case("privacy of an output", code, || {
            published(|descriptor| descriptor.access_mode = AccessMode::Write)
        }),
        case("privacy beside a minimum group", code, || {
            published(|descriptor| {
                let group = MinimumGroup { identity: GroupIdentity::Row, count: 5 };
                descriptor.policy.minimum_group = Some(group);
            })
        }),
        case("a unit that is no column", code, || with(|policy| policy.unit = "nobody".into())),
        case("no budget", code, || with(|policy| policy.budget.epsilon_micro = 0)),
        case("a budget without an end", code, || {
            with(|policy| policy.budget.epsilon_micro = BUDGET_EPSILON_MICRO_MAX + 1)
        }),
        case("a delta without an end", code, || {
            with(|policy| policy.budget.delta_pico = DELTA_PICO_MAX + 1)
        }),
        case("a query over the budget", code, || {
            with(|policy| policy.query_epsilon_micro_max = 1_000_001)
        }),
        case("a query of nothing", code, || with(|policy| policy.query_epsilon_micro_max = 0)),
        case("no group", code, || with(|policy| policy.groups_max = 0)),
        case("groups without an end", code, || with(|policy| policy.groups_max = GROUPS_MAX + 1)),
        case("no row", code, || with(|policy| policy.rows_max = 0)),
        case("rows without an end", code, || with(|policy| policy.rows_max = ROWS_MAX + 1)),
        case("bounds of no column", code, || {
            with(|policy| policy.columns[0].column = "nothing".into())
        }),
        case("bounds of a text", code, || {
            with(|policy| policy.columns[0].column = "region".into())
        }),
        case("bounds of a decimal", code, || {
            published(|descriptor| {
                let decimal = Decimal::new(15, 2).unwrap();
                for column in &mut descriptor.columns {
                    if column.name == "amount" {
                        column.kind = ColumnType::Decimal(decimal);
                    }
                }
            })
        }),
        case("bounds twice", code, || {
            with(|policy| policy.columns.push(policy.columns[0].clone()))
        }),
        case("bounds with nothing between", code, || with(|policy| policy.columns[0].lower = 100)),
        case("decimals of a long", code, || with(|policy| policy.columns[0].decimals = 1)),
        case("decimals without an end", code, || {
            with(|policy| policy.columns[0].decimals = DECIMALS_MAX + 1)
        }),
        case("a sensitivity without an end", code, || {
            with(|policy| {
                (policy.groups_max, policy.rows_max) = (GROUPS_MAX, ROWS_MAX);
                policy.columns[0].lower = -1_000_001;
            })
        }),
        case("declared values of a number", code, || {
            with(|policy| {
                let values = vec!["1".into()];
                policy.declared = vec![DeclaredValues { column: "amount".into(), values }];
            })
        }),
        case("declared individuals", code, || {
            with(|policy| {
                let values = vec!["Ann".into()];
                policy.declared = vec![DeclaredValues { column: "customer".into(), values }];
            })
        }),
        case("no declared value", code, || values(Vec::new())),
        case("a declared value twice", code, || values(vec!["a".into(), "a".into()])),
        case("a declared value too long", code, || values(vec!["v".repeat(VALUE_BYTES_MAX + 1)])),
        case("too many declared values", code, || {
            values((0..=VALUES_MAX).map(|n| n.to_string()).collect())
        }),
    ]
}

fn queries() -> Vec<Case> {
    let code = Code::InvalidPrivacyLoss;
    vec![
        case("a query that does not say what it costs", code, || {
            drafted(|query| query.privacy = None)
        }),
        case("a query that costs more than one may", code, || {
            drafted(|query| query.privacy = Some(Loss { epsilon_micro: 500_001, ..COST }))
        }),
        case("a query that costs too little for its noise", code, || {
            let short = 3 * EPSILON_MICRO_MIN - 1;
            drafted(|query| query.privacy = Some(Loss { epsilon_micro: short, ..COST }))
        }),
        case("groups that the data decides without a delta", code, || {
            drafted(|query| query.privacy = Some(Loss { delta_pico: 0, ..COST }))
        }),
        case("a delta that no group takes", code, || {
            let all = "SELECT 'all' AS region, SUM(amount) AS total, COUNT(*) AS spend FROM orders";
            // The constant is no group key: refused with a code of the analysis before.
            let tried = drafted(|query| query.segments[0].sql = all.into());
            assert_eq!(codes(&tried), [Code::Sql(RefusalCode::PrivacyOutput)]);
            let mut declared = policy(Period::Life);
            let values = vec!["north".to_owned()];
            declared.declared = vec![DeclaredValues { column: "region".into(), values }];
            let definition = query(TEXT, Some(COST));
            world(declared).fabrikam().does(query_s(), DraftQuery { definition })
        }),
        case("a delta without an end", code, || {
            let delta_pico = DELTA_PICO_MAX + 1;
            drafted(|query| query.privacy = Some(Loss { delta_pico, ..COST }))
        }),
        case("a cost where nobody asks", code, || {
            let definition = Definition { privacy: Some(COST), ..definition() };
            World::stocked().fabrikam().does(query_s(), DraftQuery { definition })
        }),
        case("a count of a private input's rows", Code::PrivacyCondition, || {
            drafted(|query| {
                let condition = PreCondition { view: "orders".into(), min_rows: 3 };
                query.segments[0].pre_conditions = vec![condition];
            })
        }),
        case("a filter before the noise", Code::PrivacyCondition, || {
            drafted(|query| {
                let filter = PostFilter { column: "total".into(), minimum: 3 };
                query.segments[0].post_filters = vec![filter];
            })
        }),
        case("a maximum of a private column", Code::Sql(RefusalCode::PrivacyOutput), || {
            drafted(|query| query.segments[0].sql = TEXT.replace("SUM", "MAX"))
        }),
        case("a run over budget", Code::PrivacyBudgetSpent, || {
            let mut world = accepted(policy(Period::Week));
            admitted(&mut world, run(1));
            admitted(&mut world, run(2));
            world.request(run(3))
        }),
    ]
}

fn noise(result: &mut Attested, change: fn(&mut Noised)) {
    change(result.privacy.as_mut().unwrap());
}

fn results() -> Vec<Case> {
    let code = Code::ResultMismatch;
    vec![
        case("a result without its noise", code, || reported(|result| result.privacy = None)),
        case("a result that cost less", code, || {
            reported(|result| noise(result, |noised| noised.epsilon_micro -= 1))
        }),
        case("a result of another delta", code, || {
            reported(|result| noise(result, |noised| noised.delta_pico += 1))
        }),
        case("a result with less noise", code, || {
            reported(|result| noise(result, |noised| noised.mechanisms[0].scale_milli -= 1))
        }),
        case("a result with a noise less", code, || {
            reported(|result| noise(result, |noised| drop(noised.mechanisms.pop())))
        }),
        case("a result with every group", code, || {
            reported(|result| noise(result, |noised| noised.mechanisms[2].threshold = None))
        }),
        case("a result with a threshold of none", code, || {
            reported(|result| noise(result, |noised| noised.mechanisms[2].threshold = Some(0)))
        }),
        case("a result that counts the rows it read", code, || {
            reported(|result| {
                result.statistics.inputs = vec![InputRows { alias: "orders".into(), rows: 9 }];
            })
        }),
    ]
}

pub fn cases() -> Vec<Case> {
    [policies(), queries(), results()].into_iter().flatten().collect()
}

#[test]
fn rejections() {
    check(&cases());
}

/// What may happen to runs of a private query, in any order.
#[derive(Debug, Clone, Copy)]
enum Step {
    Request,
    Admit(usize),
    Cancel(usize),
    Fail(usize),
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Request),
        2 => (0..8_usize).prop_map(Step::Admit),
        2 => (0..8_usize).prop_map(Step::Cancel),
        1 => (0..8_usize).prop_map(Step::Fail),
        1 => (1..60_u64).prop_map(Step::Later),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever runs are asked for, admitted, cancelled and failed in which order: what was admitted in
    /// a period never adds up to more than its budget, and what is left is what nobody holds.
    #[test]
    fn no_budget_of_privacy_is_overrun(
        steps in proptest::collection::vec(step(), 1..24),
        times in 1..5_u64,
        days in proptest::bool::ANY,
    ) {
        let period = if days { Period::Day } else { Period::Life };
        let mut policy = policy(period);
        policy.budget.epsilon_micro = times * COST.epsilon_micro + 1;
        policy.budget.delta_pico = 9 * COST.delta_pico;
        policy.query_epsilon_micro_max = COST.epsilon_micro;
        let mut world = accepted(policy.clone());
        // Of each run: the day it was asked for, whether it holds its part, and whether for ever.
        let mut runs: Vec<(RunId, u64, bool, bool)> = Vec::new();
        let day = |now_ms: u64| if days { now_ms / (24 * 60 * 60 * 1000) } else { 0 };
        for step in steps {
            match step {
                Step::Request => {
                    let id = run(runs.len() as u64 + 1);
                    let today = day(world.now_ms);
                    let held = runs.iter().filter(|run| run.1 == today && run.2).count() as u64;
                    let asked = world.request(id);
                    let expected = if held < times { "RunRequested" } else { "RunRefused" };
                    prop_assert_eq!(kinds(&asked), [expected]);
                    runs.push((id, today, held < times, false));
                }
                Step::Admit(which) => {
                    let Some(run) = runs.get_mut(which) else { continue };
                    let command = admit(&world, run.0, &world.executor);
                    let told = world.report(run.0, command).unwrap_or_default();
                    run.3 |= told.iter().any(|(_, event)| event.kind() == "RunAdmitted");
                }
                Step::Cancel(which) => {
                    let Some(run) = runs.get_mut(which) else { continue };
                    if world.fabrikam().does(Subject::Run(run.0), CancelRun {}).is_ok() {
                        run.2 &= run.3;
                    }
                }
                Step::Fail(which) => {
                    let Some(run) = runs.get(which) else { continue };
                    let failed = FailRun { code: "crash".into(), detail: "Gone.".into() };
                    let _ = world.report(run.0, failed);
                }
                Step::Later(hours) => world.now_ms += hours * 60 * 60 * 1000,
            }
            let today = day(world.now_ms);
            let held = runs.iter().filter(|run| run.1 == today && run.2).count() as u64;
            prop_assert!(held <= times);
            let left = left(&world).epsilon_micro;
            prop_assert_eq!(left, policy.budget.epsilon_micro - held * COST.epsilon_micro);
        }
        world.check_replay();
    }
}
