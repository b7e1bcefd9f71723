//! The files in the hands of the public crates `signed_note` and `tlog_tiles`.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CommandId;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::{Frontier, leaf_hash};
use chancery_ledger::note::verifier_key;
use chancery_store::{Append, NewCommand, NewEntry};
use tlog_tiles::{Error, TileHashReader, TileReader};

use super::*;

fn id(n: u128) -> CollaborationId {
    CollaborationId::new(uuid::Uuid::from_u128(n))
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[3; 32]).unwrap()
}

fn origin(n: u128) -> String {
    format!("chancery.test/{}", id(n))
}

fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

/// Appends entries up to `size`, each `entry(position)`, or `long` in the place of the last one.
async fn grow(store: &Store, n: u128, size: u64, long: Option<Vec<u8>>) {
    let old = store.head(id(n)).await.unwrap().map_or(0, |head| head.size);
    let tiles = store.tiles(id(n), &tile::for_frontier(old)).await.unwrap();
    let mut tree: Frontier = tile::frontier(old, &tiles).unwrap();
    let (mut entries, mut nodes) = (Vec::new(), Vec::new());
    for position in old..size {
        let long = long.clone().filter(|_| position + 1 == size);
        let sealed = long.unwrap_or_else(|| entry(position));
        let leaf_hash = leaf_hash(&sealed);
        tree.append_noting(leaf_hash, &mut nodes);
        entries.push(NewEntry { sealed, leaf_hash });
    }
    let checkpoint = Checkpoint { origin: origin(n), size, root: tree.root() }.sign(&key());
    let command = NewCommand {
        id: CommandId::new(uuid::Uuid::from_u128(u128::from(size))),
        content_digest: Digest::of(b""),
        first_position: old,
        count: size - old,
    };
    let append = Append {
        collaboration: id(n),
        expected_size: old,
        entries,
        nodes,
        checkpoint,
        commands: vec![command],
        personal_keys: Vec::new(),
        erased: Vec::new(),
    };
    store.append(append).await.unwrap();
}

/// The files as a server of static files sends them.
struct Hosted<'a>(&'a Path);

impl TileReader for Hosted<'_> {
    fn height(&self) -> u8 {
        tile::HEIGHT
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> std::result::Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &tlog_tiles::Tile| {
            // Their paths name the height too.
            fs::read(self.0.join(tile.path().replacen("tile/8/", "tile/", 1)))
        };
        tiles.iter().map(|tile| read(tile).map_err(|_| Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// That their code opens the checkpoint and proves every seventh entry of the bundles, and the last.
fn check(folder: &Path, n: u128, size: u64) {
    let note = fs::read(folder.join(CHECKPOINT)).unwrap();
    let note = signed_note::Note::from_bytes(&note).unwrap();
    let verifier = verifier_key(&origin(n), key().public());
    let verifier = signed_note::StandardVerifier::new(&verifier).unwrap();
    note.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)])).unwrap();
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((checkpoint.size(), checkpoint.origin()), (size, origin(n).as_str()));
    let (hosted, root) = (Hosted(folder), *checkpoint.hash());
    let reader = TileHashReader::new(size, root, &hosted);
    for index in 0..size.div_ceil(tile::WIDTH.into()) {
        let bundle = Bundle::of(index, size).unwrap();
        let bytes = fs::read(folder.join(bundle.path())).unwrap();
        for (at, entry) in (bundle.first()..).zip(bundle.decode(&bytes).unwrap()) {
            if at % 7 == 0 || at + 1 == size {
                let proof = tlog_tiles::prove_record(size, at, &reader).unwrap();
                let leaf = tlog_tiles::record_hash(entry);
                tlog_tiles::check_record(&proof, size, root, at, leaf).unwrap();
            }
        }
    }
}

async fn store(dir: &Path, name: &str) -> Store {
    Store::open(&dir.join(name)).await.unwrap()
}

#[tokio::test]
async fn public_tools_read_the_files_and_a_second_run_adds_what_grew() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), "log.db").await;
    let folder = dir.path().join("out");
    let mut before = 0;
    for (size, files) in [(5, 3), (5, 0), (300, 6), (700, 6)] {
        if size > before {
            grow(&store, 1, size, None).await;
        }
        let written = write(&store, &folder, id(1)).await.unwrap();
        let left_out = Vec::new();
        assert_eq!(written, Written { id: id(1), before, size, files, left_out });
        check(&folder, 1, size);
        before = size;
    }
    let left = |path: &str| folder.join(path).exists();
    assert!(left("tile/0/000") && left("tile/0/000.p/5") && left("tile/1/000.p/2"));
    assert!(!left("checkpoint.new"));
}

#[tokio::test]
async fn a_folder_of_another_log_or_history_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (one, fork) = (store(dir.path(), "one.db").await, store(dir.path(), "fork.db").await);
    let folder = dir.path().join("out");
    grow(&one, 1, 300, None).await;
    write(&one, &folder, id(1)).await.unwrap();
    let checkpoint = fs::read(folder.join(CHECKPOINT)).unwrap();
    grow(&one, 2, 400, None).await;
    grow(&fork, 1, 200, None).await;
    let shorter = write(&fork, &folder, id(1)).await.unwrap_err();
    grow(&fork, 1, 300, Some(b"another".to_vec())).await;
    grow(&fork, 1, 400, None).await;
    let forked = write(&fork, &folder, id(1)).await.unwrap_err();
    let other = write(&one, &folder, id(2)).await.unwrap_err();
    for (refused, why) in [(shorter, "300 entries"), (forked, "forked"), (other, "it is of")] {
        assert_eq!(refused.code(), "other_log");
        assert!(refused.text().contains(why), "{}", refused.text());
    }
    assert_eq!(fs::read(folder.join(CHECKPOINT)).unwrap(), checkpoint);
    check(&folder, 1, 300);
}

#[tokio::test]
async fn a_first_run_that_was_broken_off_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), "log.db").await;
    let folder = dir.path().join("out");
    grow(&store, 1, 300, None).await;
    fs::create_dir_all(folder.join("tile/0")).unwrap();
    fs::write(folder.join("tile/0/000"), b"half").unwrap();
    fs::write(folder.join("tile/0/000.new"), b"ha").unwrap();
    write(&store, &folder, id(1)).await.unwrap();
    check(&folder, 1, 300);
}

#[tokio::test]
async fn an_entry_too_long_for_a_bundle_leaves_out_that_bundle_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), "log.db").await;
    let folder = dir.path().join("out");
    grow(&store, 1, 256, Some(vec![7; tile::ENTRY_LEN_MAX])).await;
    grow(&store, 1, 300, Some(vec![7; tile::ENTRY_LEN_MAX + 1])).await;
    grow(&store, 1, 600, None).await;
    let written = write(&store, &folder, id(1)).await.unwrap();
    assert_eq!(written.left_out, [256]);
    for (bundle, there) in [("000", true), ("001", false), ("002.p/88", true)] {
        assert_eq!(folder.join("tile/entries").join(bundle).exists(), there, "{bundle}");
    }
    assert!(folder.join("tile/0/001").exists());
}
