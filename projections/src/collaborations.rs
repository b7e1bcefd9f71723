//! The collaborations view: one row for each log, with its terms, policy and marks.

use chancery_governance::event::{
    CleanRoomPolicySet, CollaborationClosed, CollaborationCreated, CollaborationPaused,
    ServiceKeyRotated, WorkloadEnabled,
};
use chancery_governance::state::Recorded;
use chancery_governance::subject::{Subject, owner_of};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Demands, Only, Terms};
use crate::fold::{Illegal, Row, Rows, SUBJECT, actor};
use crate::marks::Mark;
use crate::members;
use crate::mirror::document;
use crate::moment::Moment;
use crate::secrets::ServiceKeysView;

/// A collaboration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CollaborationView {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The id of the member who began it.
    pub owner: String,
    /// The owner's organisation.
    pub owner_organisation: String,
    /// How many members it has.
    pub member_count: u64,
    /// What holds in it.
    pub terms: Terms,
    /// The name of the service that seals its log.
    pub service: String,
    /// The key that seals its log.
    pub service_key: String,
    /// What kind of evidence binds that key: `insecure-virtual` or `sev-snp`.
    pub service_evidence: String,
    /// The workload, once one is enabled.
    pub workload: Option<String>,
    /// Measurements of the applications that may run queries; none before the policy is set.
    pub applications: Vec<String>,
    /// What the clean room policy demands of a platform beside.
    pub demands: Demands,
    /// Applications that may run some queries only.
    pub only: Vec<Only>,
    /// Whether queries can run in it.
    pub lifecycle: Lifecycle,
    /// Who paused or closed it, and why.
    pub stopped: Option<Stopped>,
    /// The keys that the service announced for secrets and tokens, once it did.
    pub keys: Option<ServiceKeysView>,
    /// Marks against use of everything in it.
    pub marks: Vec<Mark>,
    /// When it began.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

/// Whether queries can run in a collaboration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// They can.
    Open,
    /// Not until it is resumed.
    Paused,
    /// Never again.
    Closed,
}

/// Who paused or closed a collaboration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stopped {
    /// The member's id.
    pub member: String,
    /// The member's organisation.
    pub organisation: String,
    /// Why, in the member's words.
    pub reason: String,
    /// When.
    pub at: Moment,
}

impl Row for CollaborationView {
    const TABLE: &'static str = "collaborations";

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

/// The collaboration begins, and its founder is a member.
pub(crate) fn created(
    rows: &mut Rows,
    at: &Recorded,
    event: &CollaborationCreated,
) -> Result<(), Illegal> {
    if at.subject != Subject::Collaboration(at.collaboration) {
        return Err(SUBJECT);
    }
    members::founded(rows, at, event)?;
    let moment = Moment::of(at);
    rows.collaborations.insert(CollaborationView {
        id: at.collaboration.to_string(),
        name: event.name.clone(),
        owner: owner_of(at.collaboration).to_string(),
        owner_organisation: event.organisation.clone(),
        member_count: 1,
        terms: document(&event.terms)?,
        service: event.service.clone(),
        service_key: event.service_key.to_string(),
        service_evidence: event.evidence.kind.clone(),
        workload: None,
        applications: Vec::new(),
        demands: Demands::default(),
        only: Vec::new(),
        lifecycle: Lifecycle::Open,
        stopped: None,
        keys: None,
        marks: Vec::new(),
        created: moment,
        updated: moment,
        version: at.position,
    })
}

/// A workload can be used.
pub(crate) fn workload_enabled(
    rows: &mut Rows,
    at: &Recorded,
    event: &WorkloadEnabled,
) -> Result<(), Illegal> {
    about(rows, at)?.workload = Some(event.workload.clone());
    Ok(())
}

/// The clean room policy is another.
pub(crate) fn policy_set(
    rows: &mut Rows,
    at: &Recorded,
    event: &CleanRoomPolicySet,
) -> Result<(), Illegal> {
    let demands = document(&event.demands)?;
    let only = event.only.iter().map(document).collect::<Result<_, _>>()?;
    let row = about(rows, at)?;
    row.applications = event.applications.iter().map(ToString::to_string).collect();
    (row.demands, row.only) = (demands, only);
    Ok(())
}

/// Nothing runs until it is resumed.
pub(crate) fn paused(
    rows: &mut Rows,
    at: &Recorded,
    event: &CollaborationPaused,
) -> Result<(), Illegal> {
    stop(rows, at, &event.reason, Lifecycle::Paused)
}

/// It is over.
pub(crate) fn closed(
    rows: &mut Rows,
    at: &Recorded,
    event: &CollaborationClosed,
) -> Result<(), Illegal> {
    stop(rows, at, &event.reason, Lifecycle::Closed)
}

/// Queries can run again.
pub(crate) fn resumed(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    let row = about(rows, at)?;
    if row.lifecycle != Lifecycle::Paused {
        return Err("the collaboration is not paused");
    }
    (row.lifecycle, row.stopped) = (Lifecycle::Open, None);
    Ok(())
}

fn stop(rows: &mut Rows, at: &Recorded, reason: &str, to: Lifecycle) -> Result<(), Illegal> {
    let member = actor(at)?;
    let stopped = Stopped {
        organisation: rows.organisation(&member)?,
        member,
        reason: reason.to_owned(),
        at: Moment::of(at),
    };
    let row = about(rows, at)?;
    if row.lifecycle == to || row.lifecycle == Lifecycle::Closed {
        return Err("the collaboration is paused or closed");
    }
    (row.lifecycle, row.stopped) = (to, Some(stopped));
    Ok(())
}

/// Another key seals the log.
pub(crate) fn key_rotated(
    rows: &mut Rows,
    at: &Recorded,
    event: &ServiceKeyRotated,
) -> Result<(), Illegal> {
    let row = about(rows, at)?;
    row.service_key = event.key.to_string();
    row.service_evidence.clone_from(&event.evidence.kind);
    Ok(())
}

/// The row that the event is about.
pub(crate) fn about<'a>(
    rows: &'a mut Rows,
    at: &Recorded,
) -> Result<&'a mut CollaborationView, Illegal> {
    match at.subject {
        Subject::Collaboration(id) if id == at.collaboration => {
            rows.collaborations.touch(&id.to_string(), at)
        }
        _ => Err(SUBJECT),
    }
}
