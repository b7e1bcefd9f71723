//! The frame of a segment: every part of sqlparser's query and select structs is named here, so that a
//! construct that a later version adds is a compile error and not a hole.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, GroupByWithModifier, LateralView, LimitClause, OrderBy,
    OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Query, Select, SelectFlavor, SelectItem,
    SetExpr, Spanned, TableWithJoins, With,
};
use sqlparser::tokenizer::Span;

use super::refusal::{Clause, RefusalCode, Refusals};

/// The parts of a select that the analysis reads and rewrites.
pub(super) struct Parts<'q> {
    /// Where the select starts, for refusals without a place of their own.
    pub(super) at: Span,
    pub(super) distinct: bool,
    pub(super) projection: &'q mut Vec<SelectItem>,
    pub(super) from: &'q mut Vec<TableWithJoins>,
    pub(super) lateral_views: &'q mut Vec<LateralView>,
    pub(super) selection: Option<&'q mut Expr>,
    pub(super) keys: &'q mut Vec<Expr>,
    pub(super) having: &'q mut Option<Expr>,
    pub(super) order_by: Vec<&'q mut OrderByExpr>,
    pub(super) limit: Option<&'q mut Expr>,
}

/// A query around its body.
pub(super) struct Frame<'q> {
    pub(super) at: Span,
    pub(super) with: Option<&'q mut With>,
    pub(super) body: &'q mut SetExpr,
    pub(super) order_by: Vec<&'q mut OrderByExpr>,
    pub(super) limit: Option<&'q mut Expr>,
}

/// Takes a query apart, or refuses it for what it holds beside its body, `WITH`, order and limit.
pub(super) fn take_apart<'q>(query: &'q mut Query, refusals: &mut Refusals) -> Option<Frame<'q>> {
    let before = refusals.len();
    let at = query.span();
    let Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    let mut check = Check { at, refusals };
    check.absent(fetch.is_none(), Clause::Limit, "FETCH");
    check.absent(locks.is_empty(), Clause::Text, "FOR UPDATE and FOR SHARE");
    check.absent(for_clause.is_none(), Clause::Text, "FOR");
    check.absent(settings.is_none(), Clause::Text, "SETTINGS");
    check.absent(format_clause.is_none(), Clause::Text, "FORMAT");
    check.absent(pipe_operators.is_empty(), Clause::Text, "the pipe operator");
    let order_by = order_by.as_mut().map(|order_by| check.order_by(order_by)).unwrap_or_default();
    let limit = limit_clause.as_mut().and_then(|limit| check.limit(limit));
    let frame = Frame { at, with: with.as_mut(), body: body.as_mut(), order_by, limit };
    (refusals.len() == before).then_some(frame)
}

/// Takes a select apart, or refuses it for what it holds beside the clauses that are read.
pub(super) fn select<'q>(
    select: &'q mut Select,
    order_by: Vec<&'q mut OrderByExpr>,
    limit: Option<&'q mut Expr>,
    refusals: &mut Refusals,
) -> Option<Parts<'q>> {
    let before = refusals.len();
    let mut check = Check { at: Span::empty(), refusals };
    let parts = check.select(select, order_by, limit);
    parts.filter(|_| refusals.len() == before)
}

struct Check<'r> {
    at: Span,
    refusals: &'r mut Refusals,
}

impl Check<'_> {
    fn absent(&mut self, absent: bool, clause: Clause, what: &str) {
        if !absent {
            let detail = format!("{what}: not supported in a segment");
            self.refusals.push(RefusalCode::ConstructNotSupported, clause, self.at, detail);
        }
    }

    fn select<'q>(
        &mut self,
        select: &'q mut Select,
        order_by: Vec<&'q mut OrderByExpr>,
        limit: Option<&'q mut Expr>,
    ) -> Option<Parts<'q>> {
        let Select {
            select_token,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        self.at = select_token.0.span;
        if !optimizer_hints.is_empty() {
            self.refusals.push(
                RefusalCode::Hint,
                Clause::Select,
                self.at,
                "optimiser hints are not passed on",
            );
        }
        self.absent(select_modifiers.is_none(), Clause::Select, "select modifiers");
        self.absent(top.is_none(), Clause::Select, "TOP");
        self.absent(exclude.is_none(), Clause::Select, "EXCLUDE");
        self.absent(into.is_none(), Clause::Select, "SELECT INTO");
        self.absent(prewhere.is_none(), Clause::Where, "PREWHERE");
        self.absent(connect_by.is_empty(), Clause::Where, "CONNECT BY");
        self.absent(cluster_by.is_empty(), Clause::OrderBy, "CLUSTER BY");
        self.absent(distribute_by.is_empty(), Clause::OrderBy, "DISTRIBUTE BY");
        self.absent(sort_by.is_empty(), Clause::OrderBy, "SORT BY");
        self.absent(named_window.is_empty(), Clause::Select, "WINDOW");
        self.absent(qualify.is_none(), Clause::Having, "QUALIFY");
        self.absent(value_table_mode.is_none(), Clause::Select, "SELECT AS");
        self.absent(*flavor == SelectFlavor::Standard, Clause::From, "FROM before SELECT");
        self.absent(!matches!(distinct, Some(Distinct::On(_))), Clause::Select, "DISTINCT ON");
        if matches!(distinct, Some(Distinct::All)) {
            // The default, said aloud: print the one form.
            *distinct = None;
        }
        let keys = match group_by {
            GroupByExpr::Expressions(keys, modifiers) => {
                self.group_by_modifiers(modifiers);
                keys
            }
            GroupByExpr::All(_) => {
                self.absent(false, Clause::GroupBy, "GROUP BY ALL");
                return None;
            }
        };
        let (at, distinct) = (self.at, distinct.is_some());
        Some(Parts {
            at,
            distinct,
            projection,
            from,
            lateral_views,
            selection: selection.as_mut(),
            keys,
            having,
            order_by,
            limit,
        })
    }

    fn group_by_modifiers(&mut self, modifiers: &[GroupByWithModifier]) {
        for modifier in modifiers {
            let what = match modifier {
                GroupByWithModifier::Rollup => "WITH ROLLUP",
                GroupByWithModifier::Cube => "WITH CUBE",
                GroupByWithModifier::Totals => "WITH TOTALS",
                GroupByWithModifier::GroupingSets(_) => "GROUPING SETS",
            };
            let detail = format!("{what}: not supported in a segment");
            self.refusals.push(RefusalCode::GroupingSets, Clause::GroupBy, self.at, detail);
        }
    }

    fn order_by<'q>(&mut self, order_by: &'q mut OrderBy) -> Vec<&'q mut OrderByExpr> {
        let OrderBy { kind, interpolate } = order_by;
        self.absent(interpolate.is_none(), Clause::OrderBy, "INTERPOLATE");
        match kind {
            OrderByKind::All(_) => {
                self.absent(false, Clause::OrderBy, "ORDER BY ALL");
                Vec::new()
            }
            OrderByKind::Expressions(keys) => {
                for OrderByExpr { expr: _, options, with_fill } in keys.iter() {
                    let OrderByOptions { sort, nulls_first: _ } = options;
                    let sort = matches!(sort, None | Some(OrderBySort::Asc | OrderBySort::Desc));
                    self.absent(sort, Clause::OrderBy, "USING");
                    self.absent(with_fill.is_none(), Clause::OrderBy, "WITH FILL");
                }
                keys.iter_mut().collect()
            }
        }
    }

    fn limit<'q>(&mut self, limit: &'q mut LimitClause) -> Option<&'q mut Expr> {
        match limit {
            LimitClause::LimitOffset { limit, offset, limit_by } => {
                self.absent(offset.is_none(), Clause::Limit, "OFFSET");
                self.absent(limit_by.is_empty(), Clause::Limit, "LIMIT BY");
                limit.as_mut()
            }
            LimitClause::OffsetCommaLimit { offset: _, limit: _ } => {
                self.absent(false, Clause::Limit, "LIMIT with an offset");
                None
            }
        }
    }
}
