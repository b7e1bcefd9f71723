//! The processor's own limit: Ed25519 verifications on all cores that do nothing else, by the
//! library that Chancery uses and by ring, which many others do.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use chancery_ledger::codec::{self, Value};
use chancery_ledger::key::PublicKey;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::report::{Sample, Timer};

/// Signatures between two looks at the clock.
const ROUND: usize = 64;

/// Who verifies.
#[derive(Debug, Clone, Copy)]
pub enum Library {
    /// AWS-LC: what Chancery uses.
    AwsLc,
    /// ring.
    Ring,
}

/// A signature to be verified.
pub struct Signature {
    /// By whom.
    pub key: PublicKey,
    /// `Sig_structure`: what was signed.
    pub signed: Vec<u8>,
    /// What the key made of it.
    pub by_key: Vec<u8>,
}

impl Signature {
    /// That of a `COSE_Sign1` (RFC 9052 section 4.4).
    ///
    /// # Errors
    ///
    /// Where `message` is none.
    pub fn of(message: &[u8], key: &PublicKey) -> Result<Self> {
        let body = message.get(1..).context("a tagged message")?;
        let Value::Array(parts) = codec::decode(body)? else { bail!("not COSE_Sign1") };
        let Ok([protected, _, payload, Value::Bytes(signature)]) = <[Value; 4]>::try_from(parts)
        else {
            bail!("not COSE_Sign1")
        };
        let structure =
            Value::Array(vec![Value::text("Signature1"), protected, Value::bytes([]), payload]);
        Ok(Self { key: key.clone(), signed: codec::encode(&structure), by_key: signature })
    }
}

impl Library {
    fn verify(self, it: &Signature) -> Result<()> {
        match self {
            Self::AwsLc => {
                it.key.verify(&it.signed, &it.by_key).context("a signature of the sample")
            }
            Self::Ring => UnparsedPublicKey::new(&ED25519, it.key.bytes())
                .verify(&it.signed, &it.by_key)
                .map_err(|_| anyhow!("ring refuses a signature of the sample")),
        }
    }
}

/// Verifications a second over all cores, each core over all of `signatures` in turn, for `time`.
///
/// # Errors
///
/// Where one does not verify.
pub fn verifications(signatures: &[Signature], time: Duration, library: Library) -> Result<Sample> {
    let cores = std::thread::available_parallelism()?.get();
    let timer = Timer::start();
    let begun = Instant::now();
    let one_core = |core: usize| {
        let mut done = 0_u64;
        let mut next = signatures.iter().cycle().skip(core * signatures.len() / cores);
        loop {
            for it in next.by_ref().take(ROUND) {
                library.verify(it)?;
                done += 1;
            }
            if begun.elapsed() >= time {
                return anyhow::Ok(done);
            }
        }
    };
    let done = std::thread::scope(|scope| {
        let each: Vec<_> = (0..cores).map(|core| scope.spawn(move || one_core(core))).collect();
        each.into_iter()
            .map(|core| core.join().unwrap_or_else(|_| bail!("a thread died")))
            .sum::<Result<u64>>()
    })?;
    Ok(timer.rate(done))
}
