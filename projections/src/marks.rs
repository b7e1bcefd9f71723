//! Marks against use, as the rows that they are about show them.

use chancery_governance::consent::ConsentKind;
use chancery_governance::state::Recorded;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fold::{Illegal, Rows, actor};

/// A member's mark against a kind of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// `execution`, `logging` or `telemetry`.
    pub kind: String,
    /// The id of the member who set it.
    pub member: String,
    /// The member's organisation.
    pub organisation: String,
    /// The position at which it was set.
    pub position: u64,
    /// When, milliseconds since the Unix epoch.
    pub time_ms: u64,
}

impl Mark {
    /// The mark that the actor of `at` sets.
    pub(crate) fn of(rows: &Rows, at: &Recorded, kind: ConsentKind) -> Result<Self, Illegal> {
        let member = actor(at)?;
        Ok(Self {
            kind: kind.as_str().to_owned(),
            organisation: rows.organisation(&member)?,
            member,
            position: at.position,
            time_ms: at.time_ms,
        })
    }
}

/// Adds `mark`, which its member must not have set.
pub(crate) fn set(marks: &mut Vec<Mark>, mark: Mark) -> Result<(), Illegal> {
    if marks.iter().any(|other| other.kind == mark.kind && other.member == mark.member) {
        return Err("the mark stands");
    }
    marks.push(mark);
    Ok(())
}

/// Takes away the mark of `member`.
pub(crate) fn clear(marks: &mut Vec<Mark>, member: &str, kind: ConsentKind) -> Result<(), Illegal> {
    let found = marks.iter().position(|mark| mark.kind == kind.as_str() && mark.member == member);
    marks.remove(found.ok_or("there is no mark")?);
    Ok(())
}
