//! The fold: one event moves the rows, or it does not fit them.
//!
//! [`Rows`] holds rows of one collaboration in memory: all of them, or those that the events at
//! hand read ([`reads`]). The driver and the tests run the same fold.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::event::Event;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::InvitationId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::changes::{self, ChangeView};
use crate::collaborations::{self, CollaborationView};
use crate::datasets::{self, DatasetView};
use crate::marks::{self, Mark};
use crate::members::{self, InvitationView, MemberView};
use crate::moment::Moment;
use crate::queries::{self, QueryView};
use crate::rules::{self, RuleView};
use crate::runs::{self, RunView};
use crate::secrets;

/// What does not fit.
pub type Illegal = &'static str;

pub(crate) const SUBJECT: Illegal = "its subject is of another kind";

/// A row of a view.
pub(crate) trait Row: Serialize + DeserializeOwned + Send + Unpin {
    /// Its table.
    const TABLE: &'static str;

    /// Its id, unique in the collaboration.
    fn id(&self) -> &str;

    /// Where it was created: unique in its table and collaboration.
    fn position(&self) -> u64;

    /// Notes that an event is about it.
    fn touch(&mut self, at: Moment);
}

/// Rows of one collaboration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    pub(crate) collaborations: Table<CollaborationView>,
    pub(crate) members: Table<MemberView>,
    pub(crate) invitations: Table<InvitationView>,
    pub(crate) datasets: Table<DatasetView>,
    pub(crate) queries: Table<QueryView>,
    pub(crate) runs: Table<RunView>,
    pub(crate) changes: Table<ChangeView>,
    pub(crate) rules: Table<RuleView>,
}

/// Rows of one table by id, and which of them changed since they were last stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table<R> {
    rows: BTreeMap<String, R>,
    changed: BTreeSet<String>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<R: Row> Table<R> {
    pub(crate) fn has(&self, id: &str) -> bool {
        self.rows.contains_key(id)
    }

    pub(crate) fn row(&self, id: &str) -> Result<&R, Illegal> {
        self.rows.get(id).ok_or(MISSING)
    }

    /// Adds a row that must not be there.
    pub(crate) fn insert(&mut self, row: R) -> Result<(), Illegal> {
        let id = row.id().to_owned();
        self.changed.insert(id.clone());
        match self.rows.insert(id, row) {
            None => Ok(()),
            Some(_) => Err("what it begins exists"),
        }
    }

    /// A row that changes beside the one that the event is about.
    pub(crate) fn change(&mut self, id: &str) -> Result<&mut R, Illegal> {
        let row = self.rows.get_mut(id).ok_or(MISSING)?;
        self.changed.insert(id.to_owned());
        Ok(row)
    }

    /// The row that the event is about.
    pub(crate) fn touch(&mut self, id: &str, at: &Recorded) -> Result<&mut R, Illegal> {
        let row = self.change(id)?;
        row.touch(Moment::of(at));
        Ok(row)
    }

    /// Takes in a stored row.
    pub(crate) fn load(&mut self, row: R) {
        self.rows.insert(row.id().to_owned(), row);
    }

    /// The rows that changed; from now on they count as stored.
    pub(crate) fn take_changed(&mut self) -> impl Iterator<Item = &R> {
        std::mem::take(&mut self.changed).into_iter().filter_map(|id| self.rows.get(&id))
    }

    fn by_position(&self) -> Vec<&R> {
        let mut rows: Vec<_> = self.rows.values().collect();
        rows.sort_by_key(|row| row.position());
        rows
    }
}

const MISSING: Illegal = "what it is about does not exist";

impl Rows {
    /// Moves the rows by `event`.
    ///
    /// # Errors
    ///
    /// [`Illegal`] where it does not fit them; the rows may have moved in part then.
    pub fn fold(&mut self, at: &Recorded, event: &Event) -> Result<(), Illegal> {
        match event {
            Event::CollaborationCreated(event) => collaborations::created(self, at, event),
            Event::WorkloadEnabled(event) => collaborations::workload_enabled(self, at, event),
            Event::CleanRoomPolicySet(event) => collaborations::policy_set(self, at, event),
            Event::ServiceKeyRotated(event) => collaborations::key_rotated(self, at, event),
            Event::CollaborationPaused(event) => collaborations::paused(self, at, event),
            Event::CollaborationResumed(_) => collaborations::resumed(self, at),
            Event::CollaborationClosed(event) => collaborations::closed(self, at, event),
            Event::SubjectErased(_) => members::erased(self, at),
            Event::CollaboratorInvited(event) => members::invited(self, at, event),
            Event::InvitationWithdrawn(_) => members::withdrawn(self, at),
            Event::InvitationAccepted(event) => members::accepted(self, at, event),
            Event::CollaboratorActivated(event) => members::activated(self, at, event),
            Event::SigningKeyRegistered(event) => members::key_registered(self, at, event),
            Event::SigningKeyRevoked(event) => members::key_revoked(self, at, event),
            Event::CollaboratorRemoved(event) => members::removed(self, at, event),
            Event::AbilityGranted(event) => members::granted(self, at, event.ability),
            Event::AbilityRevoked(event) => members::revoked(self, at, event.ability),
            Event::ChangeProposed(event) => changes::proposed(self, at, event),
            Event::ChangeApproved(event) => changes::approved(self, at, event),
            Event::ChangeRejected(event) => changes::rejected(self, at, event),
            Event::ChangeWithdrawn(_) => changes::withdrawn(self, at),
            Event::ChangeSuperseded(event) => changes::superseded(self, at, event),
            Event::ChangeCommitted(event) => changes::committed(self, at, event),
            Event::AutoApprovalRuleSet(event) => rules::set(self, at, event),
            Event::AutoApprovalRuleRemoved(_) => rules::removed(self, at),
            Event::QueryApprovedByRule(event) => {
                rules::voted(self, event)?;
                queries::approved_by_rule(self, at, event)
            }
            Event::DatasetPublished(event) => datasets::published(self, at, event),
            Event::DatasetRetired(_) => datasets::retired(self, at),
            Event::QueryDrafted(event) => queries::drafted(self, at, event),
            Event::QueryRevised(event) => queries::revised(self, at, event),
            Event::QueryProposed(event) => queries::proposed(self, at, event),
            Event::QueryApproved(event) => queries::approved(self, at, event),
            Event::QueryRejected(event) => queries::rejected(self, at, event),
            Event::QueryWithdrawn(_) => queries::withdrawn(self, at),
            Event::QueryAccepted(event) => queries::accepted(self, at, event),
            Event::QuerySuperseded(event) => queries::superseded(self, at, event),
            Event::ConsentWithdrawn(event) => {
                let mark = Mark::of(self, at, event.kind)?;
                marks::set(self.marks(at)?, mark)
            }
            Event::ConsentRestored(event) => marks::clear(self.marks(at)?, &actor(at)?, event.kind),
            Event::ConsentLapsed(event) => {
                marks::clear(self.marks(at)?, &event.member.to_string(), event.kind)
            }
            Event::RunRequested(event) => runs::requested(self, at, event),
            Event::RunRefused(event) => runs::refused(self, at, event),
            Event::RunAdmitted(event) => runs::admitted(self, at, event),
            Event::RunSubmitted(event) => runs::submitted(self, at, event),
            Event::RunStarted(_) => runs::started(self, at),
            Event::RunSucceeded(event) => runs::succeeded(self, at, event),
            Event::RunFailed(event) => runs::failed(self, at, event),
            Event::RunCancelled(event) => runs::cancelled(self, at, event),
            Event::AttestationRecorded(event) => secrets::attested(self, at, event),
            Event::DatasetSecretStored(event) => secrets::stored(self, at, event),
            Event::DatasetSecretErased(event) => secrets::erased(self, at, event),
            Event::SecretReleased(event) => secrets::released(self, at, event),
            Event::SecretRefused(event) => secrets::refused(self, at, event),
            Event::TokenMinted(event) => secrets::minted(self, at, event),
            Event::TokenRefused(event) => secrets::token_refused(self, at, event),
        }
    }

    /// The collaboration.
    pub fn collaboration(&self) -> Option<&CollaborationView> {
        self.collaborations.rows.values().next()
    }

    /// The members, in the order of creation.
    pub fn members(&self) -> Vec<&MemberView> {
        self.members.by_position()
    }

    /// The invitations, in the order of creation.
    pub fn invitations(&self) -> Vec<&InvitationView> {
        self.invitations.by_position()
    }

    /// The datasets, in the order of creation.
    pub fn datasets(&self) -> Vec<&DatasetView> {
        self.datasets.by_position()
    }

    /// The queries, in the order of creation.
    pub fn queries(&self) -> Vec<&QueryView> {
        self.queries.by_position()
    }

    /// The runs, in the order of creation.
    pub fn runs(&self) -> Vec<&RunView> {
        self.runs.by_position()
    }

    /// The change requests, in the order of creation.
    pub fn changes(&self) -> Vec<&ChangeView> {
        self.changes.by_position()
    }

    /// The auto-approval rules, in the order of creation.
    pub fn rules(&self) -> Vec<&RuleView> {
        self.rules.by_position()
    }

    /// How many rows are held.
    pub(crate) fn held(&self) -> usize {
        self.members.rows.len()
            + self.invitations.rows.len()
            + self.datasets.rows.len()
            + self.queries.rows.len()
            + self.runs.rows.len()
            + self.changes.rows.len()
            + self.rules.rows.len()
    }

    /// The organisation of a member.
    pub(crate) fn organisation(&self, member: &str) -> Result<String, Illegal> {
        let member = self.members.rows.get(member).ok_or("the member does not exist")?;
        Ok(member.organisation.clone())
    }

    /// The marks of the row that the event is about.
    fn marks(&mut self, at: &Recorded) -> Result<&mut Vec<Mark>, Illegal> {
        match at.subject {
            Subject::Collaboration(_) => Ok(&mut collaborations::about(self, at)?.marks),
            Subject::Dataset(id) => Ok(&mut self.datasets.touch(&id.to_string(), at)?.marks),
            Subject::Query(id) => Ok(&mut self.queries.touch(&id.to_string(), at)?.marks),
            Subject::Invitation(_)
            | Subject::Member(_)
            | Subject::Run(_)
            | Subject::Change(_)
            | Subject::Rule(_) => Err(SUBJECT),
        }
    }
}

/// The member who caused the event.
pub(crate) fn actor(at: &Recorded) -> Result<String, Illegal> {
    match at.actor {
        Actor::Member(member) => Ok(member.to_string()),
        Actor::Executor(_) | Actor::Service(_) => Err("its actor is no member"),
    }
}

/// Names to `read` the rows that the fold of `event` reads, whether they exist or not.
pub(crate) fn reads(at: &Recorded, event: &Event, mut read: impl FnMut(Subject)) {
    read(at.subject);
    if let Actor::Member(member) = at.actor {
        read(Subject::Member(member));
    }
    match event {
        Event::CollaboratorActivated(_) => {
            read(Subject::Collaboration(at.collaboration));
            if let Subject::Member(id) = at.subject {
                read(Subject::Invitation(InvitationId::new(id.uuid())));
            }
        }
        Event::QueryProposed(event) => {
            let groups = event.groups.iter().flat_map(|group| &group.members);
            let charged = event.binding.definition.charges();
            charged.for_each(|charge| read(Subject::Dataset(charge.dataset)));
            event.approvers.iter().chain(groups).copied().map(Subject::Member).for_each(read);
        }
        Event::ChangeCommitted(_) | Event::CollaboratorRemoved(_) => {
            read(Subject::Collaboration(at.collaboration));
        }
        Event::QueryApprovedByRule(event) => read(Subject::Rule(event.rule)),
        Event::RunRequested(event) => {
            read(Subject::Query(event.query));
            let charged = event.privacy.iter().map(|charge| Subject::Dataset(charge.dataset));
            charged.for_each(read);
        }
        Event::RunRefused(event) => read(Subject::Query(event.query)),
        Event::CollaborationCreated(_)
        | Event::WorkloadEnabled(_)
        | Event::CleanRoomPolicySet(_)
        | Event::CollaborationPaused(_)
        | Event::CollaborationResumed(_)
        | Event::CollaborationClosed(_)
        | Event::ServiceKeyRotated(_)
        | Event::SubjectErased(_)
        | Event::CollaboratorInvited(_)
        | Event::InvitationWithdrawn(_)
        | Event::InvitationAccepted(_)
        | Event::SigningKeyRegistered(_)
        | Event::SigningKeyRevoked(_)
        | Event::DatasetPublished(_)
        | Event::DatasetRetired(_)
        | Event::QueryDrafted(_)
        | Event::QueryRevised(_)
        | Event::QueryApproved(_)
        | Event::QueryRejected(_)
        | Event::QueryWithdrawn(_)
        | Event::QueryAccepted(_)
        | Event::QuerySuperseded(_)
        | Event::ConsentWithdrawn(_)
        | Event::ConsentRestored(_)
        | Event::ConsentLapsed(_)
        | Event::AbilityGranted(_)
        | Event::AbilityRevoked(_)
        | Event::ChangeProposed(_)
        | Event::ChangeApproved(_)
        | Event::ChangeRejected(_)
        | Event::ChangeWithdrawn(_)
        | Event::ChangeSuperseded(_)
        | Event::AutoApprovalRuleSet(_)
        | Event::AutoApprovalRuleRemoved(_)
        | Event::RunAdmitted(_)
        | Event::RunSubmitted(_)
        | Event::RunStarted(_)
        | Event::RunSucceeded(_)
        | Event::RunFailed(_)
        | Event::RunCancelled(_)
        | Event::AttestationRecorded(_)
        | Event::DatasetSecretStored(_)
        | Event::DatasetSecretErased(_)
        | Event::SecretReleased(_)
        | Event::SecretRefused(_)
        | Event::TokenMinted(_)
        | Event::TokenRefused(_) => {}
    }
}
