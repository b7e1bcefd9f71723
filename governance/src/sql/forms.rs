//! Functions with a syntax of their own: casts, `EXTRACT`, `SUBSTRING` and the like.

use sqlparser::ast::{
    CastFormat, CastKind, CeilFloorKind, DateTimeField, Expr, ExtractSyntax, Spanned,
};

use super::expr::{Facts, Walker};
use super::kind::Kind;
use super::policy::Mix;
use super::shape::Shape;
use super::types;
use crate::decimal::Decimal;

impl Walker<'_, '_, '_> {
    /// Walks one of these, or refuses it in a form that Spark has not or reads in another way.
    pub(super) fn form(&mut self, expr: &mut Expr, depth: usize) -> Facts {
        match expr {
            Expr::Cast {
                kind: CastKind::Cast | CastKind::TryCast,
                expr: inner,
                data_type,
                format: None::<CastFormat>,
            } => {
                let facts = self.descend(inner, depth);
                let Some(types::Cast(kind)) = types::cast(data_type) else {
                    let detail = format!("a cast to {data_type} is not supported");
                    return self.unsupported(inner.span(), detail);
                };
                let shape = Shape::call(&[facts.shape], types::cast_is_gentle(data_type));
                Facts::of(vec![facts], kind, shape)
            }
            Expr::Extract { field, syntax: ExtractSyntax::From, expr: inner } => {
                if !is_extracted(field) {
                    let detail = format!("EXTRACT({field}) is not supported");
                    return self.unsupported(inner.span(), detail);
                }
                let kind = match field {
                    DateTimeField::Second => Decimal::new(8, 6).map(Kind::Decimal),
                    _ => Some(Kind::INT),
                };
                let facts = self.gentle(inner, None, depth);
                Facts { kind, ..facts }
            }
            Expr::Ceil {
                expr: inner,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            }
            | Expr::Floor {
                expr: inner,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => {
                let facts = self.gentle(inner, None, depth);
                Facts { kind: types::whole(facts.kind), ..facts }
            }
            Expr::Substring {
                expr: inner,
                substring_from,
                substring_for,
                special: _,
                shorthand: _,
            } => {
                let at = inner.span();
                let mut parts = vec![self.descend(inner, depth)];
                for bound in [substring_from, substring_for].into_iter().flatten() {
                    parts.push(self.descend(bound, depth));
                }
                self.mix(&parts, Mix::Other, at);
                let shapes: Vec<Shape> = parts.iter().map(|part| part.shape).collect();
                Facts::of(parts, Some(Kind::String), Shape::call(&shapes, true))
            }
            Expr::Trim {
                trim_where: None,
                trim_what: None,
                expr: inner,
                trim_characters: None,
            } => self.gentle(inner, Some(Kind::String), depth),
            other => self.unsupported_kind(other),
        }
    }
}

fn is_extracted(field: &DateTimeField) -> bool {
    matches!(
        field,
        DateTimeField::Year
            | DateTimeField::Quarter
            | DateTimeField::Month
            | DateTimeField::Week(None)
            | DateTimeField::Day
            | DateTimeField::Hour
            | DateTimeField::Minute
            | DateTimeField::Second
    )
}
