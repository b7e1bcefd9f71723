//! A CCF network that was made up: services, nodes, ledger files, receipts and snapshots, by keys of
//! our own and without a clock or randomness. What it writes, Microsoft's `ccf` takes: `python.rs`.

#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

pub mod network;
pub mod x509;

use std::path::{Path, PathBuf};

use chancery_ledger::digest::Digest;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::signature::hazmat::PrehashSigner as _;
use p384::ecdsa::{Signature, SigningKey};

/// A file that was recorded from a real CCF node (see `vectors/README.md`).
pub fn vector(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

/// The folder with the whole recording, 3 MB, where `CHANCERY_FIXTURES` names one.
pub fn fixtures() -> Option<PathBuf> {
    let found = std::env::var_os("CHANCERY_FIXTURES").map(|it| PathBuf::from(it).join("ccf"));
    let found = found.filter(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: CHANCERY_FIXTURES names no folder with ccf in it");
    }
    found
}

/// A key on P-384.
#[derive(Clone)]
pub struct Key(SigningKey);

impl Key {
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 48]).unwrap())
    }

    pub fn spki(&self) -> Vec<u8> {
        let head = [
            0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
        ];
        [&head, self.0.verifying_key().to_encoded_point(false).as_bytes()].concat()
    }

    pub fn id(&self) -> Digest {
        Digest::of(&self.spki())
    }

    /// ECDSA with SHA-384, DER.
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_der().as_bytes().to_vec()
    }

    /// ECDSA with SHA-384, `r || s`.
    pub fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().to_vec()
    }

    /// ECDSA over a digest as it is, DER.
    pub fn sign_digest(&self, digest: &Digest) -> Vec<u8> {
        let signature: Signature = self.0.sign_prehash(digest.as_bytes()).unwrap();
        signature.to_der().as_bytes().to_vec()
    }
}
