//! The command ids that a replay has met: a sorted set in blocks, of 17 to 32 bytes an id.
//!
//! A log of ten million commands has as many ids, and a replay must hold them all. `UUIDv7`s come
//! nearly in order, so that nearly every block stays full; a tree of nodes would take twice as much.

use std::collections::BTreeMap;

use chancery_ledger::id::CommandId;

/// Ids in one block, at most: 8 KiB.
const BLOCK_IDS_MAX: usize = 512;

/// A set of command ids.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// Sorted blocks, none empty, each under an id that is not above its first and above every id
    /// of the block before.
    blocks: BTreeMap<CommandId, Vec<CommandId>>,
}

impl Used {
    /// Adds `id`; false if it was there.
    pub fn insert(&mut self, id: CommandId) -> bool {
        let last = self.blocks.last_key_value().map(|(first, _)| *first);
        let Some(first) = self.blocks.range(..=id).next_back().map(|(first, _)| *first) else {
            return self.insert_below(id);
        };
        let Some(block) = self.blocks.get_mut(&first) else { return false };
        let Err(at) = block.binary_search(&id) else { return false };
        if block.len() < BLOCK_IDS_MAX {
            block.insert(at, id);
            return true;
        }
        if at == block.len() && Some(first) == last {
            // In order: the block stays full.
            self.blocks.insert(id, Vec::from([id]));
            return true;
        }
        let upper = block.split_off(BLOCK_IDS_MAX / 2);
        block.shrink_to_fit();
        if let Some(first) = upper.first() {
            self.blocks.insert(*first, upper);
        }
        self.insert(id)
    }

    /// Adds an id below all others.
    fn insert_below(&mut self, id: CommandId) -> bool {
        match self.blocks.pop_first() {
            Some((_, mut block)) if block.len() < BLOCK_IDS_MAX => {
                block.insert(0, id);
                self.blocks.insert(id, block);
            }
            Some((first, block)) => {
                self.blocks.insert(first, block);
                self.blocks.insert(id, Vec::from([id]));
            }
            None => {
                self.blocks.insert(id, Vec::from([id]));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn check(numbers: impl IntoIterator<Item = u128>) -> Used {
        let (mut used, mut expected) = (Used::default(), BTreeSet::new());
        for number in numbers {
            let id = CommandId::new(Uuid::from_u128(number));
            assert_eq!(used.insert(id), expected.insert(id), "{id}");
        }
        let held: Vec<_> = used.blocks.values().flatten().copied().collect();
        assert!(held.iter().eq(&expected));
        assert!(used.blocks.values().all(|block| (1..=BLOCK_IDS_MAX).contains(&block.len())));
        used
    }

    #[test]
    fn ids_in_order_leave_full_blocks() {
        let used = check(0..=4 * BLOCK_IDS_MAX as u128);
        let lens: Vec<_> = used.blocks.values().map(Vec::len).collect();
        assert_eq!(lens, [BLOCK_IDS_MAX, BLOCK_IDS_MAX, BLOCK_IDS_MAX, BLOCK_IDS_MAX, 1]);
    }

    #[test]
    fn ids_in_any_order_are_found_again() {
        check((0..5000).rev());
        check((0..5000).chain(0..5000));
        // Twice through a permutation of many.
        let mixed = |at: u128| at * 7919 % 20_011;
        check((0..20_011).map(mixed).chain((0..20_011).map(mixed)));
    }

    proptest! {
        #[test]
        fn it_is_a_set(numbers in prop::collection::vec(0..4000_u128, 0..3000)) {
            check(numbers);
        }
    }
}
