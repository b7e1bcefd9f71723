//! Proofs and frontiers out of tiles are those out of the leaves, at every size that matters.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use chancery_ledger::merkle::{self, Frontier};
use chancery_ledger::tile::{self, Bundle, Prover, Tile, TileError, Tiles, WIDTH};
use proptest::prelude::*;
use support::{Log, entry, leaves};

/// Tiles that one proof takes in a tree of fewer than 2^24 leaves: up to a level of each height for
/// its own path, and as many for the right edge.
const TILES_A_PROOF_MAX: usize = 6;

fn check_inclusion(log: &Log, index: u64, size: u64) {
    let wanted = tile::for_inclusion(index, size).unwrap();
    assert!(wanted.len() <= TILES_A_PROOF_MAX, "{index} of {size}: {wanted:?}");
    let proof = tile::inclusion_proof(index, size, &log.tiles(&wanted)).unwrap();
    let leaves = &log.leaves()[..usize::try_from(size).unwrap()];
    assert_eq!(Some(proof), merkle::inclusion_proof(leaves, index), "{index} of {size}");
}

fn check_consistency(log: &Log, old: u64, new: u64) {
    let wanted = tile::for_consistency(old, new).unwrap();
    assert!(wanted.len() <= TILES_A_PROOF_MAX, "{old} to {new}: {wanted:?}");
    let proof = tile::consistency_proof(old, new, &log.tiles(&wanted)).unwrap();
    let leaves = &log.leaves()[..usize::try_from(new).unwrap()];
    assert_eq!(Some(proof), merkle::consistency_proof(leaves, old), "{old} to {new}");
}

fn check_frontier(log: &Log, size: u64) {
    let tiles = log.tiles(&tile::for_frontier(size));
    let mut expected = Frontier::default();
    expected.extend(log.leaves()[..usize::try_from(size).unwrap()].iter().copied());
    assert_eq!(tile::frontier(size, &tiles), Ok(expected), "{size}");
}

#[test]
fn every_proof_of_every_tree_about_one_tile_is_that_of_the_leaves() {
    let log = Log::of(leaves(520));
    for size in [1, 2, 3, 7, 8, 255, 256, 257, 258, 300, 511, 512, 513, 520] {
        check_frontier(&log, size);
        for index in 0..size {
            check_inclusion(&log, index, size);
            check_consistency(&log, index, size);
        }
        check_consistency(&log, size, size);
    }
}

#[test]
fn proofs_about_the_third_level_are_those_of_the_leaves() {
    let log = Log::of(leaves(66_000));
    for size in [65_279, 65_535, 65_536, 65_537, 65_792, 66_000] {
        check_frontier(&log, size);
        for index in [0, 255, 256, 32_767, 65_278, size - 2, size - 1] {
            check_inclusion(&log, index, size);
        }
        for old in [0, 1, 255, 256, 257, 65_278, 65_279, size - 1, size] {
            check_consistency(&log, old, size);
        }
    }
}

#[test]
fn the_nodes_noted_by_appends_are_the_rows_of_the_tiles() {
    let log = Log::of(leaves(66_000));
    let (mut frontier, mut nodes) = (Frontier::default(), Vec::new());
    for leaf in log.leaves() {
        frontier.append_noting(*leaf, &mut nodes);
    }
    for level in 1..=2 {
        let row: Vec<_> = nodes.iter().filter(|node| node.level == level).collect();
        let expected = &log.rows[usize::from(level)];
        assert_eq!(row.len(), expected.len());
        for (place, (node, hash)) in (0..).zip(row.into_iter().zip(expected)) {
            assert_eq!((node.index, &node.hash), (place, hash));
        }
    }
    assert!(nodes.iter().all(|node| node.level == 1 || node.level == 2));
}

#[test]
fn the_tiles_of_a_log_are_those_of_the_specification() {
    // The example of the specification.
    let tiles: Vec<_> = tile::between(0, 70_000).collect();
    let of = |level, width| {
        tiles.iter().filter(|tile| tile.level == level && tile.width == width).count()
    };
    assert_eq!((of(0, WIDTH), of(0, 112)), (273, 1));
    assert_eq!((of(1, WIDTH), of(1, 17), of(2, 1)), (1, 1, 1));
    assert_eq!(tiles.len(), 277);
    let tiles: Vec<_> = tile::between(0, 256).map(|tile| tile.path()).collect();
    assert_eq!(tiles, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tile::between(0, 0).count(), 0);
}

#[test]
fn what_a_log_publishes_as_it_grows_is_all_that_proofs_ask_for() {
    let log = Log::of(leaves(1100));
    let mut published = Tiles::new();
    let mut old = 0;
    for new in [1, 2, 255, 256, 257, 400, 512, 513, 1024, 1100] {
        for tile in tile::between(old, new) {
            assert!(published.insert(tile, log.tile(tile)).is_none(), "{tile:?} twice");
        }
        for index in [0, new / 2, new - 1] {
            assert!(tile::inclusion_proof(index, new, &published).is_ok());
        }
        assert!(tile::consistency_proof(old, new, &published).is_ok());
        old = new;
    }
}

#[test]
fn tiles_that_are_missing_or_of_another_width_are_named() {
    let log = Log::of(leaves(600));
    let wanted = tile::for_inclusion(3, 600).unwrap();
    let whole = log.tiles(&wanted);
    for gone in &wanted {
        let mut tiles = whole.clone();
        tiles.remove(gone);
        assert_eq!(tile::inclusion_proof(3, 600, &tiles), Err(TileError::Missing(*gone)));
        let mut tiles = whole.clone();
        tiles.get_mut(gone).unwrap().pop();
        assert_eq!(tile::inclusion_proof(3, 600, &tiles), Err(TileError::Width(*gone)));
    }
    assert_eq!(tile::for_inclusion(600, 600), None);
    assert_eq!(tile::for_consistency(601, 600), None);
    let out = Err(TileError::OutOfRange { size: 600 });
    assert_eq!(tile::inclusion_proof(600, 600, &whole), out);
    assert_eq!(tile::consistency_proof(601, 600, &whole), out);
    assert_eq!(tile::frontier(0, &Tiles::new()), Ok(Frontier::default()));
}

#[test]
fn tiles_are_served_as_their_hashes_in_a_row() {
    let log = Log::of(leaves(300));
    for tile in tile::between(0, 300) {
        let bytes = Tile::encode(&log.tile(tile));
        assert_eq!(bytes.len(), usize::from(tile.width) * 32);
        assert_eq!(tile.decode(&bytes), Ok(log.tile(tile)));
        assert_eq!(tile.decode(&bytes[1..]), Err(TileError::Width(tile)));
        assert_eq!(tile.decode(&bytes[32..]), Err(TileError::Width(tile)));
    }
}

#[test]
fn a_bundle_holds_the_entries_under_its_tile() {
    let log = Log::of(leaves(300));
    let bundle = Bundle::of(1, 300).unwrap();
    let entries: Vec<_> = (256..300).map(entry).collect();
    let bytes = bundle.encode(&entries).unwrap();
    let hashes: Vec<_> =
        bundle.decode(&bytes).unwrap().into_iter().map(merkle::leaf_hash).collect();
    assert_eq!(hashes, log.tile(Tile::of(0, 1, 300).unwrap()));
}

/// Sizes up to the greatest that a number holds: no tile is out of the tree, and nothing overflows.
#[test]
fn huge_trees_ask_for_few_tiles_of_their_own() {
    for size in [1 << 40, (1 << 56) + 12_345, u64::MAX - 1, u64::MAX] {
        for index in [0, 1, size / 3, size - 2, size - 1] {
            for tiles in [
                tile::for_inclusion(index, size).unwrap(),
                tile::for_consistency(index, size).unwrap(),
                tile::for_frontier(size),
            ] {
                assert!(tiles.len() <= 16, "{}", tiles.len());
                for tile in tiles {
                    assert_eq!(Tile::of(tile.level, tile.index, size), Some(tile));
                    assert_eq!(Tile::parse(&tile.path()), Ok(tile));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_proof_is_that_of_the_leaves(size in 1..3000_u64, a in any::<u64>(), b in any::<u64>()) {
        let log = Log::of(leaves(size));
        check_inclusion(&log, a % size, size);
        check_consistency(&log, b % (size + 1), size);
        check_frontier(&log, size);
    }

    #[test]
    fn one_prover_makes_all_proofs(size in 1..1000_u64, at in prop::collection::vec(any::<u64>(), 20)) {
        let log = Log::of(leaves(size));
        let all: Vec<_> = tile::between(0, size).collect();
        let tiles = log.tiles(&all);
        let mut prover = Prover::new(size, &tiles);
        for at in at {
            prop_assert_eq!(prover.inclusion(at % size).ok(), merkle::inclusion_proof(log.leaves(), at % size));
            prop_assert_eq!(prover.consistency(at % size).ok(), merkle::consistency_proof(log.leaves(), at % size));
        }
    }
}
