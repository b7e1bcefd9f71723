//! An input as a relation: its columns, what its policy says of each, and its individuals.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{is_identifier, is_reserved};
use super::rules::Rules;
use super::scope::{Identity, Origin, Readable, ScopeColumn, Sources};
use super::shape::Shape;
use super::{RESERVED_PREFIX, Relation};
use crate::dataset::{Column, ColumnRule, GroupIdentity};

/// The relation of an input, or the reason why its schema and policy can't be used.
pub(super) fn input(relation: &Relation<'_>) -> Result<Readable, String> {
    let Relation { alias, columns, policy } = relation;
    let mut seen = BTreeSet::new();
    for column in *columns {
        if !is_identifier(&column.name) || is_reserved(&column.name) {
            return Err(format!("{alias} has a column with the unusable name {:?}", column.name));
        }
        if !seen.insert(column.name.to_ascii_lowercase()) {
            return Err(format!("{alias} has the column {} twice", column.name));
        }
    }
    for rule in &policy.column_rules {
        if !columns.iter().any(|column| column.name.eq_ignore_ascii_case(&rule.column)) {
            return Err(format!("{alias} has a rule on {}, which is no column", rule.column));
        }
        if rule.minimum == Some(0) {
            return Err(format!("{alias} has a minimum of 0 on {}", rule.column));
        }
        let grouped = policy.minimum_group.is_some();
        if !grouped && (rule.aggregate_only || rule.minimum.is_some()) {
            return Err(format!(
                "{alias} has a rule on {} that rests on a minimum group, and has none",
                rule.column
            ));
        }
    }
    let rule =
        |name: &str| policy.column_rules.iter().find(|rule| rule.column.eq_ignore_ascii_case(name));
    let scoped = columns.iter().map(|column| ScopeColumn {
        name: column.name.clone(),
        kind: Some(column.kind.into()),
        allowed: policy
            .allowed_columns
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(&column.name)),
        sources: BTreeSet::from([((*alias).to_owned(), column.name.clone())]),
        aggregated: false,
        shape: Shape::Column,
        rules: rule(&column.name).map(Rules::of).unwrap_or_default(),
    });
    Ok(Readable {
        name: (*alias).to_owned(),
        origin: Origin::Input,
        columns: scoped.collect(),
        carries: identity(relation, &rule)?
            .map(|identity| ((*alias).to_owned(), identity))
            .into_iter()
            .collect(),
        settled: BTreeSet::new(),
        touched: Sources::new(),
    })
}

fn identity<'p>(
    relation: &Relation<'_>,
    rule: &impl Fn(&str) -> Option<&'p ColumnRule>,
) -> Result<Option<Identity>, String> {
    let Relation { alias, columns, policy } = relation;
    let Some(group) = &policy.minimum_group else {
        return Ok(None);
    };
    if group.count == 0 {
        return Err(format!("{alias} has a minimum group of 0"));
    }
    let (source, name) = match &group.identity {
        GroupIdentity::Row => {
            let name = format!("{RESERVED_PREFIX}row_{alias}");
            (name.clone(), name)
        }
        GroupIdentity::Column(identity) => {
            let Some(column) =
                columns.iter().find(|column| column.name.eq_ignore_ascii_case(identity))
            else {
                return Err(format!(
                    "{alias} has no column {identity} to tell its individuals apart"
                ));
            };
            (column.name.clone(), format!("{RESERVED_PREFIX}id_{alias}"))
        }
    };
    let asked = |column: &Column| Some((column.name.clone(), rule(&column.name)?.minimum?));
    let overrides: BTreeMap<String, u64> = columns.iter().filter_map(asked).collect();
    Ok(Some(Identity { source, name, minimum: group.count, overrides }))
}
