//! Which part of a log is meant.

use chancery_audit::partial::Scope;
use chancery_ledger::id::RunId;

use crate::client::names::{Kind, pick};
use crate::client::room::Room;
use crate::client::views::Member;
use crate::failure::{Failure, OrFail as _, Result};
use crate::verbs::query;

/// The part of a log that an export is of; the whole where none is named.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct Part {
    /// Only what is about this query: its votes and runs too
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,
    /// Only what is about this run
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Only what this member did, and what was done about it
    #[arg(long, value_name = "MEMBER")]
    member: Option<String>,
}

impl Part {
    /// The part, by names or ids.
    ///
    /// # Errors
    ///
    /// Where a name is nobody's, or the service can't be asked.
    pub async fn in_room(&self, room: &Room) -> Result<Option<Scope>> {
        if let Some(wanted) = &self.query {
            let (_, id) = query::find(room, wanted).await?;
            return Ok(Some(Scope::Query(id)));
        }
        if let Some(wanted) = &self.member {
            let it = pick(Kind::Member, room.views::<Member>("/members").await?, wanted)?;
            let id = it.id.parse().or_unreadable(|| "The member has no id".to_owned())?;
            return Ok(Some(Scope::Member(id)));
        }
        Ok(self.run.map(Scope::Run))
    }

    /// The part, by ids alone.
    ///
    /// # Errors
    ///
    /// Where one is a name.
    pub fn by_id(&self) -> Result<Option<Scope>> {
        let unclear = |kind: &str, text: &str| {
            let what = format!("Which {kind} is not clear");
            let why = format!("{text:?} is no id; names are known to the service only");
            Failure::usage("part_unclear", what, why)
                .with_hint(format!("Name it by its id: --{kind} ID"))
        };
        match (&self.query, self.run, &self.member) {
            (Some(query), ..) => {
                let id = query.parse().map_err(|_| unclear("query", query))?;
                Ok(Some(Scope::Query(id)))
            }
            (None, _, Some(member)) => {
                let id = member.parse().map_err(|_| unclear("member", member))?;
                Ok(Some(Scope::Member(id)))
            }
            (None, run, None) => Ok(run.map(Scope::Run)),
        }
    }
}
