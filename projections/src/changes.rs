//! The change requests view: what members ask all to agree on, the votes, what came of it.

use chancery_governance::event::{
    ChangeApproved, ChangeCommitted, ChangeProposed, ChangeRejected, ChangeSuperseded,
};
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Change, Reason};
use crate::fold::{Illegal, Row, Rows, SUBJECT, actor};
use crate::mirror::document;
use crate::moment::Moment;

/// A change request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// Its id.
    pub id: String,
    /// The id of the member who asks for it.
    pub proposer: String,
    /// The proposer's organisation.
    pub proposer_organisation: String,
    /// What for.
    pub change: Change,
    /// The digest that votes name.
    pub digest: String,
    /// Until when votes count, milliseconds since the Unix epoch, or null.
    pub expires_ms: Option<u64>,
    /// Where it stands.
    pub stage: ChangeStage,
    /// The votes, oldest first.
    pub votes: Vec<ChangeVote>,
    /// When it was made, if it was.
    pub committed: Option<Moment>,
    /// Why it can't be made any more.
    pub superseded: Option<Reason>,
    /// When it was asked for.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

/// Where a change request stands. One whose time is over is open still, and takes no vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeStage {
    /// It is up for votes.
    Open,
    /// It is made.
    Committed,
    /// So many said no that it can't get its votes.
    Rejected,
    /// Its proposer took it back.
    Withdrawn,
    /// It can't be made any more.
    Superseded,
}

/// A vote on a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeVote {
    /// The member's id.
    pub member: String,
    /// The member's organisation.
    pub organisation: String,
    /// Yes or no.
    pub approves: bool,
    /// What was said to a no.
    pub comment: Option<String>,
    /// When.
    pub voted: Moment,
    /// The leaf hash of the vote's entry.
    pub leaf: String,
}

impl Row for ChangeView {
    const TABLE: &'static str = "changes";

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

/// A member asks for a change.
pub(crate) fn proposed(
    rows: &mut Rows,
    at: &Recorded,
    event: &ChangeProposed,
) -> Result<(), Illegal> {
    let Subject::Change(id) = at.subject else { return Err(SUBJECT) };
    let (proposer, moment) = (actor(at)?, Moment::of(at));
    rows.changes.insert(ChangeView {
        id: id.to_string(),
        proposer_organisation: rows.organisation(&proposer)?,
        proposer,
        change: document(&event.change)?,
        digest: event.digest.to_string(),
        expires_ms: event.expires_ms,
        stage: ChangeStage::Open,
        votes: Vec::new(),
        committed: None,
        superseded: None,
        created: moment,
        updated: moment,
        version: at.position,
    })
}

/// A member says yes.
pub(crate) fn approved(
    rows: &mut Rows,
    at: &Recorded,
    event: &ChangeApproved,
) -> Result<(), Illegal> {
    vote(rows, at, &event.digest.to_string(), None)
}

/// A member says no.
pub(crate) fn rejected(
    rows: &mut Rows,
    at: &Recorded,
    event: &ChangeRejected,
) -> Result<(), Illegal> {
    vote(rows, at, &event.digest.to_string(), Some(event.comment.clone()))?;
    if event.ends {
        open(rows, at)?.stage = ChangeStage::Rejected;
    }
    Ok(())
}

/// Its proposer takes it back.
pub(crate) fn withdrawn(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    open(rows, at)?.stage = ChangeStage::Withdrawn;
    Ok(())
}

/// It can't be made any more.
pub(crate) fn superseded(
    rows: &mut Rows,
    at: &Recorded,
    event: &ChangeSuperseded,
) -> Result<(), Illegal> {
    let reason = document(&event.reason)?;
    let change = open(rows, at)?;
    change.stage = ChangeStage::Superseded;
    change.superseded = Some(reason);
    Ok(())
}

/// It is made. New terms stand in the collaboration's row from now on.
pub(crate) fn committed(
    rows: &mut Rows,
    at: &Recorded,
    event: &ChangeCommitted,
) -> Result<(), Illegal> {
    let change = open(rows, at)?;
    if change.digest != event.digest.to_string() {
        return Err("it is another change than the one voted on");
    }
    change.stage = ChangeStage::Committed;
    change.committed = Some(Moment::of(at));
    if let Change::SetTerms { terms } = &change.change {
        let terms = terms.clone();
        rows.collaborations.change(&at.collaboration.to_string())?.terms = terms;
    }
    Ok(())
}

fn open<'a>(rows: &'a mut Rows, at: &Recorded) -> Result<&'a mut ChangeView, Illegal> {
    let Subject::Change(id) = at.subject else { return Err(SUBJECT) };
    let change = rows.changes.touch(&id.to_string(), at)?;
    if change.stage == ChangeStage::Open { Ok(change) } else { Err("the change is settled") }
}

fn vote(
    rows: &mut Rows,
    at: &Recorded,
    digest: &str,
    comment: Option<String>,
) -> Result<(), Illegal> {
    let member = actor(at)?;
    let vote = ChangeVote {
        organisation: rows.organisation(&member)?,
        member,
        approves: comment.is_none(),
        comment,
        voted: Moment::of(at),
        leaf: at.leaf.to_string(),
    };
    let change = open(rows, at)?;
    if change.digest != digest {
        return Err("the vote is on another digest");
    }
    if change.votes.iter().any(|other| other.member == vote.member) {
        return Err("the member voted already");
    }
    change.votes.push(vote);
    Ok(())
}

#[cfg(test)]
mod tests {
    use chancery_governance::change::Change as What;
    use chancery_ledger::digest::Digest;
    use chancery_ledger::entry::Actor;
    use chancery_ledger::id::{ChangeId, CollaborationId, CommandId, MemberId};

    use super::*;
    use crate::members::MemberView;

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(number: u64) -> T {
        format!("01932b6c-7d3a-7c1e-8f00-{number:012x}").parse().unwrap()
    }

    fn at(position: u64, by: u64) -> Recorded {
        Recorded {
            collaboration: id::<CollaborationId>(1),
            position,
            leaf: Digest::of(&position.to_be_bytes()),
            time_ms: 1000 + position,
            actor: Actor::Member(id::<MemberId>(by)),
            command: id::<CommandId>(3),
            subject: Subject::Change(id::<ChangeId>(4)),
        }
    }

    fn asked() -> Rows {
        let mut rows = Rows::default();
        for number in [2, 5] {
            let moment = Moment { position: number, time_ms: 0 };
            rows.members
                .insert(MemberView {
                    id: id::<MemberId>(number).to_string(),
                    organisation: format!("Org {number}"),
                    identity: crate::document::Identity {
                        issuer: "https://login.example".into(),
                        tenant: None,
                        subject: number.to_string(),
                    },
                    abilities: Vec::new(),
                    keys: Vec::new(),
                    removed: None,
                    created: moment,
                    updated: moment,
                    version: number,
                })
                .unwrap();
        }
        let event = ChangeProposed {
            change: What::RemoveMember(id(9)),
            expires_ms: None,
            terms: Digest::of(b"terms"),
            digest: Digest::of(b"change"),
        };
        proposed(&mut rows, &at(6, 2), &event).unwrap();
        rows
    }

    #[test]
    fn votes_are_shown_and_counted_once() {
        let mut rows = asked();
        let digest = Digest::of(b"change");
        approved(&mut rows, &at(7, 2), &ChangeApproved { digest }).unwrap();
        let again = approved(&mut rows, &at(8, 2), &ChangeApproved { digest });
        assert_eq!(again, Err("the member voted already"));
        let no = ChangeRejected { digest, comment: "Not him.".into(), ends: true };
        rejected(&mut rows, &at(8, 5), &no).unwrap();
        let view = rows.changes()[0].clone();
        let told: Vec<_> = view
            .votes
            .iter()
            .map(|vote| (vote.organisation.as_str(), vote.approves, vote.comment.as_deref()))
            .collect();
        assert_eq!(told, [("Org 2", true, None), ("Org 5", false, Some("Not him."))]);
        assert_eq!((view.version, view.stage), (8, ChangeStage::Rejected));
    }

    #[test]
    fn a_settled_change_takes_nothing_more_and_none_takes_another_digest() {
        let mut rows = asked();
        let other = ChangeApproved { digest: Digest::of(b"another") };
        assert!(approved(&mut rows, &at(7, 2), &other).is_err());
        withdrawn(&mut rows, &at(7, 2)).unwrap();
        let digest = Digest::of(b"change");
        let late = approved(&mut rows, &at(8, 5), &ChangeApproved { digest });
        assert_eq!(late, Err("the change is settled"));
        assert_eq!(rows.changes()[0].stage, ChangeStage::Withdrawn);
    }
}
