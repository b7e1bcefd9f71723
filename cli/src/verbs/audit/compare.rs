//! Two bundles held against one another.

use std::path::Path;
use std::process::ExitCode;

use chancery_audit::Options;
use chancery_audit::diff::{self, Side};
use chancery_audit::render::{diff_json, render_diff};
use chancery_ledger::digest::Digest;

use super::verify::open;
use crate::client::clock::random;
use crate::failure::{OrFail as _, Result};
use crate::output::{self, Format, WIDTH};

/// Compares two bundles.
///
/// # Errors
///
/// Where one can't be opened.
pub fn run(a: &Path, b: &Path, service_key: Option<Digest>) -> Result<ExitCode> {
    // So that a file that is not there is named as such.
    drop((open(a)?, open(b)?));
    let options = Options { service_key, seed: random()?, ..Options::default() };
    let file = |side| std::fs::File::open(if side == Side::A { a } else { b });
    let failed = || format!("Can't compare {} and {}", a.display(), b.display());
    let diff = diff::diff(file, &options).or_unreadable(failed)?;
    output::print(&match output::format() {
        Format::Text => {
            let text = render_diff(&diff, WIDTH);
            format!("{text}\nA is {}\nB is {}\n", a.display(), b.display())
        }
        Format::Json => diff_json(&diff),
    })?;
    Ok(diff.exit_code().into())
}
