//! The query API: rows by id, and lists in the order of creation.

use chancery_governance::member::Identity;
use chancery_ledger::id::{
    ChangeId, CollaborationId, DatasetId, InvitationId, MemberId, QueryId, RuleId, RunId,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::changes::ChangeView;
use crate::collaborations::CollaborationView;
use crate::datasets::DatasetView;
use crate::fold::Row;
use crate::members::{InvitationView, MemberView};
use crate::queries::QueryView;
use crate::rules::RuleView;
use crate::runs::RunView;
use crate::views::{Views, ViewsError};

/// Most items of a page.
pub const PAGE_MAX: u32 = 200;
/// Items of a page where no limit is given.
pub const PAGE_DEFAULT: u32 = 50;

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageRequest {
    /// The [`Page::next`] of the page before; none for the first.
    pub after: Option<u64>,
    /// At most so many items: 1 to [`PAGE_MAX`], and taken to the nearer end where it is outside.
    pub limit: Option<u32>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of creation.
    pub items: Vec<T>,
    /// What asks for the part after; none at the end of the list.
    pub next: Option<u64>,
}

impl PageRequest {
    /// The key after which the page begins, and one item more than the page has.
    pub(crate) fn bounds(self) -> (i64, u32) {
        let after = self.after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
        (after, self.limit().saturating_add(1))
    }

    pub(crate) fn limit(self) -> u32 {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }
}

impl Views {
    /// The collaborations that somebody is a member of, in the order in which the views first saw
    /// them.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn collaborations_of(
        &self,
        identity: &Identity,
        page: PageRequest,
    ) -> Result<Page<CollaborationView>, ViewsError> {
        let (after, limit) = page.bounds();
        let rows = sqlx::query(
            "SELECT logs.ordinal, collaborations.doc FROM logs
             JOIN collaborations USING (collaboration)
             WHERE logs.ordinal > ? AND logs.collaboration IN
                 (SELECT collaboration FROM members
                  WHERE subject = ? AND issuer = ? AND tenant IS ? AND doc ->> '$.removed' IS NULL)
             ORDER BY logs.ordinal LIMIT ?",
        )
        .bind(after)
        .bind(&identity.subject)
        .bind(&identity.issuer)
        .bind(&identity.tenant)
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        paged(&rows, page)
    }

    /// A collaboration.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn collaboration(
        &self,
        id: CollaborationId,
    ) -> Result<Option<CollaborationView>, ViewsError> {
        self.row(id, id.to_string()).await
    }

    /// The members of a collaboration.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn members(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<MemberView>, ViewsError> {
        self.list(collaboration, page).await
    }

    /// A member.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn member(
        &self,
        collaboration: CollaborationId,
        id: MemberId,
    ) -> Result<Option<MemberView>, ViewsError> {
        self.row(collaboration, id.to_string()).await
    }

    /// The invitations of a collaboration.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn invitations(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<InvitationView>, ViewsError> {
        self.list(collaboration, page).await
    }

    /// An invitation.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn invitation(
        &self,
        collaboration: CollaborationId,
        id: InvitationId,
    ) -> Result<Option<InvitationView>, ViewsError> {
        self.row(collaboration, id.to_string()).await
    }

    /// The datasets of a collaboration.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn datasets(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<DatasetView>, ViewsError> {
        self.list(collaboration, page).await
    }

    /// A dataset.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn dataset(
        &self,
        collaboration: CollaborationId,
        id: DatasetId,
    ) -> Result<Option<DatasetView>, ViewsError> {
        self.row(collaboration, id.to_string()).await
    }

    /// The queries of a collaboration.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn queries(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<QueryView>, ViewsError> {
        self.list(collaboration, page).await
    }

    /// A query.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn query(
        &self,
        collaboration: CollaborationId,
        id: QueryId,
    ) -> Result<Option<QueryView>, ViewsError> {
        self.row(collaboration, id.to_string()).await
    }

    /// The runs of a collaboration.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn runs(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<RunView>, ViewsError> {
        self.list(collaboration, page).await
    }

    /// The runs of a query.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn runs_of(
        &self,
        collaboration: CollaborationId,
        query: QueryId,
        page: PageRequest,
    ) -> Result<Page<RunView>, ViewsError> {
        let (after, limit) = page.bounds();
        let rows = sqlx::query(
            "SELECT position, doc FROM runs WHERE collaboration = ? AND query = ? AND position > ?
             ORDER BY position LIMIT ?",
        )
        .bind(collaboration.to_string())
        .bind(query.to_string())
        .bind(after)
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        paged(&rows, page)
    }

    /// A run.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn run(
        &self,
        collaboration: CollaborationId,
        id: RunId,
    ) -> Result<Option<RunView>, ViewsError> {
        self.row(collaboration, id.to_string()).await
    }

    /// The change requests of a collaboration.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn changes(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<ChangeView>, ViewsError> {
        self.list(collaboration, page).await
    }

    /// A change request.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn change(
        &self,
        collaboration: CollaborationId,
        id: ChangeId,
    ) -> Result<Option<ChangeView>, ViewsError> {
        self.row(collaboration, id.to_string()).await
    }

    /// The auto-approval rules of a collaboration, ended ones too.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn rules(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<RuleView>, ViewsError> {
        self.list(collaboration, page).await
    }

    /// An auto-approval rule.
    ///
    /// # Errors
    ///
    /// See [`ViewsError`].
    pub async fn rule(
        &self,
        collaboration: CollaborationId,
        id: RuleId,
    ) -> Result<Option<RuleView>, ViewsError> {
        self.row(collaboration, id.to_string()).await
    }

    async fn row<R: Row>(
        &self,
        collaboration: CollaborationId,
        id: String,
    ) -> Result<Option<R>, ViewsError> {
        let sql = format!("SELECT doc FROM {} WHERE collaboration = ? AND id = ?", R::TABLE);
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(collaboration.to_string())
            .bind(id)
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| parse(row.try_get(0)?)).transpose()
    }

    async fn list<R: Row>(
        &self,
        collaboration: CollaborationId,
        page: PageRequest,
    ) -> Result<Page<R>, ViewsError> {
        let (after, limit) = page.bounds();
        let sql = format!(
            "SELECT position, doc FROM {} WHERE collaboration = ? AND position > ?
             ORDER BY position LIMIT ?",
            R::TABLE
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(collaboration.to_string())
            .bind(after)
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        paged(&rows, page)
    }
}

/// Reads a stored row.
pub(crate) fn parse<R: Row>(doc: &str) -> Result<R, ViewsError> {
    serde_json::from_str(doc).map_err(|_| ViewsError::Row { table: R::TABLE })
}

/// The page, from rows of (key, doc) that are one more than it where another page follows.
fn paged<R: Row>(rows: &[SqliteRow], page: PageRequest) -> Result<Page<R>, ViewsError> {
    let full = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let shown = &rows[..rows.len().min(full)];
    let next = match shown.last() {
        Some(last) if rows.len() > full => Some(last.try_get::<i64, _>(0)?.unsigned_abs()),
        _ => None,
    };
    let items = shown.iter().map(|row| parse(row.try_get(1)?)).collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}
