//! Function calls: only functions of the allow-list, in their plain form.

use std::collections::BTreeSet;

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Spanned,
};
use sqlparser::tokenizer::Span;

use super::expr::{Aggregates, Facts, Walker};
use super::functions::{self, Class};
use super::kind::Kind;
use super::policy::Mix;
use super::refusal::RefusalCode;
use super::shape::Shape;

impl Walker<'_, '_, '_> {
    pub(super) fn function(&mut self, call: &mut Function, depth: usize) -> Facts {
        let at = call.name.span();
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment,
            over,
        } = call;
        let Some(function) = plain_name(name).and_then(|name| functions::find(&name.value)) else {
            let code = plain_name(name)
                .map_or(RefusalCode::FunctionNotAllowed, |name| functions::why_not(&name.value));
            return self.refuse(code, at, format!("the function {name} is not allowed"));
        };
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(function.name))]);
        let plain = !*uses_odbc_syntax
            && *parameters == FunctionArguments::None
            && within_group.is_empty()
            && filter.is_none()
            && null_treatment.is_none();
        if !plain {
            let detail =
                format!("{} with FILTER, WITHIN GROUP or a treatment of nulls", function.name);
            return self.refuse(RefusalCode::ConstructNotSupported, at, detail);
        }
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses }) =
            args
        else {
            let detail = format!("{} takes arguments in parentheses", function.name);
            return self.refuse(RefusalCode::FunctionArguments, at, detail);
        };
        let distinct = match duplicate_treatment {
            None => false,
            Some(DuplicateTreatment::Distinct) => true,
            Some(DuplicateTreatment::All) => {
                // The default, said aloud: print the one form.
                *duplicate_treatment = None;
                false
            }
        };
        let takes_distinct = function.class == Class::Aggregate { distinct: true };
        let (least, most) = function.arguments;
        if !clauses.is_empty()
            || (distinct && !takes_distinct)
            || !(least..=most).contains(&args.len())
        {
            let detail = format!("{} takes {least} to {most} plain arguments", function.name);
            return self.refuse(RefusalCode::FunctionArguments, at, detail);
        }
        if let Some(window) = over {
            let Some(parts) = self.windowed(function, args, distinct, at, depth) else {
                return Facts::constant(None);
            };
            return self.window(function, parts, window, at, depth);
        }
        match function.class {
            Class::Window => {
                let detail = format!("{} needs a window: OVER (…)", function.name);
                self.refuse(RefusalCode::MisplacedWindow, at, detail)
            }
            Class::Scalar { gentle } => {
                let Some(parts) = self.arguments(function, args, depth) else {
                    return Facts::constant(None);
                };
                self.mix(&parts, Mix::Other, at);
                let shapes: Vec<Shape> = parts.iter().map(|part| part.shape).collect();
                let kinds: Vec<Option<Kind>> = parts.iter().map(|part| part.kind).collect();
                Facts::of(parts, function.kind(&kinds), Shape::call(&shapes, gentle))
            }
            Class::Aggregate { .. } | Class::Extreme => {
                self.aggregate(function, args, distinct, at, depth)
            }
        }
    }

    fn aggregate(
        &mut self,
        function: &functions::Function,
        args: &mut [FunctionArg],
        distinct: bool,
        at: Span,
        depth: usize,
    ) -> Facts {
        if self.aggregates != Aggregates::Allowed {
            let detail = format!("{} can't stand here", function.name);
            return self.refuse(RefusalCode::MisplacedAggregate, at, detail);
        }
        if let ("COUNT", false, [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]) =
            (function.name, distinct, &*args)
        {
            return Facts {
                aggregated: true,
                aggregates: true,
                ..Facts::constant(Some(Kind::LONG))
            };
        }
        self.aggregates = Aggregates::Inside;
        let parts = self.arguments(function, args, depth);
        self.aggregates = Aggregates::Allowed;
        let parts = parts.unwrap_or_default();
        let most = if function.class == Class::Extreme { Shape::Column } else { Shape::Moment };
        if self.scope.has_floor() && parts.iter().any(|part| part.shape > most) {
            let detail = format!(
                "this argument of {} may pick out one individual of a group; group by the condition instead",
                function.name
            );
            self.refuse(RefusalCode::GroupFloorUnprovable, at, detail);
        }
        let inputs: BTreeSet<&str> =
            parts.iter().flat_map(|part| &part.sources).map(|(input, _)| input.as_str()).collect();
        if self.scope.has_floor() && inputs.len() > 1 {
            let detail = format!(
                "{} over columns of {} at once: one input's values or nulls may single out an individual of the other",
                function.name,
                Vec::from_iter(inputs).join(" and ")
            );
            self.refuse(RefusalCode::GroupFloorUnprovable, at, detail);
        }
        self.mix(&parts, Mix::Other, at);
        let kinds: Vec<Option<Kind>> = parts.iter().map(|part| part.kind).collect();
        let selective = parts.iter().any(|part| part.shape == Shape::Selective);
        let shape = if selective { Shape::Selective } else { Shape::Column };
        let facts = Facts::of(parts, function.kind(&kinds), shape);
        let rules = self.aggregated_rules(function, facts.rules, at);
        Facts { aggregated: true, aggregates: true, ungrouped: None, rules, ..facts }
    }

    /// What a window function is computed from; nothing where it can't take one.
    fn windowed(
        &mut self,
        function: &functions::Function,
        args: &mut [FunctionArg],
        distinct: bool,
        at: Span,
        depth: usize,
    ) -> Option<Vec<Facts>> {
        if distinct || matches!(function.class, Class::Scalar { .. }) {
            let detail = format!("{} can't stand over a window", function.name);
            self.refuse(RefusalCode::MisplacedWindow, at, detail);
            return None;
        }
        if let ("COUNT", [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]) =
            (function.name, &*args)
        {
            return Some(Vec::new());
        }
        self.arguments(function, args, depth)
    }

    pub(super) fn arguments(
        &mut self,
        function: &functions::Function,
        args: &mut [FunctionArg],
        depth: usize,
    ) -> Option<Vec<Facts>> {
        let mut parts = Vec::with_capacity(args.len());
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                let detail = format!("{} takes plain arguments, not {arg}", function.name);
                self.refuse(RefusalCode::FunctionArguments, arg_span(arg), detail);
                return None;
            };
            parts.push(self.descend(expr, depth));
        }
        Some(parts)
    }
}

fn plain_name(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident),
        _ => None,
    }
}

fn arg_span(arg: &FunctionArg) -> Span {
    match arg {
        FunctionArg::Named { name, .. } => name.span,
        FunctionArg::ExprNamed { name, .. } => Expr::span(name),
        FunctionArg::Unnamed(_) => Span::empty(),
    }
}
