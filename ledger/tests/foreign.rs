//! Our checkpoints and tiles in the hands of implementations that are not ours: the public crates
//! `signed_note` and `tlog_tiles`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use chancery_ledger::digest::Digest;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::{self, Frontier};
use chancery_ledger::note::{self, Checkpoint, Note, Policy, Witness};
use chancery_ledger::tile::{self, Tile};
use signed_note::{StandardVerifier, VerifierList};
use support::{Log, entry, leaves};
use tlog_tiles::{Error, Hash, HashReader, TileHashReader, TileReader};

const ORIGIN: &str = "chancery.test/01941f29-7c00-7000-8000-000000000001";
/// Sizes about the edges of tiles of both levels that a test can make in a moment.
const SIZES: [u64; 9] = [1, 2, 100, 255, 256, 257, 512, 1000, 66_000];

fn key() -> SigningKey {
    SigningKey::from_seed(&[3; 32]).unwrap()
}

fn theirs(hash: &Digest) -> Hash {
    Hash(*hash.as_bytes())
}

fn their_verifier(key: &SigningKey) -> VerifierList {
    let verifier = StandardVerifier::new(&note::verifier_key(ORIGIN, key.public())).unwrap();
    VerifierList::new(vec![Box::new(verifier)])
}

/// Our tiles as their library reads them: the bytes that a server of tiles would send.
struct Served {
    tiles: BTreeMap<String, Vec<u8>>,
}

impl Served {
    /// Made of the leaves and the nodes that appends noted, as a store holds them.
    fn of(leaves: &[Digest]) -> Self {
        let (mut frontier, mut nodes) = (Frontier::default(), Vec::new());
        for leaf in leaves {
            frontier.append_noting(*leaf, &mut nodes);
        }
        let hashes = |tile: &Tile| -> Vec<Digest> {
            let first = tile.first();
            let range = first..first + u64::from(tile.width);
            if tile.level == 0 {
                return range.map(|at| leaves[usize::try_from(at).unwrap()]).collect();
            }
            let level = nodes.iter().filter(|node| node.level == tile.level);
            level.filter(|node| range.contains(&node.index)).map(|node| node.hash).collect()
        };
        let all = tile::between(0, frontier.size());
        Self { tiles: all.map(|tile| (tile.path(), Tile::encode(&hashes(&tile)))).collect() }
    }
}

/// Their paths name the height too, as those of the Go checksum database do.
fn our_path(tile: tlog_tiles::Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

impl TileReader for Served {
    fn height(&self) -> u8 {
        tile::HEIGHT
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &tlog_tiles::Tile| self.tiles.get(&our_path(*tile)).cloned();
        tiles.iter().map(|tile| read(tile).ok_or(Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// The hashes that their library stores for the same records.
struct Stored(Vec<Hash>);

impl Stored {
    fn of(size: u64) -> Self {
        let mut stored = Self(Vec::new());
        for n in 0..size {
            let new = tlog_tiles::stored_hashes(n, &entry(n), &stored).unwrap();
            stored.0.extend(new);
        }
        stored
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

#[test]
fn signed_note_opens_our_checkpoints_and_tlog_tiles_reads_them() {
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 42, root: Digest::of(b"root") };
    let signed = checkpoint.sign(&key());
    let other = SigningKey::from_seed(&[4; 32]).unwrap();
    let witness = Witness::new("witness.test", other.public().clone()).unwrap();
    let policy = Policy::new(vec![witness], 1).unwrap();
    let line = note::cosign(Note::parse(&signed).unwrap().text(), "witness.test", &other, 1000);
    let cosigned = policy.merge(&signed, &line, 1000).unwrap().note;
    for (note, unknown) in [(&signed, 0), (&cosigned, 1)] {
        let opened = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
        let (verified, unverified) = opened.verify(&their_verifier(&key())).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, unknown));
        let read = tlog_tiles::Checkpoint::from_bytes(opened.text()).unwrap();
        assert_eq!((read.origin(), read.size(), read.extension()), (ORIGIN, 42, ""));
        assert_eq!(read.hash(), &theirs(&checkpoint.root));
        assert!(opened.verify(&their_verifier(&other)).is_err());
    }
}

#[test]
fn we_open_a_checkpoint_that_they_wrote() {
    let root = Digest::of(b"root");
    let text = tlog_tiles::Checkpoint::new(ORIGIN, 7, theirs(&root), "").unwrap().to_bytes();
    let ours = Checkpoint { origin: ORIGIN.into(), size: 7, root };
    assert_eq!(ours.text().as_bytes(), text);
    let signed = ours.sign(&key());
    let parsed = signed_note::Note::from_bytes(signed.as_bytes()).unwrap();
    let again = String::from_utf8(parsed.to_bytes()).unwrap();
    assert_eq!(Checkpoint::open(&again, ORIGIN, key().public()), Ok(ours));
}

#[test]
fn the_tiles_that_they_compute_are_ours() {
    let stored = Stored::of(66_000);
    for size in SIZES {
        let ours = Served::of(&leaves(size)).tiles;
        let theirs: BTreeMap<_, _> = tlog_tiles::Tile::new_tiles(tile::HEIGHT, 0, size)
            .into_iter()
            .map(|tile| (our_path(tile), tile.read_data(&stored).unwrap()))
            .collect();
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{size}");
        assert!(ours == theirs, "{size}");
    }
}

#[test]
fn they_verify_records_and_prefixes_from_our_tiles_and_make_the_same_proofs() {
    for size in SIZES {
        let log = Log::of(leaves(size));
        let root = theirs(&merkle::root(log.leaves()));
        let served = Served::of(log.leaves());
        let reader = TileHashReader::new(size, root, &served);
        let to_theirs = |proof: Vec<Digest>| proof.iter().map(theirs).collect::<Vec<_>>();
        for index in [0, size / 3, size / 2, size - 1] {
            let tiles = log.tiles(&tile::for_inclusion(index, size).unwrap());
            let proof = to_theirs(tile::inclusion_proof(index, size, &tiles).unwrap());
            let leaf = theirs(&log.leaves()[usize::try_from(index).unwrap()]);
            assert!(tlog_tiles::check_record(&proof, size, root, index, leaf).is_ok());
            assert_eq!(tlog_tiles::prove_record(size, index, &reader).unwrap(), proof);
        }
        for old in [1, size.div_ceil(3), size.div_ceil(2), size] {
            let tiles = log.tiles(&tile::for_consistency(old, size).unwrap());
            let proof = to_theirs(tile::consistency_proof(old, size, &tiles).unwrap());
            let old_root = merkle::root(&log.leaves()[..usize::try_from(old).unwrap()]);
            let old_root = theirs(&old_root);
            assert!(tlog_tiles::check_tree(&proof, size, root, old, old_root).is_ok());
            assert_eq!(tlog_tiles::prove_tree(size, old, &reader).unwrap(), proof);
        }
    }
}

/// Their reader of tiles leaves some unchecked where the right edge takes several hashes of one tile
/// (0.2.0); the proofs that it makes of those do not verify.
#[test]
fn they_refuse_our_tiles_with_a_bit_flipped() {
    let size = 600;
    let log = Log::of(leaves(size));
    let root = theirs(&merkle::root(log.leaves()));
    for path in Served::of(log.leaves()).tiles.keys() {
        let mut served = Served::of(log.leaves());
        served.tiles.get_mut(path).unwrap()[5] ^= 1;
        let reader = TileHashReader::new(size, root, &served);
        let proved = |n: u64| {
            let leaf = theirs(&log.leaves()[usize::try_from(n).unwrap()]);
            let proof = tlog_tiles::prove_record(size, n, &reader)?;
            tlog_tiles::check_record(&proof, size, root, n, leaf)
        };
        assert!((0..size).step_by(100).any(|n| proved(n).is_err()), "{path}");
    }
}
