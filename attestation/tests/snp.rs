//! Reports of two real machines: what they say, and that nothing of them can be changed.
//!
//! `tests/fixtures`: public attestation of a confidential container (`caci`) and a confidential VM
//! (`cvm`), both on Milan, with AMD's certificates.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use chancery_attestation::{EvidenceError, snp, verify};
use chancery_governance::clean_room::Tcb;
use chancery_governance::run::{Evidence, Platform};
use chancery_ledger::digest::Digest;

const ASK: &[u8] = include_bytes!("fixtures/ask-milan.der");
const ARK: &[u8] = include_bytes!("fixtures/ark-milan.der");

struct Machine {
    report: Vec<u8>,
    vcek: Vec<u8>,
}

fn caci() -> Machine {
    let report = include_bytes!("fixtures/caci-report.bin").to_vec();
    Machine { report, vcek: include_bytes!("fixtures/caci-vcek.der").to_vec() }
}

fn cvm() -> Machine {
    let report = include_bytes!("fixtures/cvm-report.bin").to_vec();
    Machine { report, vcek: include_bytes!("fixtures/cvm-vcek.der").to_vec() }
}

impl Machine {
    fn evidence(&self) -> Evidence {
        snp::evidence(&self.report, [&self.vcek, ASK, ARK])
    }

    fn hex(&self, from: usize, len: usize) -> String {
        chancery_ledger::digest::hex(&self.report[from..from + len])
    }
}

#[test]
fn a_report_says_what_its_bytes_say() {
    let least = Tcb { bootloader: 4, tee: 0, snp: 24, microcode: 219 };
    for machine in [caci(), cvm()] {
        let verdict = verify(&machine.evidence()).unwrap();
        assert_eq!(verdict.platform, Platform::SevSnp);
        assert_eq!(verdict.measurement, Digest::of(&machine.report[0x90..0xc0]));
        assert_eq!(verdict.report_data.to_hex(), machine.hex(0x50, 32));
        assert_eq!(verdict.claims.tcb, Some(least));
        assert_eq!(verdict.claims.debug, Some(false));
        assert_eq!(verdict.claims.engine, None);
    }
    // A container's host data is its policy's digest; a plain VM has none.
    let host_data = verify(&caci().evidence()).unwrap().claims.host_data.unwrap();
    assert_eq!(host_data.to_hex(), caci().hex(0xc0, 32));
    assert_eq!(verify(&cvm().evidence()).unwrap().claims.host_data, None);
}

#[test]
fn no_bit_of_what_is_signed_can_change() {
    let machine = caci();
    for at in 0..0x2a0 + 2 * 72 {
        let mut report = machine.report.clone();
        report[at] ^= 1;
        let changed = Machine { report, ..caci() };
        assert!(verify(&changed.evidence()).is_err(), "byte {at:#x}");
    }
}

#[test]
fn no_byte_of_a_certificate_can_change() {
    let machine = caci();
    let certificates = [machine.vcek.as_slice(), ASK, ARK];
    for which in 0..3 {
        for at in (0..certificates[which].len()).step_by(7) {
            let mut changed = certificates[which].to_vec();
            changed[at] ^= 1;
            let mut all = certificates;
            all[which] = &changed;
            let evidence = snp::evidence(&machine.report, all);
            assert!(verify(&evidence).is_err(), "certificate {which}, byte {at}");
        }
    }
}

#[test]
fn another_chips_certificate_is_refused_and_so_is_another_order() {
    let (caci, cvm) = (caci(), cvm());
    let refused = |report: &[u8], all: [&[u8]; 3]| verify(&snp::evidence(report, all)).unwrap_err();
    let other = refused(&caci.report, [&cvm.vcek, ASK, ARK]);
    assert_eq!(other, EvidenceError::Snp("the report's signature is not the chip's"));
    let root = refused(&caci.report, [&caci.vcek, ARK, ASK]);
    assert_eq!(root, EvidenceError::Snp("the chain ends at no root of AMD that is known here"));
    let issuer = refused(&caci.report, [&caci.vcek, ARK, ARK]);
    assert_eq!(issuer, EvidenceError::Snp("a certificate names another issuer"));
    let signer = refused(&caci.report, [ASK, ASK, ARK]);
    assert!(matches!(signer, EvidenceError::Snp(_)), "{signer}");
}

#[test]
fn what_is_no_document_is_refused() {
    let machine = caci();
    let all = [machine.vcek.as_slice(), ASK, ARK];
    let of = |document: &str| Evidence { kind: snp::KIND.into(), document: document.into() };
    for document in ["", "!", "oA", &format!("{}AA", machine.evidence().document)] {
        assert!(matches!(verify(&of(document)), Err(EvidenceError::Malformed(_))), "{document:.8}");
    }
    for report in [&machine.report[1..], &[], &[machine.report.as_slice(), &[0]].concat()] {
        let refused = verify(&snp::evidence(report, all));
        assert_eq!(refused, Err(EvidenceError::Malformed("a report of another length")));
    }
    let long = vec![0; snp::CERTIFICATE_LEN_MAX + 1];
    let refused = verify(&snp::evidence(&machine.report, [&long, ASK, ARK]));
    assert_eq!(refused, Err(EvidenceError::Malformed("not three certificates")));
}
