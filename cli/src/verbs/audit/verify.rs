//! A bundle verified and told.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery_audit::render::{render_html, render_json, render_text};
use chancery_audit::{Moment, Options, View, verify};
use chancery_ledger::digest::Digest;
use chancery_ledger::note::Policy;

use super::ccf::service_certificate;
use super::landing::Landing;
use crate::client::clock::random;
use crate::failure::{Failure, OrFail as _, Result};
use crate::output::{self, Format, WIDTH};

/// What is wanted of a verification.
#[derive(Debug)]
pub struct Wanted {
    /// The id that the service's key must have.
    pub service_key: Option<Digest>,
    /// The witnesses, and how many of them must have cosigned.
    pub witnesses: Option<Policy>,
    /// The certificates of the mirror's services, as files.
    pub mirrors: Vec<PathBuf>,
    /// Where to write the page.
    pub html: Option<PathBuf>,
    /// The moment to tell.
    pub at: Option<Moment>,
    /// Where the lists begin.
    pub from: u64,
}

/// Verifies a bundle and tells what came of it.
///
/// # Errors
///
/// Where the bundle can't be opened, or the page not be written.
pub fn run(file: &Path, wanted: Wanted) -> Result<ExitCode> {
    let bundle = open(file)?;
    let mirrors = wanted.mirrors.iter().map(|pem| service_certificate(pem));
    let mirrors = mirrors.collect::<Result<Vec<_>>>()?;
    // Opened first: better to fail now than after a long verification.
    let page = wanted.html.as_deref().map(|html| landing(html, file)).transpose()?;
    let Wanted { service_key, witnesses, html, at, from, .. } = wanted;
    let view = View { from, at, ..View::default() };
    let options =
        Options { service_key, witnesses, mirrors, view, seed: random()?, ..Options::default() };
    let report = verify(bundle, &options);
    if let Some(mut page) = page {
        page.push(render_html(&report).as_bytes())?;
        page.land()?;
    }
    output::print(&match output::format() {
        Format::Text => render_text(&report, WIDTH),
        Format::Json => render_json(&report),
    })?;
    if let Some(html) = &html {
        output::note(&format!("The report as a page to print: {}", html.display()));
    }
    Ok(report.verdict.exit_code().into())
}

/// Opens a bundle.
pub fn open(file: &Path) -> Result<File> {
    File::open(file).or_unreadable(|| format!("Can't read {}", file.display()))
}

/// Begins the page, which must not take the bundle's place.
fn landing(html: &Path, bundle: &Path) -> Result<Landing> {
    let same = fs::canonicalize(html)
        .is_ok_and(|html| fs::canonicalize(bundle).is_ok_and(|bundle| bundle == html));
    if same {
        let why = format!("{} is the bundle itself", html.display());
        return Err(Failure::usage("html_over_bundle", "The page would replace the bundle", why));
    }
    Landing::open(html)
}
