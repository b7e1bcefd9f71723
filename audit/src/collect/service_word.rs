//! What only the service says, by action and identity.

use std::collections::BTreeMap;

use chancery_governance::event::Event;
use chancery_governance::member::Identity;
use chancery_ledger::entry::Authority;

use super::Seen;
use crate::report::{Places, ServiceWord, WITNESSED_MAX, Witnessed};

#[derive(Debug, Default)]
pub struct Words {
    witnessed: BTreeMap<(Identity, String), Places>,
    witnessed_left_out: u64,
    emails: Places,
}

impl Words {
    pub fn record(&mut self, seen: &Seen<'_>) {
        let position = seen.stamp.position;
        if let Authority::ServiceWitnessed(witness) = &seen.sealed.entry().authority {
            let identity = Identity {
                issuer: witness.issuer.clone(),
                tenant: witness.tenant.clone(),
                subject: witness.subject.clone(),
            };
            let room = self.witnessed.len() < WITNESSED_MAX;
            let key = (identity, witness.action.clone());
            match self.witnessed.get_mut(&key) {
                Some(places) => places.add(position),
                None if room => self.witnessed.entry(key).or_default().add(position),
                None => self.witnessed_left_out = self.witnessed_left_out.saturating_add(1),
            }
        }
        if matches!(seen.event, Event::InvitationAccepted(_)) {
            self.emails.add(position);
        }
    }

    pub fn told(self) -> ServiceWord {
        let groups = self.witnessed.into_iter();
        let mut witnessed: Vec<_> = groups
            .map(|((identity, action), places)| Witnessed { action, identity, places })
            .collect();
        witnessed.sort_by_key(|group| group.places.first.first().copied());
        ServiceWord { witnessed, witnessed_left_out: self.witnessed_left_out, emails: self.emails }
    }
}
