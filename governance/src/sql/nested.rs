//! Tables within a text: derived tables in `FROM`, and the tables of a `WITH`.

use std::collections::BTreeSet;
use std::rc::Rc;

use sqlparser::ast::{Cte, Ident, Query, SetExpr, TableAlias, TableAliasColumnDef, Values, With};
use sqlparser::tokenizer::Span;

use super::context::{Context, Known};
use super::names::is_keyword;
use super::query::{self, Made, Role};
use super::refusal::{Clause, RefusalCode};
use super::scope::{Origin, Readable};

/// A derived table under its alias, which is always printed with `AS`.
pub(super) fn table(
    query: &mut Query,
    alias: &mut TableAlias,
    context: &mut Context<'_, '_>,
) -> Option<Rc<Readable>> {
    let made = query::query(query, Role::Table, None, context)?;
    alias.explicit = true;
    named(made, alias, context).map(Rc::new)
}

/// Checks the tables of a `WITH` in their order and puts them among the known relations. Returns
/// their names, for [`forget`].
pub(super) fn with(with: &mut With, context: &mut Context<'_, '_>) -> Vec<String> {
    let With { with_token, recursive, cte_tables } = with;
    if *recursive {
        let at = with_token.0.span;
        let detail = "WITH RECURSIVE: not supported in a segment";
        context.refusals.push(RefusalCode::RecursiveTable, Clause::With, at, detail);
    }
    let mut names = Vec::new();
    for Cte { alias, query, from, materialized, closing_paren_token: _ } in cte_tables {
        let at = alias.name.span;
        if from.is_some() || materialized.is_some() {
            let detail = "FROM or MATERIALIZED in a WITH table: not supported in a segment";
            context.refusals.push(RefusalCode::ConstructNotSupported, Clause::With, at, detail);
        }
        let key = alias.name.value.to_ascii_lowercase();
        let taken = context.known.contains_key(&key);
        if taken {
            let detail = format!("another relation is named {}", alias.name.value);
            context.refusals.push(RefusalCode::DuplicateTable, Clause::With, at, detail);
        }
        let made = query::query(query, Role::Table, None, context);
        let table = made.and_then(|made| named(made, alias, context));
        if !taken {
            let known = table.map_or(Known::Refused, |table| Known::Readable(Rc::new(table)));
            context.known.insert(key.clone(), known);
            names.push(key);
        }
    }
    names
}

/// Takes the tables of a `WITH` out of the known relations.
pub(super) fn forget(names: Vec<String>, context: &mut Context<'_, '_>) {
    for name in names {
        context.known.remove(&name);
    }
}

/// A checked query as a relation: its columns by the alias's list, or by their own names.
fn named(
    mut made: Made,
    alias: &mut TableAlias,
    context: &mut Context<'_, '_>,
) -> Option<Readable> {
    let TableAlias { explicit: _, name, columns, at: index } = alias;
    let at = name.span;
    let mut refuse = |code, at: Span, detail: String| {
        context.refusals.push(code, Clause::From, at, detail);
        None
    };
    if is_keyword(&name.value) {
        let detail = format!("{} is a word of Spark's grammar", name.value);
        return refuse(RefusalCode::ReservedName, at, detail);
    }
    if index.is_some() {
        let detail = "an index of a relation: not supported in a segment".to_owned();
        return refuse(RefusalCode::ConstructNotSupported, at, detail);
    }
    if columns.is_empty() {
        if made.output.iter().any(|(name, _)| name.is_empty()) {
            let detail = format!("give each column of {} a name with AS", name.value);
            return refuse(RefusalCode::UnnamedOutputColumn, at, detail);
        }
        return Some(made.readable(&name.value, Origin::Nested));
    }
    if columns.len() != made.output.len() {
        let detail =
            format!("{} names {} columns and has {}", name.value, columns.len(), made.output.len());
        return refuse(RefusalCode::ColumnCount, at, detail);
    }
    let mut seen = BTreeSet::new();
    for (column, (output, _)) in columns.iter().zip(&mut made.output) {
        let TableAliasColumnDef { name, data_type } = column;
        if data_type.is_some() {
            let detail = "types in a list of column names: not supported in a segment".to_owned();
            return refuse(RefusalCode::ConstructNotSupported, name.span, detail);
        }
        if is_keyword(&name.value) {
            let detail = format!("{} is a word of Spark's grammar", name.value);
            return refuse(RefusalCode::ReservedName, name.span, detail);
        }
        if !seen.insert(name.value.to_ascii_lowercase()) {
            let detail = format!("two columns are named {}", name.value);
            return refuse(RefusalCode::DuplicateOutputColumn, name.span, detail);
        }
        output.clone_from(&name.value);
    }
    // The list must name every column of the query that runs, the hidden ones too.
    columns.extend(
        made.carries.iter().map(|one| TableAliasColumnDef {
            name: Ident::new(one.column.as_str()),
            data_type: None,
        }),
    );
    Some(made.readable(&name.value, Origin::Nested))
}

/// A query that is nothing but its body.
pub(super) fn plain(body: Box<SetExpr>) -> Query {
    Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// What stands in a body's place while it is moved.
pub(super) fn no_values() -> Values {
    Values { explicit_row: false, value_keyword: false, rows: Vec::new() }
}
