//! Logs of any length with real seals, in the golden log's own form, and kept in files: what one
//! process writes, another one mirrors.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Entry, Sealed, seal};
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::SigningKey;
use chancery_ledger::merkle::{Frontier, leaf_hash};
use chancery_ledger::note::Checkpoint;
use chancery_mirror::{Logs, LogsError, Mirrored, Signed};
use serde_json::json;

/// The service whose logs they are.
pub const NAME: &str = "chancery.test";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire/vectors/v1")
}

/// The key that seals the golden logs.
pub fn golden_key() -> SigningKey {
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(vectors().join("index.json")).unwrap()).unwrap();
    let seed = index["keys"]["service"]["seed"].as_str().unwrap();
    let seed: Digest = format!("sha256:{seed}").parse().unwrap();
    SigningKey::from_seed(seed.as_bytes()).unwrap()
}

/// The golden log, and its collaboration.
pub fn golden() -> (CollaborationId, Vec<Vec<u8>>) {
    let file = fs::read(vectors().join("log-demo.cbor")).unwrap();
    let Value::Array(items) = codec::decode(&file).unwrap() else { panic!("a log is an array") };
    let bytes = |item| if let Value::Bytes(bytes) = item { bytes } else { panic!("an entry") };
    let entries: Vec<Vec<u8>> = items.into_iter().map(bytes).collect();
    let collaboration = Sealed::parse(entries[0].clone()).unwrap().entry().collaboration;
    (collaboration, entries)
}

/// A log that begins as the golden one and goes on with its entries over and over, each sealed for its
/// place. What they say is not what the rules allow: the mirror does not read that.
pub struct Growing {
    pub collaboration: CollaborationId,
    templates: Vec<Entry>,
    key: SigningKey,
    tree: Frontier,
    last: Option<Digest>,
}

impl Growing {
    pub fn new(collaboration: CollaborationId) -> Self {
        let entries = golden().1.into_iter().map(|bytes| Sealed::parse(bytes).unwrap());
        let templates = entries.map(|sealed| sealed.entry().clone());
        let plain = |entry: &Entry| entry.kind != "ServiceKeyRotated";
        Self {
            collaboration,
            templates: templates.filter(plain).collect(),
            key: golden_key(),
            tree: Frontier::default(),
            last: None,
        }
    }

    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    pub fn root(&self) -> Digest {
        self.tree.root()
    }

    /// The next entries.
    pub fn grow(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.next_entry()).collect()
    }

    fn next_entry(&mut self) -> Vec<u8> {
        let position = self.tree.size();
        let at = usize::try_from(position).unwrap();
        let others = self.templates.len() - 1;
        let template = if at == 0 { 0 } else { 1 + (at - 1) % others };
        let mut entry = self.templates[template].clone();
        entry.collaboration = self.collaboration;
        entry.position = position;
        entry.previous = self.last;
        let sealed = seal(entry, &self.key);
        self.tree.append(sealed.leaf());
        self.last = Some(sealed.leaf());
        sealed.into_bytes()
    }

    pub fn note(&self) -> String {
        let origin = format!("{NAME}/{}", self.collaboration);
        Checkpoint { origin, size: self.size(), root: self.root() }.sign(&self.key)
    }
}

/// Entries of a log that were read, and how many bytes of its file.
type Entries = (CollaborationId, Vec<Vec<u8>>, u64);

/// Logs and receipts in files of a folder, as one process sees them. Another one may append entries
/// meanwhile.
pub struct Files {
    folder: PathBuf,
    read: Mutex<Vec<Entries>>,
    /// Sizes up to which this process knows receipts to be kept: it is the one that keeps them.
    sizes: Mutex<BTreeMap<CollaborationId, u64>>,
}

impl Files {
    pub fn open(folder: &Path, logs: &[CollaborationId]) -> Self {
        let read = logs.iter().map(|c| (*c, Vec::new(), 0)).collect();
        for c in logs {
            // What a kill cut off in its middle was not kept.
            let path = folder.join(format!("{c}.kept"));
            if let Ok(mut text) = fs::read(&path) {
                let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                if whole < text.len() {
                    text.truncate(whole);
                    fs::write(&path, text).unwrap();
                }
            }
        }
        Self { folder: folder.to_owned(), read: Mutex::new(read), sizes: Mutex::default() }
    }

    fn path(&self, c: CollaborationId, what: &str) -> PathBuf {
        self.folder.join(format!("{c}.{what}"))
    }

    /// Appends entries, and then the checkpoint over all of them.
    pub fn append(&self, log: &mut Growing, count: usize) {
        let mut bytes = Vec::new();
        for entry in log.grow(count) {
            bytes.extend(u32::try_from(entry.len()).unwrap().to_le_bytes());
            bytes.extend(entry);
        }
        let path = self.path(log.collaboration, "entries");
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(&bytes).unwrap();
        let (new, note) =
            (self.path(log.collaboration, "new"), self.path(log.collaboration, "note"));
        fs::write(&new, log.note()).unwrap();
        fs::rename(new, note).unwrap();
    }

    /// The receipts that are kept.
    pub fn kept(&self, c: CollaborationId) -> Vec<Mirrored> {
        let text = fs::read_to_string(self.path(c, "kept")).unwrap_or_default();
        // What a kill cut off was not kept.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let batch = |line: &str| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            Mirrored {
                first: json["first"].as_u64().unwrap(),
                size: json["size"].as_u64().unwrap(),
                root: json["root"].as_str().unwrap().parse().unwrap(),
                transaction: json["transaction"].as_str().unwrap().parse().unwrap(),
                service: STANDARD.decode(json["service"].as_str().unwrap()).unwrap(),
                receipt: json["receipt"].as_str().unwrap().as_bytes().to_vec(),
            }
        };
        whole.lines().map(batch).collect()
    }

    fn keep_now(&self, c: CollaborationId, batch: &Mirrored) -> bool {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let last = || self.kept(c).last().map_or(0, |last| last.size);
        let size = sizes.entry(c).or_insert_with(last);
        if *size != batch.first {
            return false;
        }
        let line = json!({
            "first": batch.first,
            "size": batch.size,
            "root": batch.root.to_string(),
            "transaction": batch.transaction.to_string(),
            "service": STANDARD.encode(&batch.service),
            "receipt": String::from_utf8(batch.receipt.clone()).unwrap(),
        });
        let path = self.path(c, "kept");
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
        *size = batch.size;
        true
    }

    /// Reads what was appended since.
    fn with<T>(&self, c: CollaborationId, act: impl FnOnce(&[Vec<u8>]) -> T) -> T {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, entries, at) = read.iter_mut().find(|(log, _, _)| *log == c).unwrap();
        if let Ok(mut file) = File::open(self.path(c, "entries")) {
            file.seek(SeekFrom::Start(*at)).unwrap();
            let mut new = Vec::new();
            file.read_to_end(&mut new).unwrap();
            let mut rest = &new[..];
            while let Some((len, after)) = rest.split_first_chunk::<4>() {
                let len = u32::from_le_bytes(*len) as usize;
                let Some((entry, after)) = after.split_at_checked(len) else { break };
                entries.push(entry.to_vec());
                *at += 4 + len as u64;
                rest = after;
            }
        }
        act(entries)
    }

    fn signed(&self, c: CollaborationId) -> Option<Signed> {
        let note = fs::read_to_string(self.path(c, "note")).ok()?;
        let size = note.lines().nth(1).unwrap().parse().unwrap();
        Some(Signed { size, note })
    }
}

impl Logs for Files {
    async fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> Result<Vec<(CollaborationId, u64)>, LogsError> {
        let logs: Vec<_> = {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.iter().map(|(c, _, _)| *c).filter(|c| after.is_none_or(|it| *c > it)).collect()
        };
        Ok(logs.into_iter().filter_map(|c| Some((c, self.signed(c)?.size))).collect())
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        Ok(self.signed(c))
    }

    async fn entries(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, LogsError> {
        let from = usize::try_from(from).unwrap();
        Ok(self.with(c, |all| all.iter().skip(from).take(limit as usize).cloned().collect()))
    }

    async fn leaf_hashes(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Digest>, LogsError> {
        let from = usize::try_from(from).unwrap();
        let leaf = |entry: &Vec<u8>| leaf_hash(entry);
        Ok(self.with(c, |all| all.iter().skip(from).take(limit as usize).map(leaf).collect()))
    }

    async fn mirrored(&self, c: CollaborationId) -> Result<u64, LogsError> {
        Ok(self.kept(c).last().map_or(0, |batch| batch.size))
    }

    async fn keep(&self, c: CollaborationId, batch: Mirrored) -> Result<bool, LogsError> {
        Ok(self.keep_now(c, &batch))
    }

    async fn receipt_of(
        &self,
        c: CollaborationId,
        position: u64,
    ) -> Result<Option<Mirrored>, LogsError> {
        Ok(self.kept(c).into_iter().find(|batch| (batch.first..batch.size).contains(&position)))
    }
}
