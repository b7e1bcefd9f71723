//! Relations and columns: what names mean in one query, and what rows carry.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sqlparser::ast::{Expr, Ident};

use super::kind::Kind;
use super::refusal::RefusalCode;
use super::rules::Rules;
use super::shape::Shape;

pub(super) use super::input::input;

/// Where values come from, as (input alias, column).
pub(super) type Sources = BTreeSet<(String, String)>;

/// A column of an input or a view.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// Its name, as it is printed.
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    /// Whether a query may read it; only columns of inputs may be closed.
    pub(super) allowed: bool,
    pub(super) sources: Sources,
    pub(super) aggregated: bool,
    pub(super) shape: Shape,
    /// The policies on its sources that still hold for its values.
    pub(super) rules: Rules,
}

/// What tells the individuals of one input apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The column of this relation that holds it.
    pub(super) source: String,
    /// The hidden column that a row-level query passes it on as.
    pub(super) name: String,
    /// The floor.
    pub(super) minimum: u64,
    /// Floors of single columns that differ from it.
    pub(super) overrides: BTreeMap<String, u64>,
}

impl Identity {
    /// The floor under rows that these columns of the input had a part in: the highest that any of
    /// them asks for, and the dataset's own where none of them had a part.
    pub(super) fn floor(&self, alias: &str, touched: &Sources) -> u64 {
        let columns = touched.iter().filter(|(input, _)| input == alias);
        let asked = columns.map(|(_, column)| *self.overrides.get(column).unwrap_or(&self.minimum));
        asked.max().unwrap_or(self.minimum)
    }
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A dataset, loaded by the application.
    Input,
    /// The view of an earlier segment.
    View,
    /// A derived table, a `WITH` table or a lateral view: part of the text itself.
    Nested,
}

/// An input, a view or a nested table that a query can read.
#[derive(Debug, Clone)]
pub(super) struct Readable {
    /// Its name.
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) columns: Vec<ScopeColumn>,
    /// Identities that each row carries, by input alias.
    pub(super) carries: BTreeMap<String, Identity>,
    /// Inputs whose floor an earlier grouping has put under every row.
    pub(super) settled: BTreeSet<String>,
    /// Every column that had a part in which rows there are, or in what they hold.
    pub(super) touched: Sources,
}

impl Readable {
    fn column(&self, name: &str) -> Option<&ScopeColumn> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// One relation of a `FROM`.
#[derive(Debug)]
pub(super) struct InScope {
    /// The name that columns are qualified with.
    pub(super) alias: Ident,
    pub(super) relation: Rc<Readable>,
}

/// The relations of a `FROM`, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Scope<'o> {
    pub(super) relations: Vec<InScope>,
    /// Names that a `USING` made one column of, with the relations that share it.
    pub(super) merged: BTreeMap<String, BTreeSet<usize>>,
    /// The scope around a subquery in an expression, and whether its columns may be read.
    pub(super) outer: Option<(&'o Scope<'o>, bool)>,
}

/// What a name stands for.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The name as it is printed: qualified, unless `USING` merged it.
    pub(super) expr: Expr,
    pub(super) column: ScopeColumn,
    pub(super) sources: Sources,
    /// (relation, column) pairs read of inputs and views.
    pub(super) reads: Vec<(String, String)>,
}

/// Why a name stands for nothing.
pub(super) type Unresolved = (RefusalCode, String);

impl Scope<'_> {
    /// The position of the relation with this name or alias.
    pub(super) fn position(&self, alias: &str) -> Option<usize> {
        self.relations.iter().position(|one| one.alias.value.eq_ignore_ascii_case(alias))
    }

    /// `alias.name`.
    pub(super) fn qualified(&self, alias: &str, name: &str) -> Result<Resolved, Unresolved> {
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
        let has = |one: &InScope| one.relation.column(name).is_some();
        self.relations
            .iter()
            .enumerate()
            .filter(|(_, one)| has(one))
            .map(|(position, _)| position)
            .collect()
    }

    /// `name` alone. A closed column counts as a holder of its name: whether Spark sees it depends
    /// on what was loaded, and a name must not change its meaning with that.
    pub(super) fn unqualified(&self, name: &str) -> Result<Resolved, Unresolved> {
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
            resolved.column.rules.add(&other.column.rules);
            // Which of the types it has depends on the join.
            resolved.column.kind =
                resolved.column.kind.filter(|kind| other.column.kind == Some(*kind));
        }
        resolved.expr = Expr::Identifier(Ident::new(resolved.column.name.as_str()));
        Ok(resolved)
    }

    /// The identities that a row of this `FROM` carries: alias, relation and identity.
    pub(super) fn carries(&self) -> impl Iterator<Item = (&str, &InScope, &Identity)> {
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

    /// Inputs with a floor that this `FROM` knows something of: by rows, or by settled groups.
    pub(super) fn reached(&self) -> impl Iterator<Item = &String> {
        self.relations
            .iter()
            .flat_map(|one| one.relation.carries.keys().chain(&one.relation.settled))
    }

    /// Every column that had a part in the rows of its relations.
    pub(super) fn touched(&self) -> Sources {
        self.relations.iter().flat_map(|one| one.relation.touched.iter().cloned()).collect()
    }
}

impl InScope {
    /// A column of this relation under its qualified name.
    pub(super) fn resolved(&self, column: &ScopeColumn) -> Resolved {
        let reads = match self.relation.origin {
            Origin::Input | Origin::View => {
                vec![(self.relation.name.clone(), column.name.clone())]
            }
            Origin::Nested => Vec::new(),
        };
        Resolved {
            expr: self.expr(&column.name),
            column: column.clone(),
            sources: column.sources.clone(),
            reads,
        }
    }

    /// `alias.name`.
    pub(super) fn expr(&self, name: &str) -> Expr {
        Expr::CompoundIdentifier(vec![Ident::new(self.alias.value.as_str()), Ident::new(name)])
    }
}
