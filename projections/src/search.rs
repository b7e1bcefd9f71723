//! Searches over all collaborations: which members somebody is, and which invitations are open.

use chancery_governance::member::Identity;
use chancery_ledger::id::CollaborationId;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::members::{InvitationView, MemberView};
use crate::read::{PAGE_MAX, Page, PageRequest, parse};
use crate::views::{Views, ViewsError};

/// A member that somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub collaboration: CollaborationId,
    /// What people call it.
    pub name: String,
    /// The member.
    pub member: MemberView,
}

/// An invitation that nobody has accepted or taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInvitation {
    /// Whereto.
    pub collaboration: CollaborationId,
    /// What people call it.
    pub name: String,
    /// The invitation.
    pub invitation: InvitationView,
}

impl OpenInvitation {
    /// What [`Views::open_invitations`] takes for those after it.
    pub const fn place(&self) -> (CollaborationId, u64) {
        (self.collaboration, self.invitation.created.position)
    }
}

impl Views {
    /// The members that somebody is, in the order in which the views first saw their
    /// collaborations.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn memberships(
        &self,
        identity: &Identity,
        page: PageRequest,
    ) -> Result<Page<Membership>, ViewsError> {
        let (after, limit) = page.bounds();
        let rows = sqlx::query(
            "SELECT logs.collaboration, collaborations.doc ->> '$.name', members.doc, logs.ordinal
             FROM members
             JOIN collaborations USING (collaboration)
             JOIN logs USING (collaboration)
             WHERE members.subject = ? AND members.issuer = ? AND members.tenant IS ?
                 AND members.doc ->> '$.removed' IS NULL AND logs.ordinal > ?
             ORDER BY logs.ordinal LIMIT ?",
        )
        .bind(&identity.subject)
        .bind(&identity.issuer)
        .bind(&identity.tenant)
        .bind(after)
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        let full = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let shown = &rows[..rows.len().min(full)];
        let next = match shown.last() {
            Some(last) if rows.len() > full => Some(last.try_get::<i64, _>(3)?.unsigned_abs()),
            _ => None,
        };
        let items = shown.iter().map(|row| {
            let member = parse(row.try_get(2)?)?;
            Ok(Membership { collaboration: collaboration(row)?, name: row.try_get(1)?, member })
        });
        Ok(Page { items: items.collect::<Result<_, ViewsError>>()?, next })
    }

    /// The open invitations of all collaborations, by collaboration and position: those after
    /// `after` ([`OpenInvitation::place`]), at most `limit` and [`PAGE_MAX`]. Only an empty answer
    /// is the end.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn open_invitations(
        &self,
        after: Option<(CollaborationId, u64)>,
        limit: u32,
    ) -> Result<Vec<OpenInvitation>, ViewsError> {
        // The empty text sorts before every id.
        let (room, position) = after.map_or((String::new(), 0), |(room, position)| {
            (room.to_string(), i64::try_from(position).unwrap_or(i64::MAX))
        });
        let rows = sqlx::query(
            "SELECT invitations.collaboration, collaborations.doc ->> '$.name', invitations.doc
             FROM invitations JOIN collaborations USING (collaboration)
             WHERE invitations.stage = 'pending'
                 AND (invitations.collaboration, invitations.position) > (?, ?)
             ORDER BY invitations.collaboration, invitations.position LIMIT ?",
        )
        .bind(room)
        .bind(position)
        .bind(limit.min(PAGE_MAX))
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                let invitation = parse(row.try_get(2)?)?;
                let collaboration = collaboration(row)?;
                Ok(OpenInvitation { collaboration, name: row.try_get(1)?, invitation })
            })
            .collect()
    }
}

fn collaboration(row: &SqliteRow) -> Result<CollaborationId, ViewsError> {
    let id: String = row.try_get(0)?;
    id.parse().map_err(|_| ViewsError::Row { table: "logs" })
}
