//! Result files held against a bundle.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery_audit::render::{render_result, result_json};
use chancery_audit::result::Candidate;
use chancery_audit::{Options, View, results, verify};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;
use ring::digest::{Context, SHA256};

use super::verify::open;
use crate::client::clock::random;
use crate::failure::{Failure, OrFail as _, Result};
use crate::output::{self, Format, WIDTH};

/// Bytes of a file read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Most files that are held against a bundle at once.
const FILES_MAX: usize = 10_000;
/// Deepest folder within a folder.
const DEPTH_MAX: usize = 16;

/// Holds files against the attested results in a bundle.
///
/// # Errors
///
/// Where a file can't be read.
pub fn run(
    paths: &[PathBuf],
    bundle: &Path,
    run: Option<RunId>,
    service_key: Option<Digest>,
) -> Result<ExitCode> {
    let opened = open(bundle)?;
    let mut files = Vec::new();
    for path in paths {
        gather(path, 0, &mut files)?;
    }
    if files.is_empty() {
        let why = "the folders hold no file";
        return Err(Failure::usage("no_files", "There is nothing to check", why));
    }
    let files = files.iter().map(|path| candidate(path)).collect::<Result<Vec<_>>>()?;
    let view = View {
        files: files.iter().map(|file| file.digest).collect(),
        files_of: run,
        ..View::default()
    };
    let options = Options { service_key, view, seed: random()?, ..Options::default() };
    let report = verify(opened, &options);
    let results = results(&report, files);
    output::print(&match output::format() {
        Format::Text => render_result(&report, results.as_ref(), WIDTH),
        Format::Json => result_json(&report, results.as_ref()),
    })?;
    Ok(results.map_or(report.verdict.exit_code(), |results| results.exit_code()).into())
}

/// The files at a path: itself, or those in it. Links are followed where they are named, and not
/// where they are found.
fn gather(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = || format!("Can't read {}", path.display());
    let meta = if depth == 0 { fs::metadata(path) } else { fs::symlink_metadata(path) };
    if !meta.or_unreadable(failed)?.is_dir() {
        files.push(path.to_owned());
    } else if depth == DEPTH_MAX {
        let why = format!("folders lie more than {DEPTH_MAX} deep in one another");
        return Err(Failure::unreadable(failed(), why));
    } else {
        let entries = fs::read_dir(path).or_unreadable(failed)?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut inside = entries.collect::<std::io::Result<Vec<_>>>().or_unreadable(failed)?;
        inside.sort();
        for path in inside {
            gather(&path, depth + 1, files)?;
        }
    }
    if files.len() > FILES_MAX {
        let why = format!("there are more than {FILES_MAX}");
        return Err(Failure::unreadable("Too many files to check at once", why));
    }
    Ok(())
}

/// A file's digest and length, read as a stream.
fn candidate(path: &Path) -> Result<Candidate> {
    let failed = || format!("Can't read {}", path.display());
    if !fs::metadata(path).or_unreadable(failed)?.is_file() {
        return Err(Failure::unreadable(failed(), "it is no regular file"));
    }
    let mut file = File::open(path).or_unreadable(failed)?;
    let (mut context, mut bytes) = (Context::new(&SHA256), 0_u64);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk).or_unreadable(failed)?;
        if read == 0 {
            break;
        }
        context.update(&chunk[..read]);
        bytes = bytes.saturating_add(read as u64);
    }
    let digest = Digest::from_slice(context.finish().as_ref())
        .ok_or_else(|| Failure::unreadable(failed(), "its digest has another length"))?;
    Ok(Candidate { name: path.display().to_string(), digest, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_many_chunks_has_the_digest_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let content = vec![7; 2 * CHUNK_BYTES + 1];
        fs::write(&path, &content).unwrap();
        let candidate = candidate(&path).unwrap();
        assert_eq!(candidate.digest, Digest::of(&content));
        assert_eq!(candidate.bytes, content.len() as u64);
    }

    #[test]
    fn a_folder_means_every_file_in_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        for name in ["c", "a", "b/x", ".hidden"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let mut files = Vec::new();
        gather(dir.path(), 0, &mut files).unwrap();
        let names = [".hidden", "a", "b/x", "c"].map(|name| dir.path().join(name));
        assert_eq!(files, names);
        assert!(gather(&dir.path().join("none"), 0, &mut files).is_err());
    }
}
