//! What can be checked of an entry before its turn: the arithmetic, on any core.
//!
//! Nothing is decided here. A signature that verifies is noted, with the key that it verifies with;
//! whose key it had to be, the checks in order say, and what is not proven here they check
//! themselves. So no verdict depends on what the directory knows, nor on when it learnt it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use chancery_governance::log::FoldError;
use chancery_governance::replay::Prepared;
use chancery_governance::submission::key_of;
use chancery_ledger::batch::Seed;
use chancery_ledger::cose::{Sign1, verify_each};
use chancery_ledger::entry::{OpenError, Sealed};
use chancery_ledger::key::{KeyId, PublicKey};

/// Most keys that the directory holds. Signatures by later ones are checked in order, on one core.
pub const KEYS_MAX: usize = 1 << 16;

/// The keys that entries brought so far, by id. An id is the hash of its key, so whoever makes an
/// entry can put no key under another's id.
#[derive(Debug)]
pub struct Directory {
    keys: RwLock<HashMap<KeyId, PublicKey>>,
    seed: Seed,
}

/// An entry as it comes to the checks in order.
#[derive(Debug)]
pub struct Opened {
    /// The entry.
    pub sealed: Sealed,
    /// Whether the key that its seal names is known to have sealed it.
    pub seal_proven: bool,
    /// What it says, with the proof that its authority's signature verifies.
    pub prepared: Result<Prepared, FoldError>,
}

impl Directory {
    /// An empty one. `seed` is for signatures that are checked together.
    pub fn new(seed: Seed) -> Self {
        Self { keys: RwLock::default(), seed }
    }

    /// Adds a key.
    pub fn add(&self, key: PublicKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() < KEYS_MAX {
            keys.insert(key.id(), key);
        }
    }

    fn find(&self, id: KeyId) -> Option<PublicKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Reads entries and checks their signatures, as far as their keys are known: all at once.
    ///
    /// Each comes out as what it is, or as the [`OpenError`], but for that of the seal, that makes
    /// its bytes no entry.
    pub fn open(
        &self,
        batch: impl IntoIterator<Item = Vec<u8>>,
    ) -> Vec<Result<Box<Opened>, OpenError>> {
        let mut opened: Vec<Result<(Box<Opened>, Sign1), OpenError>> = batch
            .into_iter()
            .map(|bytes| {
                let (sealed, seal) = Sealed::parse_signed(bytes)?;
                // Before any signature is checked: a later entry may be signed with it.
                if let Some(key) = key_of(sealed.entry()) {
                    self.add(key);
                }
                let prepared = Prepared::all_of(&sealed);
                Ok((Box::new(Opened { sealed, seal_proven: false, prepared }), seal))
            })
            .collect();
        let find = |id| self.find(id);
        let (mut asked, mut signed) = (Vec::new(), Vec::new());
        for (at, opened) in opened.iter().enumerate() {
            let Ok((opened, seal)) = opened else { continue };
            if let Some(key) = find(seal.key_id()) {
                asked.push((at, Asked::Seal));
                signed.push((seal, key));
            }
            let prepared = opened.prepared.as_ref().ok();
            if let Some(authority) = prepared.and_then(|prepared| prepared.signed_by(&find)) {
                asked.push((at, Asked::Authority));
                signed.push(authority);
            }
        }
        let signed: Vec<_> = signed.iter().map(|(message, key)| (*message, key)).collect();
        let proofs = verify_each(&signed, &self.seed);
        for ((at, asked), proof) in asked.into_iter().zip(proofs) {
            let Some(Ok((opened, _))) = opened.get_mut(at) else { continue };
            match (asked, &mut opened.prepared) {
                (Asked::Seal, _) => opened.seal_proven = proof.is_some(),
                (Asked::Authority, Ok(prepared)) => prepared.prove(proof),
                (Asked::Authority, Err(_)) => {}
            }
        }
        opened.into_iter().map(|opened| opened.map(|(opened, _)| opened)).collect()
    }
}

/// Which of an entry's signatures.
enum Asked {
    Seal,
    Authority,
}
