//! Batches of sealed entries, as the application takes them.

use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;

/// Most entries in a batch.
pub const ENTRIES_MAX: usize = 256;
/// Largest body of a batch: 2 MiB.
pub const BATCH_LEN_MAX: usize = 2 << 20;
/// The version of the protocol.
const VERSION: i128 = 1;
/// What an entry's head and its share of the rest take, at most.
const HEAD_LEN: usize = 16;

/// Entries in order, from one position on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Of which log.
    pub collaboration: CollaborationId,
    /// Position of the first entry.
    pub first: u64,
    /// The sealed entries.
    pub entries: Vec<Vec<u8>>,
    /// The signed checkpoint of the size after them, where the log has it.
    pub checkpoint: Option<String>,
}

impl Batch {
    /// How many of these entries go into one batch: at most [`ENTRIES_MAX`], and so many that the
    /// body has at most `bytes_max` with a checkpoint of `note_len`; at least one.
    pub fn fit(entries: &[Vec<u8>], note_len: usize, bytes_max: usize) -> usize {
        let mut len = note_len + 2 * HEAD_LEN;
        let fits = |entry: &&Vec<u8>| {
            len += entry.len() + HEAD_LEN;
            len <= bytes_max
        };
        entries.iter().take(ENTRIES_MAX).take_while(fits).count().max(1.min(entries.len()))
    }

    /// The size of the log after it.
    pub fn size(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The body of the request: deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&Value::Array(vec![
            Value::Int(VERSION),
            Value::Int(self.first.into()),
            Value::Array(self.entries.iter().map(|entry| Value::bytes(entry.clone())).collect()),
            self.checkpoint.as_ref().map_or(Value::Null, |note| Value::text(note.clone())),
        ]))
    }

    /// What identifies it: the same batch again has the same.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_in_entries_and_in_bytes() {
        let many = vec![vec![1; 10]; ENTRIES_MAX + 5];
        assert_eq!(Batch::fit(&many, 0, BATCH_LEN_MAX), ENTRIES_MAX);
        assert_eq!(Batch::fit(&many[..3], 0, BATCH_LEN_MAX), 3);
        assert_eq!(Batch::fit(&many, 0, 100), 2);
        assert_eq!(Batch::fit(&many, 0, 1), 1, "one entry always goes");
        assert_eq!(Batch::fit(&[], 0, 1), 0);
    }

    #[test]
    fn what_fits_is_no_longer_than_asked_for() {
        let collaboration = CollaborationId::new(uuid::Uuid::from_u128(1));
        for len in [0, 23, 24, 255, 256, 65_536, 1 << 20] {
            let entries = vec![vec![7; len]; 300];
            let count = Batch::fit(&entries, 300, BATCH_LEN_MAX);
            let entries = entries[..count].to_vec();
            let checkpoint = Some("n".repeat(300));
            let batch = Batch { collaboration, first: u64::MAX >> 11, entries, checkpoint };
            assert!(batch.encode().len() <= BATCH_LEN_MAX, "{len}");
        }
    }

    #[test]
    fn the_golden_batches_are_written_byte_by_byte() {
        let wire = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire/vectors");
        let read = |name: String| std::fs::read(wire.join(name)).unwrap();
        let index: serde_json::Value =
            serde_json::from_slice(&read("mirror-v1/index.json".to_owned())).unwrap();
        let batches = index["batches"].as_array().unwrap();
        assert_eq!(batches.len(), 4);
        for golden in batches {
            let text = |field: &str| golden[field].as_str().unwrap().to_owned();
            let number = |field: &str| golden[field].as_u64().unwrap();
            let bytes = |item: &Value| {
                if let Value::Bytes(bytes) = item { bytes.clone() } else { panic!("an entry") }
            };
            let (first, size) = (number("first"), number("size"));
            let body = read(format!("mirror-v1/{}", text("file")));
            let Value::Array(parts) = codec::decode(&body).unwrap() else { panic!("a batch") };
            let checkpoint = match &parts[3] {
                Value::Null => None,
                Value::Text(note) => Some(note.clone()),
                _ => panic!("a checkpoint"),
            };
            let collaboration = CollaborationId::new(uuid::Uuid::from_u128(1));
            let Value::Array(items) = &parts[2] else { panic!("entries") };
            let entries: Vec<_> = items.iter().map(bytes).collect();
            let batch = Batch { collaboration, first, entries, checkpoint };
            assert_eq!(batch.size(), size);
            assert_eq!(batch.encode(), body);
            assert_eq!(Digest::of(&body).to_hex(), text("sha256"));
            assert_eq!(Digest::of(text("text").as_bytes()).to_hex(), text("claims_digest"));
        }
    }
}
