//! `FROM`: tables, derived tables and joins, read into a scope.

use std::collections::BTreeSet;
use std::rc::Rc;

use sqlparser::ast::{
    Ident, Join, ObjectName, ObjectNamePart, Spanned, TableAlias, TableFactor, TableWithJoins,
};
use sqlparser::tokenizer::Span;

use super::RELATIONS_MAX;
use super::context::{Context, Known};
use super::names::is_keyword;
use super::nested;
use super::query::Outer;
use super::refusal::{Clause, RefusalCode};
use super::scope::{InScope, Origin, Readable, Scope};

/// Reads a `FROM`. `None` if a relation in it is not known well enough to go on.
pub(super) struct FromReader<'w, 'c, 'p> {
    pub(super) context: &'w mut Context<'c, 'p>,
}

impl FromReader<'_, '_, '_> {
    pub(super) fn read<'o>(
        &mut self,
        from: &mut [TableWithJoins],
        outer: Outer<'o>,
        at: Span,
    ) -> Option<Scope<'o>> {
        if from.is_empty() {
            let (code, detail) =
                (RefusalCode::ConstructNotSupported, "a query reads at least one relation");
            self.context.refusals.push(code, Clause::From, at, detail);
            return None;
        }
        if from.iter().map(|one| 1 + one.joins.len()).sum::<usize>() > RELATIONS_MAX {
            let detail = format!("at most {RELATIONS_MAX} relations are joined");
            self.context.refusals.push(RefusalCode::TooMany, Clause::From, at, detail);
            return None;
        }
        let mut scope = Scope { outer, ..Scope::default() };
        let mut complete = true;
        for tables in from {
            // A condition sees the relations between its own commas only.
            let mut part = Scope::default();
            complete &= self.part(tables, &mut part);
            complete &= self.append(&mut scope, part, at);
        }
        if complete {
            self.check_floors(&scope, at);
            Some(scope)
        } else {
            None
        }
    }

    fn part(&mut self, tables: &mut TableWithJoins, scope: &mut Scope<'_>) -> bool {
        let TableWithJoins { relation, joins } = tables;
        let mut complete = self.relation(relation, scope);
        for Join { relation, global, join_operator } in joins {
            let at = relation.span();
            if *global {
                self.unsupported(Clause::Join, at, "GLOBAL joins");
            }
            complete &= self.relation(relation, scope);
            if complete {
                let right = scope.relations.len().saturating_sub(1);
                self.join(join_operator, right, scope, at);
            }
        }
        complete
    }

    /// Puts the relations between two commas beside the ones before them.
    fn append(&mut self, scope: &mut Scope<'_>, part: Scope<'_>, at: Span) -> bool {
        let before = scope.relations.len();
        let mut unique = true;
        for one in part.relations {
            if scope.position(&one.alias.value).is_some() {
                unique = self.twice(&one.alias.value, at);
            }
            scope.relations.push(one);
        }
        for (name, holders) in part.merged {
            let moved = holders.into_iter().map(|position| position + before).collect();
            scope.merged.insert(name, moved);
        }
        unique
    }

    fn twice(&mut self, alias: &str, at: Span) -> bool {
        let detail = format!("{alias} stands twice in FROM; give each its own alias");
        self.context.refusals.push(RefusalCode::DuplicateAlias, Clause::From, at, detail);
        false
    }

    pub(super) fn unsupported(&mut self, clause: Clause, at: Span, what: &str) {
        self.refuse(RefusalCode::ConstructNotSupported, clause, at, what);
    }

    fn refuse(&mut self, code: RefusalCode, clause: Clause, at: Span, what: &str) {
        let detail = format!("{what}: not supported in a segment");
        self.context.refusals.push(code, clause, at, detail);
    }

    /// Puts a relation into the scope; false if it can't be.
    fn relation(&mut self, factor: &mut TableFactor, scope: &mut Scope<'_>) -> bool {
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
            TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None } => {
                let alias_at = alias.name.span;
                let made = nested::table(subquery, alias, self.context);
                let Some(relation) = made else {
                    return false;
                };
                return self.add(Ident::new(alias.name.value.as_str()), relation, scope, alias_at);
            }
            TableFactor::Table { args: Some(_), .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::Function { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => {
                self.refuse(RefusalCode::TableFunction, Clause::From, at, "a function in FROM");
                return false;
            }
            TableFactor::Table { sample: Some(_), .. }
            | TableFactor::Derived { sample: Some(_), .. } => {
                self.refuse(RefusalCode::TableSample, Clause::From, at, "TABLESAMPLE");
                return false;
            }
            TableFactor::Table { version: Some(_), .. } => {
                let what = "an old version of a relation";
                self.refuse(RefusalCode::TimeTravel, Clause::From, at, what);
                return false;
            }
            TableFactor::Table { .. } => {
                self.unsupported(Clause::From, at, "options of a relation");
                return false;
            }
            TableFactor::Derived { lateral: true, .. } => {
                self.unsupported(Clause::From, at, "LATERAL");
                return false;
            }
            TableFactor::Derived { lateral: false, alias: None, .. } => {
                self.unsupported(Clause::From, at, "a subquery in FROM without a name");
                return false;
            }
            TableFactor::NestedJoin { .. } => {
                self.unsupported(Clause::From, at, "joins in parentheses");
                return false;
            }
            TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. } => {
                self.refuse(RefusalCode::Pivot, Clause::From, at, "PIVOT and UNPIVOT");
                return false;
            }
            TableFactor::MatchRecognize { .. } => {
                self.unsupported(Clause::From, at, "MATCH_RECOGNIZE");
                return false;
            }
        };
        let Some(relation) = self.named(name) else {
            return false;
        };
        self.check_private(&relation, at);
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(relation.name.as_str()))]);
        let Some(alias) = self.alias(alias, &relation.name, at) else {
            return false;
        };
        if relation.origin != Origin::Nested {
            self.context.reads.entry(relation.name.clone()).or_default();
        }
        self.add(alias, relation, scope, at)
    }

    fn add(
        &mut self,
        alias: Ident,
        relation: Rc<Readable>,
        scope: &mut Scope<'_>,
        at: Span,
    ) -> bool {
        if scope.position(&alias.value).is_some() {
            return self.twice(&alias.value, at);
        }
        scope.relations.push(InScope { alias, relation });
        true
    }

    fn named(&mut self, name: &ObjectName) -> Option<Rc<Readable>> {
        let at = name.span();
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            let detail = format!("{name}: relations have no catalogue or schema");
            self.context.refusals.push(RefusalCode::QualifiedName, Clause::From, at, detail);
            return None;
        };
        let name = &ident.value;
        let detail = match self.context.known.get(&name.to_ascii_lowercase()) {
            Some(Known::Readable(relation)) => return Some(Rc::clone(relation)),
            Some(Known::Refused) => return None,
            Some(Known::TooLate) => format!("the view {name} is not of an earlier order"),
            None => format!("{name} is neither an input nor a view"),
        };
        self.context.refusals.push(RefusalCode::UnknownRelation, Clause::From, at, detail);
        None
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
            self.context.refusals.push(RefusalCode::ReservedName, Clause::From, name.span, detail);
            return None;
        }
        *explicit = true;
        Some(Ident::new(name.value.as_str()))
    }

    /// An input that asks for differential privacy stands in the `FROM` of the last segment's own
    /// select, and nowhere else.
    fn check_private(&mut self, relation: &Readable, at: Span) {
        let Some((alias, last)) = self.context.private else { return };
        let here = last && self.context.depth == 1;
        if relation.origin == Origin::Input && relation.name == alias && !here {
            let detail = format!(
                "{alias} asks for differential privacy: only the last segment's own FROM reads it"
            );
            self.context.refusals.push(RefusalCode::PrivacyForm, Clause::From, at, detail);
        }
    }

    /// What is known of one input's individuals must come from one relation: a self join could pair
    /// an individual with others, groups joined back to rows could show what the floor hid, and two
    /// groupings beside one another could differ in one individual.
    fn check_floors(&mut self, scope: &Scope<'_>, at: Span) {
        let mut reached = BTreeSet::new();
        for alias in scope.reached() {
            if !reached.insert(alias) {
                let detail = format!(
                    "{alias}, which has a minimum group, reaches this FROM by two relations"
                );
                let code = RefusalCode::GroupFloorUnprovable;
                self.context.refusals.push(code, Clause::From, at, detail);
            }
        }
    }
}
