//! Which checkpoint of each log is out for cosignature, and who has cosigned it.
//!
//! Witnesses must cosign the same checkpoint to count together, while the log goes on growing. So
//! each log has one target at a time. It moves to the newest checkpoint when enough have cosigned
//! it and it had its least time, when it took too long, or when a witness is already past it.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::{Cosigned, Note, NoteError, Policy};
use tokio::time::Instant;

use crate::logs::Signed;
use crate::status::LogStatus;

/// A checkpoint that is out for cosignature.
#[derive(Debug, Clone)]
struct Round {
    target: Signed,
    cosigned: Vec<Cosigned>,
    /// How many of those the note that was kept has.
    kept: usize,
    started: Instant,
    /// A witness cosigned a longer log than this: it will never cosign this one.
    outrun: bool,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    round: Option<Round>,
    head: u64,
    kept: u64,
}

/// The targets of all logs.
#[derive(Debug)]
pub struct Board {
    policy: Policy,
    entries: BTreeMap<CollaborationId, Entry>,
    round_min: Duration,
    round_max: Duration,
}

impl Board {
    pub fn new(policy: Policy, round_min: Duration, round_max: Duration) -> Self {
        Self { policy, entries: BTreeMap::new(), round_min, round_max }
    }

    /// Takes note of the head, and says whether the log needs a new target now.
    pub fn needs_target(&mut self, c: CollaborationId, head: u64, now: Instant) -> bool {
        let entry = self.entries.entry(c).or_default();
        entry.head = head;
        if entry.round.is_none() {
            return head > 0;
        }
        self.due(c).is_some_and(|due| due <= now)
    }

    /// When the first of the logs that have grown needs a new target.
    pub fn next_due(&self) -> Option<Instant> {
        self.entries.keys().filter_map(|c| self.due(*c)).min()
    }

    fn due(&self, c: CollaborationId) -> Option<Instant> {
        let entry = self.entries.get(&c)?;
        let round = entry.round.as_ref().filter(|round| round.target.size < entry.head)?;
        if self.is_unkept(round) {
            return None;
        }
        // Even where a witness claims to be past it: a liar must not take the others' time.
        let soon = round.outrun || self.policy.is_met_by(&round.cosigned);
        Some(round.started + if soon { self.round_min } else { self.round_max })
    }

    /// Whether nothing is known of the log yet, so that what was kept before must be looked up.
    pub fn is_new(&self, c: CollaborationId) -> bool {
        self.entries.get(&c).is_none_or(|entry| entry.round.is_none())
    }

    /// Puts a checkpoint out for cosignature. `kept` is what was kept before a restart: of the same
    /// size, its cosignatures count.
    ///
    /// # Errors
    ///
    /// [`NoteError`] where `kept` is no note, or holds a known witness's line that does not verify.
    pub fn put(
        &mut self,
        c: CollaborationId,
        target: Signed,
        kept: Option<Signed>,
        now: Instant,
    ) -> Result<(), NoteError> {
        let entry = self.entries.entry(c).or_default();
        entry.kept = kept.as_ref().map_or(entry.kept, |kept| kept.size);
        let same = |kept: &Signed| kept.size == target.size && text(kept) == text(&target);
        let target = kept.filter(same).unwrap_or(target);
        let cosigned = self.policy.verify(&target.note)?;
        let kept = cosigned.len();
        entry.round = Some(Round { target, cosigned, kept, started: now, outrun: false });
        Ok(())
    }

    /// The targets that the witness of that name has not cosigned.
    pub fn open_for(&self, name: &str) -> Vec<(CollaborationId, Signed)> {
        let rounds = self.entries.iter().filter_map(|(c, entry)| Some((c, entry.round.as_ref()?)));
        let missing = rounds.filter(|(_, round)| round.cosigned.iter().all(|one| one.name != name));
        missing.map(|(c, round)| (*c, round.target.clone())).collect()
    }

    /// Adds a witness's line to the target of that size; drops it where the target has moved on.
    ///
    /// # Errors
    ///
    /// [`NoteError`] where the line does not verify.
    pub fn add(
        &mut self,
        c: CollaborationId,
        size: u64,
        line: &str,
        time_max: u64,
    ) -> Result<(), NoteError> {
        let round = self.entries.get_mut(&c).and_then(|entry| entry.round.as_mut());
        let Some(round) = round.filter(|round| round.target.size == size) else { return Ok(()) };
        let merged = self.policy.merge(&round.target.note, line, time_max)?;
        round.target.note = merged.note;
        round.cosigned.extend(merged.added);
        Ok(())
    }

    /// The notes that enough witnesses have cosigned, and that are not kept as they are now; with
    /// the number of cosignatures, for [`Board::kept`].
    pub fn unkept(&self) -> Vec<(CollaborationId, Signed, usize)> {
        let rounds = self.entries.iter().filter_map(|(c, entry)| Some((c, entry.round.as_ref()?)));
        let unkept = rounds.filter(|(_, round)| self.is_unkept(round));
        unkept.map(|(c, round)| (*c, round.target.clone(), round.cosigned.len())).collect()
    }

    fn is_unkept(&self, round: &Round) -> bool {
        round.cosigned.len() > round.kept && self.policy.is_met_by(&round.cosigned)
    }

    /// That the note of `size` with so many cosignatures was kept.
    pub fn kept(&mut self, c: CollaborationId, size: u64, cosignatures: usize) {
        let entry = self.entries.entry(c).or_default();
        entry.kept = entry.kept.max(size);
        if let Some(round) = entry.round.as_mut().filter(|round| round.target.size == size) {
            round.kept = cosignatures;
        }
    }

    /// That a witness has cosigned a log of `size`.
    pub fn outrun(&mut self, c: CollaborationId, size: u64) {
        let Some(entry) = self.entries.get_mut(&c) else { return };
        // Beyond our head no later target helps.
        let within = size <= entry.head;
        if let Some(round) = entry.round.as_mut().filter(|round| round.target.size < size) {
            round.outrun = within;
        }
    }

    pub fn status(&self) -> BTreeMap<CollaborationId, LogStatus> {
        let status = |entry: &Entry| LogStatus {
            head: entry.head,
            cosigned: entry.kept,
            target: entry.round.as_ref().map_or(0, |round| round.target.size),
            cosignatures: entry.round.as_ref().map_or(0, |round| round.cosigned.len()),
        };
        self.entries.iter().map(|(c, entry)| (*c, status(entry))).collect()
    }
}

/// What the signatures of a note are over.
fn text(signed: &Signed) -> Option<&str> {
    Note::parse(&signed.note).map(|note| note.text()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_ledger::digest::Digest;
    use chancery_ledger::key::SigningKey;
    use chancery_ledger::note::{Checkpoint, Witness, cosign};

    const MIN: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(30);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn signed(size: u64, seed: u8) -> Signed {
        let root = Digest::of(&[seed]);
        let note = Checkpoint { origin: "o".into(), size, root }.sign(&key(1));
        Signed { size, note }
    }

    fn line(signed: &Signed, name: &str, seed: u8) -> String {
        cosign(text(signed).unwrap(), name, &key(seed), 5)
    }

    fn board() -> (Board, CollaborationId) {
        let witness = |name, seed| Witness::new(name, key(seed).public().clone()).unwrap();
        let policy = Policy::new(vec![witness("a", 2), witness("b", 3)], 2).unwrap();
        let c = "01941f29-7c00-7000-8000-000000000001".parse().unwrap();
        (Board::new(policy, MIN, MAX), c)
    }

    #[test]
    fn a_target_stays_until_enough_cosigned_it_or_too_long() {
        let (mut board, c) = board();
        let start = Instant::now();
        assert!(!board.needs_target(c, 0, start));
        assert!(board.needs_target(c, 3, start));
        let target = signed(3, 9);
        board.put(c, target.clone(), None, start).unwrap();
        assert!(!board.needs_target(c, 3, start + MAX * 2), "the log has not grown");
        assert!(!board.needs_target(c, 4, start + MIN));
        assert!(board.needs_target(c, 4, start + MAX));
        board.add(c, 3, &line(&target, "a", 2), 10).unwrap();
        assert!(board.unkept().is_empty());
        assert!(!board.needs_target(c, 4, start + MIN));
        board.add(c, 3, &line(&target, "b", 3), 10).unwrap();
        let [(of, enough, 2)] = &board.unkept()[..] else { panic!("{:?}", board.unkept()) };
        assert_eq!((*of, enough.size), (c, 3));
        assert_eq!(enough.note.lines().count(), target.note.lines().count() + 2);
        assert!(!board.needs_target(c, 4, start + MAX), "not before it is kept");
        board.kept(c, 3, 2);
        assert!(board.unkept().is_empty());
        assert!(!board.needs_target(c, 4, start));
        assert_eq!(board.next_due(), Some(start + MIN));
        assert!(board.needs_target(c, 4, start + MIN));
    }

    #[test]
    fn a_witness_past_the_target_moves_it_but_one_past_the_head_does_not() {
        let (mut board, c) = board();
        let start = Instant::now();
        board.put(c, signed(3, 9), None, start).unwrap();
        assert!(!board.needs_target(c, 6, start + MIN));
        board.outrun(c, 7);
        assert!(!board.needs_target(c, 6, start + MIN));
        board.outrun(c, 3);
        assert!(!board.needs_target(c, 6, start + MIN));
        board.outrun(c, 6);
        assert!(!board.needs_target(c, 6, start));
        assert!(board.needs_target(c, 6, start + MIN));
    }

    #[test]
    fn a_line_of_a_target_gone_by_is_left_out_and_one_that_lies_refused() {
        let (mut board, c) = board();
        let (old, new) = (signed(3, 9), signed(5, 9));
        board.put(c, new.clone(), None, Instant::now()).unwrap();
        assert_eq!(board.add(c, 3, &line(&old, "a", 2), 10), Ok(()));
        assert_eq!(board.add(c, 5, &line(&old, "a", 2), 10), Err(NoteError::BadSignature));
        assert_eq!(board.status()[&c].cosignatures, 0);
        assert_eq!(board.open_for("a").len(), 1);
        board.add(c, 5, &line(&new, "a", 2), 10).unwrap();
        assert!(board.open_for("a").is_empty());
        assert_eq!(board.open_for("b").len(), 1);
    }

    #[test]
    fn cosignatures_of_before_a_restart_count_for_the_same_checkpoint_only() {
        let (mut board, c) = board();
        let target = signed(3, 9);
        let kept = Signed { size: 3, note: format!("{}{}", target.note, line(&target, "a", 2)) };
        board.put(c, target.clone(), Some(kept.clone()), Instant::now()).unwrap();
        assert_eq!((board.status()[&c].cosignatures, board.status()[&c].cosigned), (1, 3));
        board.put(c, signed(4, 9), Some(kept.clone()), Instant::now()).unwrap();
        assert_eq!(board.status()[&c].cosignatures, 0);
        board.put(c, signed(3, 8), Some(kept), Instant::now()).unwrap();
        assert_eq!(board.status()[&c].cosignatures, 0);
    }
}
