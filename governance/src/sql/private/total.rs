//! Expressions that give a value for every row, whatever is in it.
//!
//! A run that fails for what one row holds tells of that row, and no noise covers that. So there is no
//! arithmetic, no cast and no function that can fail; the application turns off the errors of implicit
//! casts.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    InTarget, UnaryOperator,
};

/// Functions that give a value for every argument.
const TOTAL: &[&str] = &[
    "UPPER",
    "LOWER",
    "LENGTH",
    "COALESCE",
    "YEAR",
    "QUARTER",
    "MONTH",
    "DAY",
    "DAYOFMONTH",
    "DAYOFWEEK",
];

/// What in an expression may fail for a row, or read more than one row; nothing where nothing does.
pub(super) fn objection(expr: &Expr) -> Option<String> {
    match expr {
        Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::TypedString(_) => None,
        // A bound double: it fails for every row, or for none.
        Expr::Cast { expr: inner, .. } if matches!(**inner, Expr::Value(_)) => None,
        Expr::Nested(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => objection(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner }
            if matches!(**inner, Expr::Value(_)) =>
        {
            None
        }
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            objection(left).or_else(|| objection(right))
        }
        Expr::BinaryOp { left, op, right } if is_total(op) => {
            objection(left).or_else(|| objection(right))
        }
        Expr::Between { expr, negated: _, low, high } => {
            [expr, low, high].into_iter().find_map(|one| objection(one))
        }
        Expr::In { expr, target: InTarget::List(list), negated: _, global: false } => {
            objection(expr).or_else(|| list.iter().find_map(objection))
        }
        Expr::Like { negated: _, any: false, expr, pattern, escape_char: None }
        | Expr::ILike { negated: _, any: false, expr, pattern, escape_char: None } => {
            // A pattern that is no pattern fails for any row, or for none.
            if matches!(**pattern, Expr::Value(_)) {
                objection(expr)
            } else {
                Some("LIKE with a pattern out of a row".to_owned())
            }
        }
        Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
            let mut parts = operand.iter().chain(else_result);
            parts.find_map(|part| objection(part)).or_else(|| {
                conditions.iter().find_map(|CaseWhen { condition, result }| {
                    objection(condition).or_else(|| objection(result))
                })
            })
        }
        Expr::Function(call) => called(call),
        other => Some(format!("{}: it may fail for a row, or reads more than one", kind(other))),
    }
}

const fn is_total(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
            | BinaryOperator::Spaceship
    )
}

fn called(call: &Function) -> Option<String> {
    let name = call.name.to_string();
    if !TOTAL.contains(&name.as_str()) || call.over.is_some() {
        return Some(format!("{name} may fail for a row, or reads more than one"));
    }
    let FunctionArguments::List(list) = &call.args else {
        return Some(format!("{name} without plain arguments"));
    };
    list.args.iter().find_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => objection(expr),
        _ => Some(format!("{name} without plain arguments")),
    })
}

/// What an expression is, in a word or two.
const fn kind(expr: &Expr) -> &'static str {
    match expr {
        Expr::BinaryOp { .. } | Expr::UnaryOp { .. } => "arithmetic",
        Expr::Cast { .. } => "a cast",
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::In { .. } => "a subquery",
        Expr::Identifier(_) => "a column that USING merged",
        _ => "this form",
    }
}
