//! A CCF ledger's files verified, and a bundle's entries looked for in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery_audit::bundle::{Item, Reader};
use chancery_audit::{Options as BundleOptions, verify as verify_bundle};
use chancery_ccf::certificate::Certificate;
use chancery_ccf::chunk::{Name, Range};
use chancery_ccf::entry::Entry;
use chancery_ccf::ledger::{Options, Report, verify};
use chancery_ccf::mirror::{Log, Mirror, Mirrored};
use chancery_ccf::snapshot;
use chancery_ccf::txid::TxId;
use chancery_ccf::verdict::{Check, Finding, Verdict, causes};
use chancery_ledger::digest::Digest;
use chancery_ledger::merkle::leaf_hash;

use super::{service_certificate, show};
use crate::client::clock::random;
use crate::failure::{Failure, OrFail as _, Result};
use crate::output;

/// Most files in a ledger's folders.
const FILES_MAX: usize = 1_000_000;

/// What is wanted of an audit of a ledger.
#[derive(Debug)]
pub struct Wanted {
    /// The ledger's folder.
    pub dir: PathBuf,
    /// Another folder with snapshots.
    pub snapshots: Option<PathBuf>,
    /// The service's certificate.
    pub certificate: PathBuf,
    /// A bundle whose entries must be in it.
    pub bundle: Option<PathBuf>,
    /// The id that the bundle's service key must have.
    pub service_key: Option<Digest>,
    /// A transaction that the ledger must reach.
    pub reaches: Option<TxId>,
}

/// The files that were found, by what their names say.
#[derive(Debug, Default)]
struct Files {
    chunks: BTreeMap<Range, PathBuf>,
    snapshots: BTreeMap<(u64, u64), PathBuf>,
    uncommitted: u64,
}

/// What came of it all, to be shown.
#[derive(Debug)]
pub struct Told {
    /// The verdict over everything.
    pub verdict: Verdict,
    /// The ledger's own.
    pub report: Report,
    /// Snapshots that verify.
    pub snapshots: u64,
    /// Files that are not committed, and not read.
    pub uncommitted: u64,
    /// The log that was looked for.
    pub mirrored: Option<Mirrored>,
}

/// Verifies a ledger and tells what came of it.
///
/// # Errors
///
/// Where a folder or file can't be read, or the bundle is not one that verifies.
pub fn run(wanted: &Wanted) -> Result<ExitCode> {
    let service = service_certificate(&wanted.certificate)?;
    let mut files = Files::default();
    files.gather(&wanted.dir)?;
    if let Some(snapshots) = &wanted.snapshots {
        files.gather(snapshots)?;
    }
    if files.chunks.is_empty() {
        let what = format!("There is no ledger in {}", wanted.dir.display());
        let why = "no file is named as in ledger_1-10.committed";
        return Err(Failure::unreadable(what, why));
    }
    let log =
        wanted.bundle.as_deref().map(|bundle| log_of(bundle, wanted.service_key)).transpose()?;
    let options = Options { reaches: wanted.reaches, threads: None };
    let told = files.audit(&service, &options, log);
    output::answer(&show::ledger_json(&told), &show::ledger_text(&told))?;
    Ok(told.verdict.exit_code().into())
}

impl Files {
    /// Those of a folder, and of `ledger` and `snapshots` in it.
    fn gather(&mut self, dir: &Path) -> Result<()> {
        self.gather_one(dir)?;
        for inside in ["ledger", "snapshots"] {
            let inside = dir.join(inside);
            if inside.is_dir() {
                self.gather_one(&inside)?;
            }
        }
        Ok(())
    }

    fn gather_one(&mut self, dir: &Path) -> Result<()> {
        let failed = || format!("Can't read {}", dir.display());
        for entry in fs::read_dir(dir).or_unreadable(failed)? {
            let entry = entry.or_unreadable(failed)?;
            match Name::parse(&entry.file_name().to_string_lossy()) {
                Name::Chunk(range) => drop(self.chunks.insert(range, entry.path())),
                Name::Snapshot { seqno, evidence } => {
                    self.snapshots.insert((seqno, evidence), entry.path());
                }
                Name::Uncommitted => self.uncommitted += 1,
                Name::Other => {}
            }
            if self.chunks.len() + self.snapshots.len() > FILES_MAX {
                return Err(Failure::unreadable(failed(), format!("more than {FILES_MAX} files")));
            }
        }
        Ok(())
    }

    fn audit(self, service: &Certificate, options: &Options, log: Option<Log>) -> Told {
        let chunks = self.chunks.iter().map(|(range, path)| (*range, File::open(path)));
        let mut mirror = log.map(Mirror::of);
        let evidence: BTreeSet<_> = self.snapshots.keys().map(|(_, evidence)| *evidence).collect();
        let mut leaves = BTreeMap::new();
        let report = verify(chunks, service, options, |entry: &Entry<'_>| {
            if evidence.contains(&entry.id.seqno) {
                leaves.insert(entry.id.seqno, entry.leaf());
            }
            if let Some(mirror) = &mut mirror {
                mirror.observe(entry);
            }
        });
        let signed = report.signed.map_or(0, |(id, _)| id.seqno);
        let mirrored = mirror.map(|mirror| mirror.finish(signed));
        let mut verdict = report.verdict.clone();
        let mut snapshots = 0;
        if verdict.exit_code() != 1 && verdict.exit_code() != 3 {
            let mut services: Vec<_> = vec![service.clone()];
            services.extend(
                report.epochs.iter().filter(|it| it.endorsed).map(|it| it.certificate.clone()),
            );
            let (count, finding) = self.snapshots(&services, &leaves, signed);
            snapshots = count;
            for found in finding.into_iter().chain(mirrored.as_ref().and_then(judge)) {
                verdict = worse(verdict, found);
            }
        }
        Told { verdict, report, snapshots, uncommitted: self.uncommitted, mirrored }
    }

    /// How many snapshots verify, and what is wrong with the first that does not.
    fn snapshots(
        &self,
        services: &[Certificate],
        leaves: &BTreeMap<u64, Digest>,
        signed: u64,
    ) -> (u64, Option<Verdict>) {
        let mut count = 0;
        for ((seqno, evidence), path) in &self.snapshots {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let told =
                |detail: String| Finding::at(Check::Snapshot, *seqno, format!("{name}: {detail}"));
            let verified = match File::open(path) {
                Ok(file) => snapshot::verify(file, *seqno, *evidence, services),
                Err(error) => Err(error.into()),
            };
            match verified {
                Err(error) => {
                    let finding = told(causes(&error));
                    let verdict = match error {
                        snapshot::SnapshotError::Io(_) => Verdict::Unreadable(finding),
                        snapshot::SnapshotError::Truncated => Verdict::Incomplete(finding),
                        _ => Verdict::Tampered(finding),
                    };
                    return (count, Some(verdict));
                }
                Ok(proven)
                    if *evidence <= signed && proven.leaf != leaves.get(evidence).copied() =>
                {
                    let detail = format!("transaction {evidence} of the ledger is another");
                    return (count, Some(Verdict::Tampered(told(detail))));
                }
                Ok(_) => count += 1,
            }
        }
        (count, None)
    }
}

/// The verdict on a log in a ledger that is sound.
fn judge(mirrored: &Mirrored) -> Option<Verdict> {
    if let Some((id, detail)) = &mirrored.problem {
        return Some(Verdict::Tampered(Finding::at(Check::Mirror, id.seqno, detail.as_str())));
    }
    let missing = mirrored.missing?;
    let detail = format!(
        "position {missing} of the log is not in the ledger, which has {} of its entries",
        mirrored.size
    );
    Some(Verdict::Incomplete(Finding::of_all(Check::Mirror, detail)))
}

/// The graver of two verdicts, the first where they are the same.
fn worse(first: Verdict, second: Verdict) -> Verdict {
    let gravity = |verdict: &Verdict| match verdict {
        Verdict::Verified => 0,
        Verdict::Incomplete(_) => 1,
        Verdict::Unreadable(_) => 2,
        Verdict::Tampered(_) => 3,
    };
    if gravity(&second) > gravity(&first) { second } else { first }
}

/// The entries of a bundle, which must verify first.
fn log_of(bundle: &Path, service_key: Option<Digest>) -> Result<Log> {
    let what = || format!("Can't look for the log in {}", bundle.display());
    let open = || File::open(bundle).or_unreadable(what);
    let options = BundleOptions { service_key, seed: random()?, ..BundleOptions::default() };
    let report = verify_bundle(open()?, &options);
    if report.verdict != chancery_audit::Verdict::Verified {
        let why = format!(
            "the bundle itself is {}: see chancery audit verify {}",
            report.verdict.as_str(),
            bundle.display()
        );
        return Err(match report.verdict.exit_code() {
            1 => Failure::refused("bundle_tampered", what(), why),
            _ => Failure::unreadable(what(), why),
        });
    }
    let mut reader = Reader::open(open()?).or_unreadable(what)?;
    let header = reader.header().clone();
    let (mut leaves, mut position) = (BTreeMap::new(), 0);
    loop {
        match reader.next_item().or_unreadable(what)? {
            Item::Entry(sealed) => {
                leaves.insert(position, leaf_hash(&sealed));
                position += 1;
            }
            Item::Gap(gap) => position = gap.first.saturating_add(gap.count),
            Item::Receipt(_) => {}
            Item::Trailer(_) => break,
        }
    }
    Ok(Log { collaboration: header.collaboration, origin: header.origin, leaves })
}
