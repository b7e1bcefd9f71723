//! The verified copy of a log: what it takes, and all that it refuses.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use chancery_executor::log::{LogError, VerifiedLog};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{self, Entry};
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::SigningKey;
use support::room::{self, Room};

fn room() -> Room {
    let mut room = Room::accepted(Digest::of(b"application"));
    room.request(room::fresh_run());
    room
}

fn copy() -> VerifiedLog {
    VerifiedLog::new(room::id(), vec![room::service_key().public().id()])
}

/// Takes entries until one is refused.
fn take(copy: &mut VerifiedLog, entries: &[Vec<u8>]) -> Result<(), LogError> {
    entries.iter().try_for_each(|entry| copy.take(entry.clone()))
}

fn bytes(room: &Room) -> Vec<Vec<u8>> {
    room.log.iter().map(|sealed| sealed.bytes().to_vec()).collect()
}

/// The entry, changed and sealed again by the service itself.
fn resealed(room: &Room, position: usize, change: impl FnOnce(&mut Entry)) -> Vec<u8> {
    let mut entry = room.log[position].entry().clone();
    change(&mut entry);
    entry::seal(entry, &room::service_key()).into_bytes()
}

#[test]
fn a_good_log_is_taken_whole_and_counts_only_once_confirmed() {
    let room = room();
    let mut copy = copy();
    take(&mut copy, &bytes(&room)).unwrap();
    assert_eq!(copy.size(), room.tree.size());
    assert!(copy.state().is_none(), "no checkpoint has confirmed it");
    assert_eq!(copy.take_touched().len(), 1);
    assert!(copy.take_touched().is_empty());
}

#[test]
fn the_first_entry_must_name_the_pinned_key() {
    let room = room();
    let other = SigningKey::from_seed(&[1; 32]).unwrap();
    let mut copy = VerifiedLog::new(room::id(), vec![other.public().id()]);
    assert!(matches!(take(&mut copy, &bytes(&room)), Err(LogError::Genesis)));
    // A log that another key sealed throughout, and says so.
    let mut forged = room.log[0].entry().clone();
    forged.time_ms += 1;
    let forged = entry::seal(forged, &other).into_bytes();
    let mut copy = self::copy();
    assert!(matches!(copy.take(forged), Err(LogError::Entry { position: 0, .. })));
    let mut copy = self::copy();
    assert!(matches!(copy.take(bytes(&room)[1].clone()), Err(LogError::Genesis)));
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let room = room();
    let good = bytes(&room);
    for position in 0..good.len() {
        for at in [0, good[position].len() / 3, good[position].len() / 2, good[position].len() - 1]
        {
            let mut bad = good.clone();
            bad[position][at] ^= 4;
            assert!(take(&mut copy(), &bad).is_err(), "position {position}, byte {at}");
        }
    }
}

#[test]
fn entries_out_of_place_are_refused() {
    let room = room();
    let good = bytes(&room);
    for position in 1..good.len() {
        let mut missing = good.clone();
        missing.remove(position - 1);
        assert!(take(&mut copy(), &missing).is_err(), "{position}");
    }
    let mut swapped = good.clone();
    swapped.swap(5, 6);
    assert!(matches!(take(&mut copy(), &swapped), Err(LogError::Misplaced { position: 5 })));
    let other = CollaborationId::new(uuid::Uuid::from_u128(7));
    let mut copy = VerifiedLog::new(other, vec![room::service_key().public().id()]);
    assert!(matches!(take(&mut copy, &good), Err(LogError::Misplaced { position: 0 })));
}

#[test]
fn what_the_rules_do_not_permit_is_refused_though_the_service_sealed_it() {
    let room = room();
    let good = bytes(&room);
    let last = good.len() - 1;
    let approved =
        room.log.iter().position(|sealed| sealed.entry().kind == "QueryApproved").unwrap();
    let owner = room.log[0].entry().actor;
    let forged = [
        (last, resealed(&room, last, |entry| entry.actor = owner)),
        (last, resealed(&room, last, |entry| entry.previous = Some(Digest::of(b"another")))),
        (last, resealed(&room, last, |entry| entry.command = room.log[3].entry().command)),
        (approved, resealed(&room, approved, |entry| entry.kind = "QueryAccepted".into())),
    ];
    for (position, forged) in forged {
        let mut bad = good.clone();
        bad[position] = forged;
        bad.truncate(position + 1);
        let refused = take(&mut copy(), &bad);
        let by_rules = matches!(refused, Err(LogError::Replay(_) | LogError::Fold { .. }));
        assert!(by_rules, "{position}: {refused:?}");
    }
}
