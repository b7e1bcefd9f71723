//! What the walk finds out about an expression.

use sqlparser::tokenizer::Span;

use super::kind::Kind;
use super::rules::Rules;
use super::scope::Sources;
use super::shape::Shape;

/// What is known of an expression once it is walked.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) kind: Option<Kind>,
    pub(super) sources: Sources,
    /// Whether an aggregate stands in it, or behind a column that it reads.
    pub(super) aggregated: bool,
    /// Whether an aggregate stands in it.
    pub(super) aggregates: bool,
    /// The first column in it that is neither a group key nor inside an aggregate.
    pub(super) ungrouped: Option<(String, Span)>,
    /// Whether any column stands in it.
    pub(super) varies: bool,
    pub(super) shape: Shape,
    /// The policies on single columns that still hold for its value.
    pub(super) rules: Rules,
}

impl Facts {
    pub(super) fn constant(kind: Option<Kind>) -> Self {
        Self {
            kind,
            sources: Sources::new(),
            aggregated: false,
            aggregates: false,
            ungrouped: None,
            varies: false,
            shape: Shape::Constant,
            rules: Rules::default(),
        }
    }

    /// The facts of an expression made of parts, with its own type and shape.
    pub(super) fn of(parts: Vec<Self>, kind: Option<Kind>, shape: Shape) -> Self {
        let mut whole = Self { shape, ..Self::constant(kind) };
        for part in parts {
            whole.sources.extend(part.sources);
            whole.rules.add(&part.rules);
            whole.aggregated |= part.aggregated;
            whole.aggregates |= part.aggregates;
            whole.varies |= part.varies;
            whole.ungrouped = whole.ungrouped.or(part.ungrouped);
        }
        whole
    }

    /// Whether it may stand beside a column with controlled literals: a stored column, whose values
    /// the author of a text can't choose.
    pub(super) fn is_stored(&self) -> bool {
        self.varies && self.shape == Shape::Column && !self.sources.is_empty()
    }

    pub(super) fn choice(parts: Vec<Self>, kind: Option<Kind>) -> Self {
        let shapes: Vec<Shape> = parts.iter().map(|part| part.shape).collect();
        Self::of(parts, kind, Shape::choice(&shapes))
    }
}
