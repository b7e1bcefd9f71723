//! The report: AMD 56860, table 23.

use chancery_governance::clean_room::Tcb;
use ring::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

use crate::EvidenceError;

/// Bytes of a report.
const LEN: usize = 0x4a0;
/// What of it is signed.
const SIGNED: usize = 0x2a0;
/// Bytes of a number of the signature, least significant first; P-384 fills 48 of them.
const NUMBER_LEN: usize = 72;
const P384_LEN: usize = 48;
const ECDSA_P384_SHA384: u32 = 1;
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=5;
const DEBUG: u64 = 1 << 19;
/// Which key signed: bits 2 to 4 of the flags; 0 is the VCEK.
const SIGNING_KEY: u32 = 0b1_1100;

/// What of a report is read.
pub struct Report {
    signed: Vec<u8>,
    signature: Vec<u8>,
    pub debug: bool,
    pub vmpl: u32,
    pub data: [u8; 64],
    pub measurement: [u8; 48],
    pub host_data: [u8; 32],
    pub tcb: Tcb,
    pub chip: [u8; 64],
}

impl Report {
    pub fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let whole: &[u8; LEN] =
            bytes.try_into().map_err(|_| EvidenceError::Malformed("a report of another length"))?;
        if !VERSIONS.contains(&u32::from_le_bytes(at(whole, 0x00))) {
            return Err(EvidenceError::Snp("a report of a version that is not known"));
        }
        if u32::from_le_bytes(at(whole, 0x34)) != ECDSA_P384_SHA384 {
            return Err(EvidenceError::Snp("another signature than ECDSA on P-384 with SHA-384"));
        }
        if u32::from_le_bytes(at(whole, 0x48)) & SIGNING_KEY != 0 {
            return Err(EvidenceError::Snp("another key than the chip's VCEK signed"));
        }
        let mut signature = Vec::with_capacity(2 * P384_LEN);
        for number in [SIGNED, SIGNED + NUMBER_LEN] {
            let number: [u8; NUMBER_LEN] = at(whole, number);
            let (low, high) = number.split_at(P384_LEN);
            if high.iter().any(|byte| *byte != 0) {
                return Err(EvidenceError::Malformed("a signature that is too large"));
            }
            signature.extend(low.iter().rev());
        }
        Ok(Self {
            signed: whole[..SIGNED].to_vec(),
            signature,
            debug: u64::from_le_bytes(at(whole, 0x08)) & DEBUG != 0,
            vmpl: u32::from_le_bytes(at(whole, 0x30)),
            data: at(whole, 0x50),
            measurement: at(whole, 0x90),
            host_data: at(whole, 0xc0),
            tcb: tcb(at(whole, 0x180)),
            chip: at(whole, 0x1a0),
        })
    }

    /// Checks that the key, an uncompressed point, signed it.
    pub fn check_signature(&self, key: &[u8]) -> Result<(), EvidenceError> {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
            .verify(&self.signed, &self.signature)
            .map_err(|_| EvidenceError::Snp("the report's signature is not the chip's"))
    }
}

/// The reported TCB of Milan and Genoa; later families order it otherwise, and their roots are not
/// pinned.
fn tcb(bytes: [u8; 8]) -> Tcb {
    let [bootloader, tee, .., snp, microcode] = bytes;
    Tcb {
        bootloader: bootloader.into(),
        tee: tee.into(),
        snp: snp.into(),
        microcode: microcode.into(),
    }
}

/// `N` bytes at a place that the report's length holds.
fn at<const N: usize>(whole: &[u8; LEN], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&whole[from..from + N]);
    bytes
}
