//! Who is who, by identity and by key, without looking at every member.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::id::MemberId;
use chancery_ledger::key::KeyId;

use crate::member::Identity;

/// The members by identity, and whoever ever registered a key by that key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roll {
    identities: BTreeMap<Identity, BTreeSet<MemberId>>,
    keys: BTreeMap<KeyId, MemberId>,
}

impl Roll {
    /// Notes a new member.
    pub(super) fn enter(&mut self, identity: Identity, member: MemberId) {
        self.identities.entry(identity).or_default().insert(member);
    }

    /// Notes that somebody is a member no more. Their keys stay theirs.
    pub(super) fn leave(&mut self, identity: &Identity, member: MemberId) {
        if let Some(members) = self.identities.get_mut(identity) {
            members.remove(&member);
            if members.is_empty() {
                self.identities.remove(identity);
            }
        }
    }

    /// Notes whose key it is.
    pub(super) fn register(&mut self, key: KeyId, member: MemberId) {
        self.keys.insert(key, member);
    }

    /// The member of that identity: the first, should there be several.
    pub(super) fn by_identity(&self, identity: &Identity) -> Option<MemberId> {
        self.identities.get(identity)?.first().copied()
    }

    /// Who registered the key: a member, or a former one.
    pub(super) fn by_key(&self, key: KeyId) -> Option<MemberId> {
        self.keys.get(&key).copied()
    }
}
