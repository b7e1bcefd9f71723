//! `LATERAL VIEW explode(split(column, 'separator')) name AS column`: a row for each part of a text.
//!
//! The one generator that is read. Each of its rows stays its source row's: it carries the same
//! identity, so a floor counts an individual once, however many parts its text has.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    LateralView, ObjectName, ObjectNamePart, Spanned, Value, ValueWithSpan,
};
use sqlparser::tokenizer::Span;

use super::bind;
use super::context::Context;
use super::expr::{Aggregates, Facts, Walker};
use super::kind::Kind;
use super::names::is_keyword;
use super::policy::Mix;
use super::refusal::{Clause, RefusalCode};
use super::scope::{InScope, Origin, Readable, Scope, ScopeColumn};
use super::shape::Shape;

/// Puts the lateral views of a select into its scope, each over what stands before it.
pub(super) fn views(
    views: &mut [LateralView],
    scope: &mut Scope<'_>,
    context: &mut Context<'_, '_>,
) {
    for view in views {
        let at = view.lateral_view.span();
        let facts = generator(&mut view.lateral_view, scope, context, at);
        let named = names(view);
        match (facts, named) {
            (Some(facts), Some((alias, column))) => add(alias, column, facts, scope, context, at),
            (None, _) => {}
            (Some(_), None) => {
                let detail = "a lateral view has a plain name and one plain column: name AS column";
                let code = RefusalCode::ConstructNotSupported;
                context.refusals.push(code, Clause::From, at, detail);
            }
        }
    }
}

fn add(
    alias: Ident,
    column: String,
    facts: Facts,
    scope: &mut Scope<'_>,
    context: &mut Context<'_, '_>,
    at: Span,
) {
    if scope.position(&alias.value).is_some() {
        let detail = format!("{} stands twice in FROM", alias.value);
        return context.refusals.push(RefusalCode::DuplicateAlias, Clause::From, at, detail);
    }
    if let Some(column) = &facts.rules.join_only {
        let detail = format!("{column} may only stand where an equality joins two relations");
        context.refusals.push(RefusalCode::JoinOnly, Clause::From, at, detail);
    }
    let touched = facts.sources.clone();
    let column = ScopeColumn {
        name: column,
        kind: Some(Kind::String),
        allowed: true,
        sources: facts.sources,
        aggregated: facts.aggregated,
        shape: Shape::Selective,
        rules: facts.rules,
    };
    let relation = Readable {
        name: alias.value.clone(),
        origin: Origin::Nested,
        columns: vec![column],
        carries: BTreeMap::new(),
        settled: BTreeSet::new(),
        touched,
    };
    scope.relations.push(InScope { alias, relation: Rc::new(relation) });
}

/// The facts of the text that is split, with names printed as they are read.
fn generator(
    expr: &mut Expr,
    scope: &Scope<'_>,
    context: &mut Context<'_, '_>,
    at: Span,
) -> Option<Facts> {
    let parts = call(expr, "EXPLODE")
        .and_then(|mut args| args.pop().filter(|_| args.is_empty()))
        .and_then(|split| call(split, "SPLIT"))
        .and_then(|args| <[&mut Expr; 2]>::try_from(args).ok());
    let Some([text, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(by), span: _ })]) =
        parts
    else {
        let detail = "a lateral view is explode(split(column, 'separator'))";
        context.refusals.push(RefusalCode::TableFunction, Clause::From, at, detail);
        return None;
    };
    *by = bind::re_encode(by);
    let none = BTreeMap::new();
    let mut walker = Walker {
        scope,
        context,
        clause: Clause::From,
        aggregates: Aggregates::Refused,
        keys: &[],
        aliases: &none,
        conjunct: false,
    };
    let facts = walker.walk(text);
    walker.mix(&[facts.clone(), Facts::constant(None)], Mix::Other, at);
    Some(facts)
}

/// The plain arguments of a call of this function, whose name is then printed in upper case.
fn call<'e>(expr: &'e mut Expr, name: &str) -> Option<Vec<&'e mut Expr>> {
    let Expr::Function(Function {
        name: called,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args:
            FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }),
        within_group,
        filter: None,
        null_treatment: None,
        over: None,
    }) = expr
    else {
        return None;
    };
    match called.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] if ident.value.eq_ignore_ascii_case(name) => {}
        _ => return None,
    }
    if !clauses.is_empty() || !within_group.is_empty() {
        return None;
    }
    *called = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]);
    args.iter_mut()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            FunctionArg::Unnamed(
                FunctionArgExpr::Wildcard
                | FunctionArgExpr::QualifiedWildcard(_)
                | FunctionArgExpr::WildcardWithOptions(_),
            )
            | FunctionArg::Named { .. }
            | FunctionArg::ExprNamed { .. } => None,
        })
        .collect()
}

/// The name of a lateral view and of its one column.
fn names(view: &LateralView) -> Option<(Ident, String)> {
    let [ObjectNamePart::Identifier(name)] = view.lateral_view_name.0.as_slice() else {
        return None;
    };
    let [column] = view.lateral_col_alias.as_slice() else {
        return None;
    };
    let plain = !is_keyword(&name.value) && !is_keyword(&column.value);
    plain.then(|| (Ident::new(name.value.as_str()), column.value.clone()))
}
