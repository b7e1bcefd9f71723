//! Window functions: over rows and groups that no minimum group stands under.
//!
//! A window hands each row values of other rows. Over rows with a floor such a value could be one
//! individual's, whatever is counted later; so a window stands over inputs without a floor, or over
//! groups that an earlier segment or a derived table has settled.

use sqlparser::ast::{
    Expr, OrderByOptions, OrderBySort, Value, ValueWithSpan, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};
use sqlparser::tokenizer::Span;

use super::KEYS_MAX;
use super::expr::{Facts, Walker};
use super::functions::Function;
use super::kind::Kind;
use super::refusal::{Clause, RefusalCode};
use super::shape::Shape;

impl Walker<'_, '_, '_> {
    /// A function of these arguments over a window.
    pub(super) fn window(
        &mut self,
        function: &Function,
        mut parts: Vec<Facts>,
        window: &mut WindowType,
        at: Span,
        depth: usize,
    ) -> Facts {
        if self.clause != Clause::Select || self.aggregates_inside() {
            let detail = format!("{} over a window can't stand here", function.name);
            return self.refuse(RefusalCode::MisplacedWindow, at, detail);
        }
        if self.scope.has_floor() {
            let detail = format!(
                "{} over a window of rows that have a minimum group; group them in a query of their own first",
                function.name
            );
            return self.refuse(RefusalCode::WindowFloor, at, detail);
        }
        let WindowType::WindowSpec(WindowSpec {
            window_name: None,
            partition_by,
            order_by,
            window_frame,
        }) = window
        else {
            return self.unsupported(at, "a window by name");
        };
        if partition_by.len() + order_by.len() > KEYS_MAX {
            let detail = format!("at most {KEYS_MAX} keys are read");
            return self.refuse(RefusalCode::TooMany, at, detail);
        }
        let kinds: Vec<Option<Kind>> = parts.iter().map(|part| part.kind).collect();
        for key in partition_by {
            parts.push(self.window_key(key, depth, at));
        }
        for key in order_by {
            let OrderByOptions { sort, nulls_first: _ } = &key.options;
            let plain = matches!(sort, None | Some(OrderBySort::Asc | OrderBySort::Desc))
                && key.with_fill.is_none();
            if !plain {
                return self.unsupported(at, "an order of a window with USING or WITH FILL");
            }
            parts.push(self.window_key(&mut key.expr, depth, at));
        }
        if !window_frame.as_ref().is_none_or(is_frame) {
            let detail =
                "a window frame is ROWS or RANGE with UNBOUNDED, CURRENT ROW or, in ROWS, numbers";
            return self.unsupported(at, detail);
        }
        Facts { varies: true, ..Facts::of(parts, function.kind(&kinds), Shape::Selective) }
    }

    fn window_key(&mut self, key: &mut Expr, depth: usize, at: Span) -> Facts {
        let before = self.context.refusals.len();
        let facts = self.descend(key, depth);
        let unrefused = self.context.refusals.len() == before;
        if !facts.varies && !facts.aggregates && unrefused {
            self.unsupported(at, "a key of a window names a column or an aggregate");
        }
        facts
    }
}

fn is_frame(frame: &WindowFrame) -> bool {
    let WindowFrame { units, start_bound, end_bound } = frame;
    let numbers = match units {
        WindowFrameUnits::Rows => true,
        WindowFrameUnits::Range => false,
        WindowFrameUnits::Groups => return false,
    };
    let bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow
        | WindowFrameBound::Preceding(None)
        | WindowFrameBound::Following(None) => true,
        WindowFrameBound::Preceding(Some(count)) | WindowFrameBound::Following(Some(count)) => {
            numbers && is_count(count)
        }
    };
    bound(start_bound) && end_bound.as_ref().is_none_or(bound)
}

fn is_count(expr: &Expr) -> bool {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(digits, false), span: _ }) => {
            digits.parse::<i32>().is_ok()
        }
        _ => false,
    }
}
