//! A session within one of a service's collaborations.

use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::SigningKey;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http::view;
use super::names::{Kind, pick};
use super::session::{Order, Sent, Session};
use super::views::{Collaboration, Me, Member};
use crate::args::Global;
use crate::failure::{Failure, OrFail as _, Result};

/// A session within one collaboration.
pub struct Room {
    /// The session.
    pub session: Session,
    /// The collaboration's id.
    pub id: CollaborationId,
    /// The collaboration.
    pub view: Collaboration,
}

impl Room {
    /// Opens a session in the collaboration that is meant: the named one, or the only one.
    ///
    /// # Errors
    ///
    /// Where none is, or the session can't be opened.
    pub async fn open(global: &Global) -> Result<Self> {
        let session = Session::open(global).await?;
        let mine: Vec<Collaboration> = session
            .http
            .list("/v1/collaborations")
            .await?
            .iter()
            .map(view)
            .collect::<Result<_>>()?;
        let view = match &global.collaboration {
            Some(wanted) => pick(Kind::Collaboration, mine, wanted)?,
            None => only(mine)?,
        };
        let id = view.id.parse().or_unreadable(|| format!("{} is no id", view.id))?;
        Ok(Self { session, id, view })
    }

    /// The path of something in the collaboration.
    pub fn path(&self, below: &str) -> String {
        format!("/v1/collaborations/{}{below}", self.id)
    }

    /// Reads a document below the collaboration.
    ///
    /// # Errors
    ///
    /// As [`Http::document`].
    pub async fn document(&self, below: &str) -> Result<Value> {
        self.session.http.document(self.path(below)).await
    }

    /// Reads a whole list below the collaboration, as it came.
    ///
    /// # Errors
    ///
    /// As [`Http::document`].
    pub async fn list(&self, below: &str) -> Result<Vec<Value>> {
        self.session.http.list(&self.path(below)).await
    }

    /// Reads a whole list below the collaboration.
    ///
    /// # Errors
    ///
    /// As [`Http::document`], and where it has another form.
    pub async fn views<T: DeserializeOwned>(&self, below: &str) -> Result<Vec<T>> {
        self.list(below).await?.iter().map(view).collect()
    }

    /// The id of the member that you are here.
    ///
    /// # Errors
    ///
    /// Where you are none.
    pub async fn myself(&self) -> Result<String> {
        let me: Me = self.session.http.read("/v1/me").await?;
        let here = me.members.into_iter().find(|member| member.collaboration == self.view.id);
        here.map(|member| member.member).ok_or_else(|| {
            Failure::refused(
                "not_a_member",
                "You are not in it",
                "the service knows no such member",
            )
        })
    }

    /// Sends a command, signed where this profile's key is registered here.
    ///
    /// # Errors
    ///
    /// The service's refusal, or that it can't be reached.
    pub async fn send(&self, order: &Order) -> Result<Sent> {
        let key = self.registered_key().await?;
        self.session.send(self.id, self.path(&order.path), order, key.as_ref()).await
    }

    async fn registered_key(&self) -> Result<Option<SigningKey>> {
        let Some(key) = self.session.key()? else { return Ok(None) };
        let id = key.public().id().to_string();
        let members: Vec<Member> = self.views("/members").await?;
        let signs = members
            .iter()
            .flat_map(|member| &member.keys)
            .any(|known| known.id == id && known.revoked.is_none());
        Ok(signs.then_some(key))
    }
}

fn only(mine: Vec<Collaboration>) -> Result<Collaboration> {
    let names: Vec<_> = mine.iter().map(|it| format!("{:?} ({})", it.name, it.id)).collect();
    let mut mine = mine.into_iter();
    match (mine.next(), mine.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Failure::refused(
            "no_collaboration",
            "There is no collaboration",
            "you are a member of none",
        )
        .with_hint(
            "Accept an invitation: chancery collaboration accept. Or begin one: chancery \
             collaboration create",
        )),
        (Some(_), Some(_)) => Err(Failure::usage(
            "collaboration_unclear",
            "Which collaboration is meant?",
            format!("you are in {}", names.join(", ")),
        )),
    }
}
