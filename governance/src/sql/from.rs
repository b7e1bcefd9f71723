//! `FROM`: tables and joins, read into a scope.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{
    Ident, Join, ObjectName, ObjectNamePart, Spanned, TableAlias, TableFactor, TableWithJoins,
};
use sqlparser::tokenizer::Span;

use super::RELATIONS_MAX;
use super::bind::Bindings;
use super::names::is_keyword;
use super::refusal::{Clause, RefusalCode, Refusals};
use super::scope::{InScope, Readable, Scope};
use super::segments::Reads;

/// What a relation name stands for in one segment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known<'v> {
    /// It can be read.
    Readable(&'v Readable),
    /// It is a view of a segment that was refused: nothing more is known.
    Refused,
    /// It is a view, but not of an earlier order.
    TooLate,
}

/// Reads a `FROM`. `None` if a relation in it is not known well enough to go on.
pub(super) struct FromReader<'w, 'v, 'p> {
    pub(super) known: &'w BTreeMap<String, Known<'v>>,
    pub(super) bindings: &'w mut Bindings<'p>,
    pub(super) refusals: &'w mut Refusals,
    pub(super) reads: &'w mut Reads,
}

impl<'v> FromReader<'_, 'v, '_> {
    pub(super) fn read(&mut self, from: &mut [TableWithJoins], at: Span) -> Option<Scope<'v>> {
        let [TableWithJoins { relation, joins }] = from else {
            let (code, detail) =
                (RefusalCode::ConstructNotSupported, "FROM names one relation, and others by JOIN");
            self.refusals.push(code, Clause::From, at, detail);
            return None;
        };
        if joins.len() >= RELATIONS_MAX {
            let detail = format!("at most {RELATIONS_MAX} relations are joined");
            self.refusals.push(RefusalCode::TooMany, Clause::From, at, detail);
            return None;
        }
        let mut scope = Scope::default();
        let mut complete = self.relation(relation, &mut scope);
        for Join { relation, global, join_operator } in joins {
            let at = relation.span();
            if *global {
                self.unsupported(Clause::Join, at, "GLOBAL joins");
            }
            complete &= self.relation(relation, &mut scope);
            if complete {
                let right = scope.relations.len().saturating_sub(1);
                self.join(join_operator, right, &mut scope, at);
            }
        }
        if complete {
            self.check_floors(&scope, at);
            Some(scope)
        } else {
            None
        }
    }

    pub(super) fn unsupported(&mut self, clause: Clause, at: Span, what: &str) {
        let detail = format!("{what}: not supported in a segment");
        self.refusals.push(RefusalCode::ConstructNotSupported, clause, at, detail);
    }

    /// Puts a relation into the scope; false if it can't be.
    fn relation(&mut self, factor: &mut TableFactor, scope: &mut Scope<'v>) -> bool {
        let at = factor.span();
        let (name, alias) = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_directives,
                inheritance: None,
            } if with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty() => {
                (name, alias)
            }
            TableFactor::Table { args: Some(_), .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::Function { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => {
                self.unsupported(Clause::From, at, "a function in FROM");
                return false;
            }
            TableFactor::Table { .. } => {
                self.unsupported(
                    Clause::From,
                    at,
                    "TABLESAMPLE, time travel and options of a relation",
                );
                return false;
            }
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => {
                self.unsupported(
                    Clause::From,
                    at,
                    "a subquery or parentheses in FROM; make it a segment of its own",
                );
                return false;
            }
            TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. } => {
                self.unsupported(Clause::From, at, "PIVOT, UNPIVOT and MATCH_RECOGNIZE");
                return false;
            }
        };
        let Some(relation) = self.named(name) else {
            return false;
        };
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(relation.name.as_str()))]);
        let Some(alias) = self.alias(alias, &relation.name, at) else {
            return false;
        };
        if scope.position(&alias.value).is_some() {
            let detail = format!("{} stands twice in FROM; give each its own alias", alias.value);
            self.refusals.push(RefusalCode::DuplicateAlias, Clause::From, at, detail);
            return false;
        }
        self.reads.entry(relation.name.clone()).or_default();
        scope.relations.push(InScope { alias, relation });
        true
    }

    fn named(&mut self, name: &ObjectName) -> Option<&'v Readable> {
        let at = name.span();
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            let detail = format!("{name}: relations have no catalogue or schema");
            self.refusals.push(RefusalCode::QualifiedName, Clause::From, at, detail);
            return None;
        };
        let name = &ident.value;
        match self.known.get(&name.to_ascii_lowercase()) {
            Some(Known::Readable(relation)) => Some(relation),
            Some(Known::Refused) => None,
            Some(Known::TooLate) => {
                let detail = format!("the view {name} is not of an earlier order");
                self.refusals.push(RefusalCode::UnknownRelation, Clause::From, at, detail);
                None
            }
            None => {
                let detail = format!("{name} is neither an input nor a view");
                self.refusals.push(RefusalCode::UnknownRelation, Clause::From, at, detail);
                None
            }
        }
    }

    /// The name that columns are qualified with. `AS` is always printed: without it a word such as
    /// `anti` could be an alias to one parser and a kind of join to another.
    fn alias(&mut self, alias: &mut Option<TableAlias>, relation: &str, at: Span) -> Option<Ident> {
        let Some(TableAlias { explicit, name, columns, at: index }) = alias else {
            return Some(Ident::new(relation));
        };
        if !columns.is_empty() || index.is_some() {
            self.unsupported(Clause::From, at, "column names in a relation's alias");
            return None;
        }
        if is_keyword(&name.value) {
            let detail = format!("{} is a word of Spark's grammar", name.value);
            self.refusals.push(RefusalCode::ReservedName, Clause::From, name.span, detail);
            return None;
        }
        *explicit = true;
        Some(Ident::new(name.value.as_str()))
    }

    /// What is known of one input's individuals must come from one relation: a self join could pair
    /// an individual with others, groups joined back to rows could show what the floor hid, and two
    /// groupings beside one another could differ in one individual.
    fn check_floors(&mut self, scope: &Scope<'v>, at: Span) {
        let mut reached = BTreeSet::new();
        for one in &scope.relations {
            for alias in one.relation.carries.keys().chain(&one.relation.settled) {
                if !reached.insert(alias) {
                    let detail = format!(
                        "{alias}, which has a minimum group, reaches this FROM by two relations"
                    );
                    self.refusals.push(RefusalCode::GroupFloorUnprovable, Clause::From, at, detail);
                }
            }
        }
    }
}
