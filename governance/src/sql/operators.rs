//! Operators, and the parentheses that make every parser read them alike.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, InTarget, Spanned, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::tokenizer::Span;

use super::expr::{Facts, Walker};
use super::kind::Kind;
use super::policy::{self, Mix};
use super::shape::Shape;
use super::types;

impl Walker<'_, '_, '_> {
    /// Conditions that are no binary operator.
    pub(super) fn predicate(&mut self, expr: &mut Expr, depth: usize) -> Facts {
        match expr {
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner) => {
                let facts = self.operand(inner, Level::Primary, depth);
                Facts::choice(vec![facts], Some(Kind::Boolean))
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                let at = left.span();
                let parts = vec![
                    self.operand(left, Level::Primary, depth),
                    self.operand(right, Level::Primary, depth),
                ];
                self.condition(parts, Mix::Equality, at)
            }
            Expr::In { expr: inner, target: InTarget::List(list), negated: _, global: false } => {
                let at = inner.span();
                let mut parts = vec![self.operand(inner, Level::Add, depth)];
                parts.extend(list.iter_mut().map(|one| self.descend(one, depth)));
                self.condition(parts, Mix::Equality, at)
            }
            Expr::Between { expr: inner, negated: _, low, high } => {
                let at = inner.span();
                let parts =
                    [inner, low, high].map(|one| self.operand(one, Level::Add, depth)).to_vec();
                self.condition(parts, Mix::Other, at)
            }
            Expr::Like { negated: _, any: false, expr: inner, pattern, escape_char: None }
            | Expr::ILike { negated: _, any: false, expr: inner, pattern, escape_char: None } => {
                let at = inner.span();
                let parts = vec![
                    self.operand(inner, Level::Primary, depth),
                    self.operand(pattern, Level::Primary, depth),
                ];
                self.condition(parts, Mix::Other, at)
            }
            other => self.unsupported_kind(other),
        }
    }

    pub(super) fn unary(
        &mut self,
        op: UnaryOperator,
        inner: &mut Box<Expr>,
        depth: usize,
    ) -> Facts {
        match op {
            UnaryOperator::Not => {
                let facts = self.operand(inner, Level::Compare, depth);
                Facts::choice(vec![facts], Some(Kind::Boolean))
            }
            UnaryOperator::Minus | UnaryOperator::Plus => {
                let facts = self.operand(inner, Level::Primary, depth);
                let kind = match inner.as_ref() {
                    // One number to Spark, sign and all.
                    Expr::Value(ValueWithSpan { value: Value::Number(digits, long), span: _ })
                        if op == UnaryOperator::Minus =>
                    {
                        types::number(&format!("-{digits}"), *long)
                    }
                    _ => facts.kind.map(Kind::settled),
                };
                let shape = facts.shape.sum(Shape::Constant);
                Facts::of(vec![facts], kind, shape)
            }
            other => {
                let detail = format!("the operator {other} is not supported");
                self.unsupported(inner.span(), detail)
            }
        }
    }

    pub(super) fn binary(
        &mut self,
        left: &mut Box<Expr>,
        op: &BinaryOperator,
        right: &mut Box<Expr>,
        conjunct: bool,
        depth: usize,
    ) -> Facts {
        let Some((most_left, most_right)) = operand_levels(op) else {
            let detail = format!("the operator {op} is not supported");
            return self.unsupported(left.span(), detail);
        };
        let at = left.span();
        let both = conjunct && *op == BinaryOperator::And;
        self.conjunct = both;
        let left_facts = self.operand(left, most_left, depth);
        self.conjunct = both;
        let right_facts = self.operand(right, most_right, depth);
        self.conjunct = false;
        let joins = conjunct
            && *op == BinaryOperator::Eq
            && policy::joins((left, &left_facts), (right, &right_facts));
        let (left, right) = (left_facts, right_facts);
        let shape = match op {
            BinaryOperator::Plus | BinaryOperator::Minus => left.shape.sum(right.shape),
            BinaryOperator::Multiply => left.shape.product(right.shape),
            BinaryOperator::Divide => left.shape.quotient(right.shape),
            _ => Shape::choice(&[left.shape, right.shape]),
        };
        let kind = types::binary(op, left.kind, right.kind);
        let parts = vec![left, right];
        let mix = match op {
            BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::Spaceship => Mix::Equality,
            _ => Mix::Other,
        };
        self.mix(&parts, mix, at);
        let mut facts = Facts::of(parts, kind, shape);
        if is_comparison(op) {
            facts.rules.literals = None;
        }
        if joins {
            facts.rules.join_only = None;
        }
        facts
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&mut Expr>,
        conditions: &mut [CaseWhen],
        else_result: Option<&mut Expr>,
        depth: usize,
    ) -> Facts {
        let at = operand.as_deref().map_or(Span::empty(), Spanned::span);
        let mut parts: Vec<Facts> =
            operand.into_iter().map(|operand| self.descend(operand, depth)).collect();
        let mut kinds = Vec::new();
        for CaseWhen { condition, result } in conditions {
            parts.push(self.descend(condition, depth));
            let result = self.descend(result, depth);
            kinds.push(result.kind);
            parts.push(result);
        }
        if let Some(result) = else_result {
            let result = self.descend(result, depth);
            kinds.push(result.kind);
            parts.push(result);
        }
        self.mix(&parts, Mix::Other, at);
        Facts::choice(parts, types::merge(kinds))
    }

    pub(super) fn gentle(&mut self, inner: &mut Expr, kind: Option<Kind>, depth: usize) -> Facts {
        let facts = self.descend(inner, depth);
        let (kind, shape) = (kind.or(facts.kind), Shape::call(&[facts.shape], true));
        Facts::of(vec![facts], kind, shape)
    }

    /// Walks an operand and puts it in parentheses if it binds less than `most`.
    pub(super) fn operand(&mut self, expr: &mut Box<Expr>, most: Level, depth: usize) -> Facts {
        let facts = self.descend(expr, depth);
        if level(expr) > most {
            let inner = std::mem::replace(expr.as_mut(), Expr::Tuple(Vec::new()));
            **expr = Expr::Nested(Box::new(inner));
        }
        facts
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Spaceship
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

/// How loosely an expression binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Primary,
    Multiply,
    Add,
    Concat,
    Compare,
    Not,
    And,
    Or,
}

fn level(expr: &Expr) -> Level {
    match expr {
        Expr::BinaryOp { op, left: _, right: _ } => match op {
            BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::Modulo => {
                Level::Multiply
            }
            BinaryOperator::Plus | BinaryOperator::Minus => Level::Add,
            BinaryOperator::StringConcat => Level::Concat,
            BinaryOperator::And => Level::And,
            BinaryOperator::Or => Level::Or,
            _ => Level::Compare,
        },
        Expr::UnaryOp { op: UnaryOperator::Not, expr: _ } | Expr::Exists { .. } => Level::Not,
        // In parentheses under another sign: `--` would start a comment.
        Expr::UnaryOp { .. } => Level::Multiply,
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Value(_)
        | Expr::TypedString(_)
        | Expr::Nested(_)
        | Expr::Cast { .. }
        | Expr::Extract { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Case { .. }
        | Expr::Interval(_)
        | Expr::Subquery(_)
        | Expr::Function(_) => Level::Primary,
        _ => Level::Compare,
    }
}

/// Whether `AND` takes the expression as its left operand without parentheses.
pub(super) fn binds_as_and(expr: &Expr) -> bool {
    level(expr) <= Level::And
}

/// The loosest operands that an operator takes without parentheses; `None` if it isn't allowed.
fn operand_levels(op: &BinaryOperator) -> Option<(Level, Level)> {
    match op {
        BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::Modulo => {
            Some((Level::Multiply, Level::Primary))
        }
        BinaryOperator::Plus | BinaryOperator::Minus => Some((Level::Add, Level::Multiply)),
        BinaryOperator::StringConcat => Some((Level::Primary, Level::Primary)),
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Lt
        | BinaryOperator::LtEq
        | BinaryOperator::Gt
        | BinaryOperator::GtEq
        | BinaryOperator::Spaceship => Some((Level::Add, Level::Add)),
        BinaryOperator::And => Some((Level::And, Level::Not)),
        BinaryOperator::Or => Some((Level::Or, Level::And)),
        _ => None,
    }
}
