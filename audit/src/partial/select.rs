//! Which entries belong into a partial bundle: those about its scope, and whatever they rest on.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::event::Event;
use chancery_governance::log::{FoldError, read};
use chancery_governance::subject::Subject;
use chancery_ledger::entry::{Actor, Sealed};
use chancery_ledger::id::RunId;

use super::Scope;
use super::needs::{Index, Need, needs};

/// The choice of entries, made while the whole log is read once. Memory grows with the log: some
/// hundred bytes for each entry.
#[derive(Debug)]
pub struct Selection {
    scope: Scope,
    index: Index,
    /// What each entry is about, and the entries that it rests on.
    rests_on: BTreeMap<u64, (Subject, Vec<u64>)>,
    /// Consents and retirements, by subject; revocations, by the position of the key.
    against: BTreeMap<Against, Vec<u64>>,
    runs: BTreeSet<RunId>,
    chosen: BTreeSet<u64>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Against {
    Subject(Subject),
    Key(u64),
}

impl Selection {
    /// Of this scope, before the first entry.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            index: Index::default(),
            rests_on: BTreeMap::new(),
            against: BTreeMap::new(),
            runs: BTreeSet::new(),
            chosen: BTreeSet::new(),
        }
    }

    /// Takes the next entry of the log.
    ///
    /// # Errors
    ///
    /// [`FoldError`] where it is none that this release can read.
    pub fn see(&mut self, sealed: &Sealed) -> Result<(), FoldError> {
        let (recorded, event) = read(sealed)?;
        let (entry, subject, position) = (sealed.entry(), recorded.subject, recorded.position);
        let chosen = self.is_in_scope(entry.actor, subject, &event);
        let against = match &event {
            Event::ConsentWithdrawn(_)
            | Event::ConsentRestored(_)
            | Event::ConsentLapsed(_)
            | Event::DatasetRetired(_)
            | Event::CollaboratorRemoved(_)
            | Event::AbilityRevoked(_)
            | Event::AutoApprovalRuleRemoved(_) => Some(Against::Subject(subject)),
            Event::SigningKeyRevoked(event) => {
                self.index.find(&Need::Key(event.key)).map(Against::Key)
            }
            _ => None,
        };
        let needs = needs(entry, subject, &event);
        let rests_on = needs.iter().filter_map(|need| self.index.find(need)).collect();
        self.index.add(sealed, subject, &event);
        if chosen {
            self.chosen.insert(position);
        }
        self.rests_on.insert(position, (subject, rests_on));
        if let Some(against) = against {
            self.against.entry(against).or_default().push(position);
        }
        Ok(())
    }

    fn is_in_scope(&mut self, actor: Actor, subject: Subject, event: &Event) -> bool {
        // What holds for everything.
        if let Event::CollaborationCreated(_)
        | Event::ServiceKeyRotated(_)
        | Event::WorkloadEnabled(_)
        | Event::CleanRoomPolicySet(_)
        | Event::CollaborationPaused(_)
        | Event::CollaborationResumed(_)
        | Event::CollaborationClosed(_) = event
        {
            return true;
        }
        let query = match event {
            Event::RunRequested(event) => Some(event.query),
            Event::RunRefused(event) => Some(event.query),
            _ => None,
        };
        match (self.scope, subject) {
            (Scope::Query(wanted), Subject::Run(run)) => {
                if query == Some(wanted) {
                    self.runs.insert(run);
                }
                self.runs.contains(&run)
            }
            (Scope::Member(member), Subject::Invitation(id)) => {
                id.uuid() == member.uuid() || actor == Actor::Member(member)
            }
            (Scope::Member(member), _) => {
                subject == Subject::Member(member) || actor == Actor::Member(member)
            }
            (scope, subject) => subject == scope.subject(),
        }
    }

    /// Whether what it is about was among the entries: a query or a run that began, a member that
    /// joined.
    pub fn is_of_something(&self) -> bool {
        self.index.find(&Need::beginning(self.scope)).is_some()
    }

    /// The positions to include, in order.
    pub fn positions(mut self) -> BTreeSet<u64> {
        let mut open: Vec<u64> = self.chosen.iter().copied().collect();
        while let Some(position) = open.pop() {
            let Some((subject, mut more)) = self.rests_on.remove(&position) else { continue };
            more.extend(self.against.remove(&Against::Key(position)).unwrap_or_default());
            // A member's own view does not take in what others do to the datasets in it.
            if let Scope::Query(_) | Scope::Run(_) = self.scope {
                let against = Against::Subject(subject);
                more.extend(self.against.remove(&against).unwrap_or_default());
            }
            open.extend(more.into_iter().filter(|position| self.chosen.insert(*position)));
        }
        self.chosen
    }
}
