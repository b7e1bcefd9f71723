//! A CCF receipt verified.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery_ccf::cose::MESSAGE_LEN_MAX;
use chancery_ccf::receipt::{Expected, RECEIPT_LEN_MAX, Receipt};

use super::{read, service_certificate, show};
use crate::failure::Result;
use crate::output;

/// Verifies a receipt and tells what it proves.
///
/// # Errors
///
/// Where a file can't be read.
pub fn run(
    file: &Path,
    certificate: &Path,
    endorsements: &[PathBuf],
    expected: &Expected,
) -> Result<ExitCode> {
    let service = service_certificate(certificate)?;
    let bytes = read(file, RECEIPT_LEN_MAX)?;
    let chain =
        endorsements.iter().map(|file| read(file, MESSAGE_LEN_MAX)).collect::<Result<Vec<_>>>()?;
    let proven =
        Receipt::parse(&bytes).and_then(|receipt| receipt.verify(&service, &chain, expected));
    output::answer(
        &show::receipt_json(&proven, &service),
        &show::receipt_text(&proven, &service, expected),
    )?;
    Ok(proven.map_or_else(|error| error.exit_code(), |_| 0).into())
}
