//! The output list: `*` expanded, every column with a name of its own.

use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, SelectItem, SelectItemQualifiedWildcardKind, Spanned,
    WildcardAdditionalOptions,
};
use sqlparser::tokenizer::Span;

use super::OUTPUT_COLUMNS_MAX;
use super::expr::{Aggregates, Facts, bare};
use super::names::is_keyword;
use super::refusal::{Clause, RefusalCode};
use super::select::{Aliases, Checker};

impl Checker<'_, '_, '_> {
    /// Puts the allowed columns in the place of `*` and `relation.*`.
    pub(super) fn expand(&mut self, projection: &mut Vec<SelectItem>) {
        let mut expanded = Vec::with_capacity(projection.len());
        for item in projection.drain(..) {
            match item {
                SelectItem::Wildcard(options) => self.star(&options, None, &mut expanded),
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    self.star(&options, Some(&name), &mut expanded);
                }
                other => expanded.push(other),
            }
            if expanded.len() > OUTPUT_COLUMNS_MAX {
                let detail = format!("at most {OUTPUT_COLUMNS_MAX} output columns are made");
                self.context.refusals.push(
                    RefusalCode::TooMany,
                    Clause::Select,
                    Span::empty(),
                    detail,
                );
                expanded.clear();
                break;
            }
        }
        *projection = expanded;
    }

    fn star(
        &mut self,
        options: &WildcardAdditionalOptions,
        of: Option<&ObjectName>,
        expanded: &mut Vec<SelectItem>,
    ) {
        let WildcardAdditionalOptions {
            wildcard_token,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        let at = of.map_or(wildcard_token.0.span, Spanned::span);
        let plain = opt_ilike.is_none()
            && opt_exclude.is_none()
            && opt_except.is_none()
            && opt_replace.is_none()
            && opt_rename.is_none()
            && opt_alias.is_none();
        if !plain || (of.is_none() && !self.scope.merged.is_empty()) {
            let detail = "* with EXCEPT and the like, or beside USING: write the columns out";
            return self.context.refusals.push(
                RefusalCode::ConstructNotSupported,
                Clause::Select,
                at,
                detail,
            );
        }
        let relations = match of.map(|name| name.0.as_slice()) {
            None => self.scope.relations.as_slice(),
            Some([ObjectNamePart::Identifier(name)]) => {
                let Some(position) = self.scope.position(&name.value) else {
                    let (code, detail) = (
                        RefusalCode::UnknownColumn,
                        format!("there is no relation {name} in FROM"),
                    );
                    return self.context.refusals.push(code, Clause::Select, at, detail);
                };
                self.scope.relations.get(position..=position).unwrap_or_default()
            }
            Some(_) => {
                let detail = "relations have no catalogue or schema";
                return self.context.refusals.push(
                    RefusalCode::QualifiedName,
                    Clause::Select,
                    at,
                    detail,
                );
            }
        };
        for one in relations {
            for column in one.relation.columns.iter().filter(|column| column.allowed) {
                expanded.push(SelectItem::UnnamedExpr(one.expr(&column.name)));
            }
        }
    }

    pub(super) fn item(
        &mut self,
        item: &mut SelectItem,
        keys: &[Expr],
        output: &mut Vec<(String, Facts)>,
        aliases: &mut Aliases,
    ) {
        let at = item.span();
        let none = Aliases::new();
        let (name, expr, facts) = match item {
            SelectItem::UnnamedExpr(expr) => {
                let facts =
                    self.walker(Clause::Select, Aggregates::Allowed, keys, &none).walk(expr);
                let name = match &*expr {
                    Expr::Identifier(name) => Some(name),
                    Expr::CompoundIdentifier(parts) => parts.last(),
                    _ => None,
                };
                let name = name.map(|name| name.value.clone());
                let name = name.or_else(|| (!self.role.named()).then(String::new));
                let Some(name) = name else {
                    let detail = "give the expression a name with AS";
                    return self.context.refusals.push(
                        RefusalCode::UnnamedOutputColumn,
                        Clause::Select,
                        at,
                        detail,
                    );
                };
                (name, expr, facts)
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let facts =
                    self.walker(Clause::Select, Aggregates::Allowed, keys, &none).walk(expr);
                self.output_name(alias);
                (alias.value.clone(), expr, facts)
            }
            SelectItem::ExprWithAliases { expr: _, aliases: _ }
            | SelectItem::QualifiedWildcard(..)
            | SelectItem::Wildcard(_) => {
                let detail = "an output column is an expression with one name";
                return self.context.refusals.push(
                    RefusalCode::ConstructNotSupported,
                    Clause::Select,
                    at,
                    detail,
                );
            }
        };
        self.check_shown(expr, &facts, at);
        if name.is_empty() {
            output.push((name, facts));
            return;
        }
        if aliases.insert(name.to_ascii_lowercase(), (expr.clone(), facts.clone())).is_some() {
            let detail = format!("two output columns are named {name}");
            self.context.refusals.push(
                RefusalCode::DuplicateOutputColumn,
                Clause::Select,
                at,
                detail,
            );
        }
        output.push((name, facts));
    }

    /// What the policies on single columns let an output show, or hand on.
    fn check_shown(&mut self, expr: &Expr, facts: &Facts, at: Span) {
        if !self.role.shown() {
            let stored = matches!(bare(expr), Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            if let (false, Some(column)) = (stored, &facts.rules.join_only) {
                let detail = format!("{column} may be handed on only as it is");
                self.context.refusals.push(RefusalCode::JoinOnly, Clause::Select, at, detail);
            }
            return;
        }
        let none = Aliases::new();
        self.walker(Clause::Select, Aggregates::Refused, &[], &none).check_rules(facts, at);
        let forbidden =
            facts.sources.iter().find(|source| self.context.forbidden.contains(*source));
        if let Some((input, column)) = forbidden {
            let detail = format!("no output may be computed from {column} of {input}");
            self.context.refusals.push(RefusalCode::OutputForbidden, Clause::Select, at, detail);
        }
    }

    fn output_name(&mut self, alias: &Ident) {
        if is_keyword(&alias.value) {
            let detail = format!("{} is a word of Spark's grammar", alias.value);
            self.context.refusals.push(
                RefusalCode::ReservedName,
                Clause::Select,
                alias.span,
                detail,
            );
        }
    }
}
