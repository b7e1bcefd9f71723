//! What the state at a moment holds: members, datasets, marks.

use std::collections::BTreeMap;

use chancery_governance::state::{self, Collaboration};
use chancery_governance::subject::Subject;
use chancery_ledger::id::MemberId;
use chancery_ledger::key::KeyId;

use crate::report::{
    By, DATASETS_MAX, Dataset, Departed, KEYS_MAX, Listed, MARKS_MAX, MEMBERS_MAX, Mark, Member,
    MemberKey, Published, VERSIONS_MAX,
};

fn member(
    id: MemberId,
    member: &state::Member,
    registered: &BTreeMap<KeyId, (u64, By)>,
    departed: Option<Departed>,
) -> Member {
    let mut keys: Vec<_> = member
        .keys
        .iter()
        .filter_map(|(id, key)| {
            let (registered_at, by) = *registered.get(id)?;
            let (key, revoked_at) = (key.key.clone(), key.revoked_at);
            let invited = member.invited_key == Some(*id);
            Some(MemberKey { key, registered_at, by, invited, revoked_at })
        })
        .collect();
    keys.sort_by_key(|key| key.registered_at);
    let unknown = (member.keys.len() - keys.len()) as u64;
    let mut keys = Listed::of(keys, KEYS_MAX);
    keys.leave_out_more(unknown);
    Member {
        id,
        organisation: member.organisation.clone(),
        identity: member.identity.clone(),
        abilities: member.abilities.iter().copied().collect(),
        keys,
        departed,
    }
}

/// The members, and those who were: what they did stands in the log.
pub fn members(state: &Collaboration, registered: &BTreeMap<KeyId, (u64, By)>) -> Listed<Member> {
    let present = state.members.iter().map(|(id, one)| member(*id, one, registered, None));
    let former = state.former.iter().map(|(id, former)| {
        let departed = Departed { position: former.position, how: former.departure };
        member(*id, &former.member, registered, Some(departed))
    });
    Listed::of(present.chain(former), MEMBERS_MAX)
}

pub fn datasets(state: &Collaboration) -> Listed<Dataset> {
    let datasets = state.datasets.iter().filter_map(|(id, dataset)| {
        let newest = dataset.versions.last()?;
        let versions = dataset.versions.iter().rev();
        let versions = versions
            .map(|version| Published { position: version.position, digest: version.digest });
        Some(Dataset {
            id: *id,
            name: newest.descriptor.name.clone(),
            owner: dataset.owner,
            access_mode: newest.descriptor.access_mode,
            retired: dataset.retired,
            usage: newest.descriptor.usage.clone(),
            versions: Listed::of(versions, VERSIONS_MAX),
        })
    });
    Listed::of(datasets, DATASETS_MAX)
}

pub fn marks(state: &Collaboration) -> Listed<Mark> {
    // The fold leaves no empty set behind; one would say nothing.
    let standing = state.marks.iter().filter(|(_, members)| !members.is_empty());
    let marks = standing.map(|((scope, kind), members)| Mark {
        subject: Subject::from(*scope),
        kind: *kind,
        members: members.iter().copied().collect(),
    });
    Listed::of(marks, MARKS_MAX)
}
