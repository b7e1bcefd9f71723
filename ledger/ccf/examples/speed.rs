//! How fast a ledger is verified, here and by Microsoft's `ccf`, in turns on the same files.
//!
//! ```sh
//! cargo run --release -p chancery-ccf --example speed -- LEDGER SERVICE_CERT.pem PYTHON [ROUNDS]
//! ```
//!
//! PYTHON is one with `tests/python/requirements.txt`. Both read the files from disk in each round; the
//! time that Python takes to start and to import is not counted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "an example"
)]
#![allow(clippy::disallowed_methods, reason = "it takes the time")]

use std::fs::File;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use chancery_ccf::certificate::Certificate;
use chancery_ccf::chunk::{Name, Range};
use chancery_ccf::ledger::{Options, verify};
use chancery_ccf::verdict::Verdict;

const THEIRS: &str = r"
import sys, time
import ccf.ledger
started = time.perf_counter()
validator = ccf.ledger.LedgerValidator()
for transaction in ccf.ledger.Ledger([sys.argv[1]]).transactions():
    validator.add_transaction(transaction)
print(time.perf_counter() - started)
";

fn chunks(folder: &Path) -> Vec<(Range, PathBuf)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut chunks: Vec<_> = files
        .filter_map(|path| match Name::parse(path.file_name().unwrap().to_str().unwrap()) {
            Name::Chunk(range) => Some((range, path)),
            _ => None,
        })
        .collect();
    chunks.sort();
    chunks
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [folder, certificate, python, rounds @ ..] = arguments.as_slice() else {
        println!("LEDGER SERVICE_CERT.pem PYTHON [ROUNDS]");
        return;
    };
    let rounds: usize = rounds.first().map_or(5, |text| text.parse().unwrap());
    let service = Certificate::from_pem(&std::fs::read_to_string(certificate).unwrap()).unwrap();
    let chunks = chunks(Path::new(folder));
    let ours = |threads: Option<usize>| {
        let options = Options { threads: threads.and_then(NonZero::new), reaches: None };
        let started = Instant::now();
        let files = chunks.iter().map(|(range, path)| (*range, File::open(path)));
        let report = verify(files, &service, &options, |_| {});
        assert_eq!(report.verdict, Verdict::Verified);
        (report.transactions, started.elapsed().as_secs_f64())
    };
    let mut ratios = Vec::new();
    println!("round  python s  one core s  all cores s  ratio one  ratio all");
    for round in 1..=rounds {
        let output = Command::new(python).args(["-c", THEIRS, folder]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let ((_, one), (transactions, all)) = (ours(Some(1)), ours(None));
        let (first, second) = (theirs / one, theirs / all);
        println!(
            "{round:>5}  {theirs:>8.3}  {one:>10.4}  {all:>11.4}  {first:>9.1}  {second:>9.1}"
        );
        ratios.push((second, transactions as f64 / all, transactions as f64 / theirs));
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, ours, theirs) = ratios[ratios.len() / 2];
    println!("median ratio {ratio:.1}: {ours:.0} transactions/s here, {theirs:.0} by ccf");
}
