//! Relations and columns: what names mean in one segment, and what rows carry.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{Expr, Ident};

use super::names::{is_identifier, is_reserved};
use super::refusal::RefusalCode;
use super::shape::Shape;
use super::{RESERVED_PREFIX, Relation};
use crate::dataset::{ColumnType, GroupIdentity};

/// Where values come from, as (input alias, column).
pub(super) type Sources = BTreeSet<(String, String)>;

/// A column of an input or a view.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// Its name, as it is printed.
    pub(super) name: String,
    pub(super) kind: Option<ColumnType>,
    /// Whether a query may read it; only columns of inputs may be closed.
    pub(super) allowed: bool,
    pub(super) sources: Sources,
    pub(super) aggregated: bool,
    pub(super) shape: Shape,
}

/// What tells the individuals of one input apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The column of this relation that holds it.
    pub(super) source: String,
    /// The hidden column that a row-level segment passes it on as.
    pub(super) name: String,
    /// The floor.
    pub(super) minimum: u64,
}

/// An input or a view that a segment can read.
#[derive(Debug, Clone)]
pub(super) struct Readable {
    /// Its name.
    pub(super) name: String,
    /// The order it is made at; `None` for inputs, which are always there.
    pub(super) order: Option<u32>,
    pub(super) columns: Vec<ScopeColumn>,
    /// Identities that each row carries, by input alias.
    pub(super) carries: BTreeMap<String, Identity>,
    /// Inputs whose floor an earlier segment has put under every row.
    pub(super) settled: BTreeSet<String>,
}

impl Readable {
    /// An input, or the reason why its schema and policy can't be used.
    pub(super) fn input(relation: &Relation<'_>) -> Result<Self, String> {
        let Relation { alias, columns, policy } = relation;
        let mut seen = BTreeSet::new();
        for column in *columns {
            if !is_identifier(&column.name) || is_reserved(&column.name) {
                return Err(format!(
                    "{alias} has a column with the unusable name {:?}",
                    column.name
                ));
            }
            if !seen.insert(column.name.to_ascii_lowercase()) {
                return Err(format!("{alias} has the column {} twice", column.name));
            }
        }
        let mut carries = BTreeMap::new();
        if let Some(group) = &policy.minimum_group {
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
            if group.count == 0 {
                return Err(format!("{alias} has a minimum group of 0"));
            }
            carries.insert((*alias).to_owned(), Identity { source, name, minimum: group.count });
        }
        let columns = columns
            .iter()
            .map(|column| ScopeColumn {
                name: column.name.clone(),
                kind: Some(column.kind),
                allowed: policy
                    .allowed_columns
                    .iter()
                    .any(|allowed| allowed.eq_ignore_ascii_case(&column.name)),
                sources: BTreeSet::from([((*alias).to_owned(), column.name.clone())]),
                aggregated: false,
                shape: Shape::Column,
            })
            .collect();
        Ok(Self {
            name: (*alias).to_owned(),
            order: None,
            columns,
            carries,
            settled: BTreeSet::new(),
        })
    }

    fn column(&self, name: &str) -> Option<&ScopeColumn> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// One relation of a `FROM`.
#[derive(Debug)]
pub(super) struct InScope<'v> {
    /// The name that columns are qualified with.
    pub(super) alias: Ident,
    pub(super) relation: &'v Readable,
}

/// The relations of a `FROM`, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Scope<'v> {
    pub(super) relations: Vec<InScope<'v>>,
    /// Names that a `USING` made one column of, with the relations that share it.
    pub(super) merged: BTreeMap<String, BTreeSet<usize>>,
}

/// What a name stands for.
#[derive(Debug)]
pub(super) struct Resolved<'s> {
    /// The name as it is printed: qualified, unless `USING` merged it.
    pub(super) expr: Expr,
    pub(super) column: &'s ScopeColumn,
    pub(super) sources: Sources,
    /// (relation, column) pairs read.
    pub(super) reads: Vec<(&'s str, &'s str)>,
}

/// Why a name stands for nothing.
pub(super) type Unresolved = (RefusalCode, String);

impl<'v> Scope<'v> {
    /// The position of the relation with this name or alias.
    pub(super) fn position(&self, alias: &str) -> Option<usize> {
        self.relations.iter().position(|one| one.alias.value.eq_ignore_ascii_case(alias))
    }

    /// `alias.name`.
    pub(super) fn qualified(&self, alias: &str, name: &str) -> Result<Resolved<'v>, Unresolved> {
        let Some(one) = self.position(alias).and_then(|position| self.relations.get(position))
        else {
            return Err((
                RefusalCode::UnknownColumn,
                format!("there is no relation {alias} in FROM"),
            ));
        };
        let Some(column) = one.relation.column(name) else {
            return Err((RefusalCode::UnknownColumn, format!("{alias} has no column {name}")));
        };
        if !column.allowed {
            return Err((
                RefusalCode::ColumnNotAllowed,
                format!("the policy of {} keeps {name} closed", one.relation.name),
            ));
        }
        Ok(one.resolved(column))
    }

    /// Positions of the relations that have a column of this name, closed ones too.
    pub(super) fn holders(&self, name: &str) -> BTreeSet<usize> {
        let has = |one: &InScope<'_>| one.relation.column(name).is_some();
        self.relations
            .iter()
            .enumerate()
            .filter(|(_, one)| has(one))
            .map(|(position, _)| position)
            .collect()
    }

    /// `name` alone. A closed column counts as a holder of its name: whether Spark sees it depends
    /// on what was loaded, and a name must not change its meaning with that.
    pub(super) fn unqualified(&self, name: &str) -> Result<Resolved<'v>, Unresolved> {
        let holders = self.holders(name);
        let mut found = holders.iter().filter_map(|position| self.relations.get(*position));
        let Some(first) = found.next() else {
            return Err((
                RefusalCode::UnknownColumn,
                format!("no relation in FROM has a column {name}"),
            ));
        };
        let mut resolved = self.qualified(&first.alias.value, name)?;
        if holders.len() == 1 {
            return Ok(resolved);
        }
        let merged = self.merged.get(&name.to_ascii_lowercase());
        if !merged.is_some_and(|merged| holders.is_subset(merged)) {
            return Err((
                RefusalCode::AmbiguousColumn,
                format!("more than one relation in FROM has a column {name}"),
            ));
        }
        for other in found {
            let other = self.qualified(&other.alias.value, name)?;
            resolved.sources.extend(other.sources);
            resolved.reads.extend(other.reads);
        }
        resolved.expr = Expr::Identifier(Ident::new(resolved.column.name.as_str()));
        Ok(resolved)
    }

    /// The identities that a row of this `FROM` carries: alias, relation and identity.
    pub(super) fn carries(&self) -> impl Iterator<Item = (&'v str, &InScope<'v>, &'v Identity)> {
        self.relations.iter().flat_map(|one| {
            one.relation
                .carries
                .iter()
                .map(move |(alias, identity)| (alias.as_str(), one, identity))
        })
    }

    /// Whether some row stands for an individual of an input with a floor.
    pub(super) fn has_floor(&self) -> bool {
        self.carries().next().is_some()
    }
}

impl<'v> InScope<'v> {
    /// A column of this relation under its qualified name.
    pub(super) fn resolved(&self, column: &'v ScopeColumn) -> Resolved<'v> {
        Resolved {
            expr: self.expr(&column.name),
            column,
            sources: column.sources.clone(),
            reads: vec![(self.relation.name.as_str(), column.name.as_str())],
        }
    }

    /// `alias.name`.
    pub(super) fn expr(&self, name: &str) -> Expr {
        Expr::CompoundIdentifier(vec![Ident::new(self.alias.value.as_str()), Ident::new(name)])
    }
}
