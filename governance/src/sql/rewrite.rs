//! The rewriting: identities on rows, floors under groups, and the printed text's fixpoint check.

use std::collections::BTreeMap;

use sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, SelectItem,
    Value,
};

use super::frame::Parts;
use super::operators::binds_as_and;
use super::query::Role;
use super::scope::{Identity, Scope, Sources};
use super::{CarriedIdentity, GroupFloor, RESERVED_PREFIX, REWRITTEN_BYTES_MAX, lex};

/// An identity in the scope: the expression that reads it, and what it is.
type InScopeIdentities<'v> = BTreeMap<&'v str, (Expr, &'v Identity)>;

fn identities<'v>(scope: &'v Scope<'_>) -> InScopeIdentities<'v> {
    scope
        .carries()
        .map(|(alias, one, identity)| (alias, (one.expr(&identity.source), identity)))
        .collect()
}

/// Adds the identity of each individual to the rows of a row-level select.
pub(super) fn carry(parts: &mut Parts<'_>, scope: &Scope<'_>, role: Role) -> Vec<CarriedIdentity> {
    let mut carried = Vec::new();
    match role {
        Role::Last | Role::View | Role::Table => {}
        // Refused where there is any.
        Role::Value | Role::Operand { .. } => return carried,
    }
    for (alias, (expr, identity)) in identities(scope) {
        let column = identity.name.clone();
        parts.projection.push(if identity.source == column {
            SelectItem::UnnamedExpr(expr)
        } else {
            SelectItem::ExprWithAlias { expr, alias: Ident::new(column.as_str()) }
        });
        carried.push(CarriedIdentity { alias: alias.to_owned(), column });
    }
    carried
}

/// Counts the individuals behind each group, and drops the groups with too few. `counted` adds the
/// counts to the output, where the application checks them again.
pub(super) fn floor(
    parts: &mut Parts<'_>,
    scope: &Scope<'_>,
    touched: &Sources,
    counted: bool,
) -> Vec<GroupFloor> {
    let mut floors = Vec::new();
    for (alias, (expr, identity)) in identities(scope) {
        let column = format!("{RESERVED_PREFIX}group_{alias}");
        let count = count_distinct(expr);
        let minimum = identity.floor(alias, touched);
        let least = Expr::value(Value::Number(minimum.to_string(), false));
        let enough = operation(count.clone(), BinaryOperator::GtEq, least);
        *parts.having = Some(match parts.having.take() {
            None => enough,
            Some(having) => operation(nested(having), BinaryOperator::And, enough),
        });
        if counted {
            let alias = Ident::new(column.as_str());
            parts.projection.push(SelectItem::ExprWithAlias { expr: count, alias });
        }
        floors.push(GroupFloor { column, minimum, alias: alias.to_owned() });
    }
    floors
}

fn operation(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// The author's condition in parentheses, so that its `OR` can't reach the floor's condition.
fn nested(having: Expr) -> Expr {
    match having {
        having if binds_as_and(&having) => having,
        other => Expr::Nested(Box::new(other)),
    }
}

fn count_distinct(expr: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new("COUNT"))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: Some(DuplicateTreatment::Distinct),
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))],
            clauses: Vec::new(),
        }),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    })
}

/// Why a tree has no text to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unprintable {
    /// The text is longer than its bound.
    TooLong,
    /// The text reads back as another tree.
    Different,
}

/// The text of a tree, proven to read back as the same tree.
pub(super) fn print(query: &Query) -> Result<String, Unprintable> {
    let text = query.to_string();
    if text.len() > REWRITTEN_BYTES_MAX {
        return Err(Unprintable::TooLong);
    }
    let again = lex::reparse(&text).ok_or(Unprintable::Different)?;
    if again == *query && again.to_string() == text {
        Ok(text)
    } else {
        Err(Unprintable::Different)
    }
}
