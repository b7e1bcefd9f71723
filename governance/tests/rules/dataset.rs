//! Publishing and retiring datasets.

use chancery_governance::command::{DraftQuery, PublishDataset, RetireDataset};
use chancery_governance::dataset::{
    AccessMode, Column, ColumnRule, ColumnType, Descriptor, GroupIdentity, MinimumGroup, Store,
};
use chancery_governance::reason::Code;
use chancery_governance::state::query::Stage;
use chancery_governance::subject::Subject;
use chancery_ledger::id::DatasetId;

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    campaigns, definition, moved, orders, orders_s, query_id, query_s, report, report_s, room,
};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, kinds, uuid};

fn publish(descriptor: Descriptor) -> PublishDataset {
    PublishDataset { descriptor }
}

fn publish_as(change: impl FnOnce(&mut Descriptor)) -> Tried {
    let mut descriptor = orders();
    change(&mut descriptor);
    World::joined().litware().does(orders_s(), publish(descriptor))
}

#[test]
fn publishing_makes_the_caller_the_owner() {
    let mut world = World::joined();
    let events = world.litware().does(orders_s(), publish(orders()));
    assert_eq!(kinds(&events), ["DatasetPublished"]);
    let Subject::Dataset(id) = orders_s() else { unreachable!() };
    assert_eq!(world.room().datasets[&id].owner, Who::Litware.member());
    world.check_replay();
}

#[test]
fn a_new_version_ends_what_was_voted_on_and_runs_in_flight() {
    let mut world = World::started();
    let events = world.litware().does(orders_s(), publish(moved(orders(), 2)));
    assert_eq!(kinds(&events), ["DatasetPublished", "QuerySuperseded", "RunCancelled"]);
    assert!(codes(&events).iter().all(|code| *code == Code::DatasetVersionChanged));
    assert!(matches!(world.room().queries[&query_id()].stage, Stage::Superseded { .. }));
    world.check_replay();
}

#[test]
fn retiring_ends_what_was_voted_on_and_runs_in_flight() {
    let mut world = World::started();
    let events = world.fabrikam().does(report_s(), RetireDataset {});
    assert_eq!(kinds(&events), ["DatasetRetired", "QuerySuperseded", "RunCancelled"]);
    assert!(codes(&events).iter().all(|code| *code == Code::DatasetRetired));
    world.check_replay();
}

#[test]
fn the_name_of_a_retired_dataset_is_free() {
    let mut world = World::stocked();
    world.litware().does(orders_s(), RetireDataset {}).unwrap();
    let other = Subject::Dataset(DatasetId::new(uuid(0xd, 9)));
    assert!(world.litware().does(other, publish(orders())).is_ok());
    world.check_replay();
}

#[test]
fn every_fault_of_a_descriptor_is_told_at_once() {
    let tried = publish_as(|descriptor| {
        descriptor.name = "Orders".into();
        descriptor.columns.clear();
        descriptor.store = Store::Local { path: "../orders".into() };
    });
    let codes = codes(&tried);
    for code in [Code::InvalidName, Code::LimitExceeded, Code::InvalidDescriptor] {
        assert!(codes.contains(&code), "{code:?} in {codes:?}");
    }
}

/// Rules on columns that no dataset may have.
fn column_rules() -> Vec<Case> {
    fn rule(column: &str) -> ColumnRule {
        ColumnRule { column: column.into(), ..ColumnRule::default() }
    }
    fn with(rules: Vec<ColumnRule>) -> Tried {
        publish_as(|descriptor| descriptor.policy.column_rules = rules)
    }
    let code = Code::InvalidDescriptor;
    vec![
        case("a rule on a column that is not there", code, || {
            with(vec![ColumnRule { join_only: true, ..rule("secret") }])
        }),
        case("two rules on a column", code, || {
            let one = ColumnRule { join_only: true, ..rule("region") };
            with(vec![one.clone(), one])
        }),
        case("a rule that says nothing", code, || with(vec![rule("region")])),
        case("a minimum of none", code, || {
            with(vec![ColumnRule { minimum: Some(0), ..rule("region") }])
        }),
        case("a column for joins only that may not be shown", code, || {
            with(vec![ColumnRule { join_only: true, output_forbidden: true, ..rule("region") }])
        }),
        case("a column for aggregates only without a minimum group", code, || {
            publish_as(|descriptor| {
                descriptor.policy.minimum_group = None;
                descriptor.policy.column_rules =
                    vec![ColumnRule { aggregate_only: true, ..rule("amount") }];
            })
        }),
        case("a rule on an output's column", code, || {
            publish_as(|descriptor| {
                descriptor.access_mode = AccessMode::Write;
                descriptor.policy.minimum_group = None;
                descriptor.policy.column_rules =
                    vec![ColumnRule { join_only: true, ..rule("region") }];
            })
        }),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = descriptors();
    cases.extend(column_rules());
    cases.extend(vec![
        case("an output by a data provider", Code::AbilityMissing, || {
            World::joined().contosso().does(report_s(), publish(report()))
        }),
        case("an input by a result receiver", Code::AbilityMissing, || {
            World::joined().fabrikam().does(orders_s(), publish(orders()))
        }),
        case("a dataset by a stranger", Code::NotAMember, || {
            World::joined().by(Who::Mallory).does(orders_s(), publish(orders()))
        }),
        case("a dataset about another subject", Code::WrongSubject, || {
            World::joined().litware().does(room(), publish(orders()))
        }),
        case("a name that is taken", Code::DatasetNameTaken, || {
            let other = Subject::Dataset(DatasetId::new(uuid(0xd, 9)));
            World::stocked().contosso().does(other, publish(moved(orders(), 2)))
        }),
        case("a version of another's dataset", Code::NotTheDatasetOwner, || {
            World::stocked().contosso().does(orders_s(), publish(moved(orders(), 2)))
        }),
        case("the newest version again", Code::DatasetUnchanged, || {
            World::stocked().litware().does(orders_s(), publish(orders()))
        }),
        case("a version of a retired dataset", Code::DatasetRetired, || {
            let mut world = World::stocked();
            world.litware().does(orders_s(), RetireDataset {}).unwrap();
            world.litware().does(orders_s(), publish(moved(orders(), 2)))
        }),
        case("retiring twice", Code::DatasetRetired, || {
            let mut world = World::stocked();
            world.litware().does(orders_s(), RetireDataset {}).unwrap();
            world.litware().does(orders_s(), RetireDataset {})
        }),
        case("retiring what is not there", Code::DatasetNotFound, || {
            World::joined().litware().does(orders_s(), RetireDataset {})
        }),
        case("retiring another's dataset", Code::NotTheDatasetOwner, || {
            World::stocked().contosso().does(orders_s(), RetireDataset {})
        }),
        case("retiring another subject", Code::WrongSubject, || {
            World::stocked().litware().does(query_s(), RetireDataset {})
        }),
        case("drafting on a retired dataset", Code::DatasetRetired, || {
            let mut world = World::stocked();
            world.litware().does(orders_s(), RetireDataset {}).unwrap();
            world.fabrikam().does(query_s(), DraftQuery { definition: definition() })
        }),
    ]);
    cases
}

fn descriptors() -> Vec<Case> {
    vec![
        case("a name with capitals", Code::InvalidName, || {
            publish_as(|descriptor| descriptor.name = "Orders".into())
        }),
        case("a name of 65 characters", Code::InvalidName, || {
            publish_as(|descriptor| descriptor.name = "a".repeat(65))
        }),
        case("a column with a space", Code::InvalidName, || {
            publish_as(|descriptor| descriptor.columns[2].name = "a b".into())
        }),
        case("a column of the reserved prefix", Code::InvalidName, || {
            publish_as(|descriptor| {
                let name = "__chancery_row_x".into();
                descriptor.columns.push(Column { name, kind: ColumnType::Long });
            })
        }),
        case("a column of the reserved prefix in capitals", Code::InvalidName, || {
            publish_as(|descriptor| {
                let name = "__CHANCERY_row_x".into();
                descriptor.columns.push(Column { name, kind: ColumnType::Long });
            })
        }),
        case("no column", Code::LimitExceeded, || {
            publish_as(|descriptor| descriptor.columns.clear())
        }),
        case("1025 columns", Code::LimitExceeded, || {
            publish_as(|descriptor| {
                let column = |n| Column { name: format!("c{n}"), kind: ColumnType::Long };
                descriptor.columns.extend((0..1022).map(column));
            })
        }),
        case("a column twice, in other case", Code::InvalidDescriptor, || {
            publish_as(|descriptor| {
                descriptor.columns.push(Column { name: "AMOUNT".into(), kind: ColumnType::Long });
            })
        }),
        case("no allowed column", Code::InvalidDescriptor, || {
            publish_as(|descriptor| {
                descriptor.policy.allowed_columns.clear();
                descriptor.policy.minimum_group = None;
            })
        }),
        case("an allowed column that is not there", Code::InvalidDescriptor, || {
            publish_as(|descriptor| descriptor.policy.allowed_columns.push("secret".into()))
        }),
        case("an allowed column twice", Code::InvalidDescriptor, || {
            publish_as(|descriptor| descriptor.policy.allowed_columns.push("region".into()))
        }),
        case("a minimum group of none", Code::InvalidDescriptor, || {
            publish_as(|descriptor| {
                descriptor.policy.minimum_group =
                    Some(MinimumGroup { identity: GroupIdentity::Row, count: 0 });
            })
        }),
        case("a minimum group of a column that is not there", Code::InvalidDescriptor, || {
            publish_as(|descriptor| {
                let identity = GroupIdentity::Column("person".into());
                descriptor.policy.minimum_group = Some(MinimumGroup { identity, count: 2 });
            })
        }),
        case("a minimum group of an output", Code::InvalidDescriptor, || {
            publish_as(|descriptor| descriptor.access_mode = AccessMode::Write)
        }),
        case("a path that climbs", Code::InvalidDescriptor, || {
            publish_as(|descriptor| descriptor.store = Store::Local { path: "a/../../b".into() })
        }),
        case("an absolute path", Code::InvalidDescriptor, || {
            publish_as(|descriptor| descriptor.store = Store::Local { path: "/etc".into() })
        }),
        case("an empty path", Code::InvalidDescriptor, || {
            publish_as(|descriptor| descriptor.store = Store::Local { path: String::new() })
        }),
        case("a path in Windows's way", Code::InvalidDescriptor, || {
            publish_as(|descriptor| descriptor.store = Store::Local { path: "a\\b".into() })
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}

#[test]
fn a_member_of_both_kinds_of_ability_still_owns_only_its_own() {
    let mut world = World::stocked();
    let tried = world.contosso().does(report_s(), publish(campaigns()));
    assert!(tried.is_err());
}
