//! One reason among several for a refusal.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One reason for a refusal: a stable code, a sentence, and where it applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProblemReason)]
pub struct ReasonItem {
    /// The stable reason code.
    #[schema(example = "consent_withdrawn")]
    pub code: Cow<'static, str>,
    /// The reason in words.
    pub detail: String,
    /// What it is about: the id of a dataset, query, member or segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The line in the SQL text, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub line: Option<u64>,
    /// The column in the SQL text, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub column: Option<u64>,
    /// What to do about it, where a run is asked about, or was refused and it still stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<RemedyItem>,
}

/// What to do about a reason, and who can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Remedy)]
pub struct RemedyItem {
    /// The stable code of the step.
    #[schema(example = "restore_consent")]
    pub step: Cow<'static, str>,
    /// The ids of the members who can take it.
    pub who: Vec<String>,
    /// The step in words.
    pub detail: String,
    /// When it is over by itself, milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

impl ReasonItem {
    /// A reason that applies to the whole command.
    pub fn new(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            detail: detail.into(),
            subject: None,
            line: None,
            column: None,
            remedy: None,
        }
    }

    /// The same reason, with what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: RemedyItem) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// The same reason, about `subject`.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The same reason, at a place in the SQL text, both counted from 1.
    #[must_use]
    pub fn at(mut self, line: u64, column: u64) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }
}
