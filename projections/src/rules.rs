//! The auto-approval rules view: what members approve in advance, and what that cast.

use chancery_governance::event::{AutoApprovalRuleSet, QueryApprovedByRule};
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::ApprovalRule;
use crate::fold::{Illegal, Row, Rows, SUBJECT, actor};
use crate::mirror::document;
use crate::moment::Moment;

/// An auto-approval rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Its id.
    pub id: String,
    /// The id of the member whose votes it casts.
    pub owner: String,
    /// The owner's organisation.
    pub owner_organisation: String,
    /// What it approves.
    pub rule: ApprovalRule,
    /// Whether its owner signed it.
    pub member_signed: bool,
    /// How many votes it cast.
    pub votes: u64,
    /// When it was taken back, or ended with its member.
    pub removed: Option<Moment>,
    /// When it was set.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

impl Row for RuleView {
    const TABLE: &'static str = "rules";

    fn id(&self) -> &str {
        &self.id
    }

    fn position(&self) -> u64 {
        self.created.position
    }

    fn touch(&mut self, at: Moment) {
        self.updated = at;
        self.version = at.position;
    }
}

/// A member approves in advance.
pub(crate) fn set(
    rows: &mut Rows,
    at: &Recorded,
    event: &AutoApprovalRuleSet,
) -> Result<(), Illegal> {
    let Subject::Rule(id) = at.subject else { return Err(SUBJECT) };
    let (owner, moment) = (actor(at)?, Moment::of(at));
    rows.rules.insert(RuleView {
        id: id.to_string(),
        owner_organisation: rows.organisation(&owner)?,
        owner,
        rule: document(&event.rule)?,
        member_signed: event.member_signed,
        votes: 0,
        removed: None,
        created: moment,
        updated: moment,
        version: at.position,
    })
}

/// The rule votes no more.
pub(crate) fn removed(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    let Subject::Rule(id) = at.subject else { return Err(SUBJECT) };
    let rule = rows.rules.touch(&id.to_string(), at)?;
    match rule.removed.replace(Moment::of(at)) {
        None => Ok(()),
        Some(_) => Err("the rule is taken back"),
    }
}

/// The rule cast a vote.
pub(crate) fn voted(rows: &mut Rows, event: &QueryApprovedByRule) -> Result<(), Illegal> {
    let rule = rows.rules.change(&event.rule.to_string())?;
    if rule.owner != event.member.to_string() || rule.created.position != event.rule_position {
        return Err("the rule is another's, or another");
    }
    rule.votes += 1;
    Ok(())
}
