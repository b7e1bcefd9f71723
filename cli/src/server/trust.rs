//! The service's keys for secrets and tokens in its data folder: `release.key`, 32 random bytes, and
//! `token.key`, a P-256 key in PKCS#8, each for its owner only.
//!
//! No hardware keeps them here: this process holds them, and the evidence that announces them says so.

use std::path::Path;

use chancery_commands::trust::{TrustKeys, new_release_key, new_token_key};

use crate::failure::{Failure, OrFail as _, Result};
use crate::private_file;

const RELEASE_FILE: &str = "release.key";
const TOKEN_FILE: &str = "token.key";

/// Reads the keys of a data folder, or draws them.
///
/// # Errors
///
/// Where a file can't be drawn, read or written, is open to others, or is no key.
pub fn take(data_dir: &Path) -> Result<TrustKeys> {
    let release = data_dir.join(RELEASE_FILE);
    let bytes = private_file::read_or_draw(&release, || {
        let bytes = new_release_key().or_unreadable(|| "Can't draw a release key".to_owned())?;
        Ok(bytes.to_vec())
    })?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
        let why = format!("{} does not hold 32 bytes", release.display());
        Failure::refused("release_key_damaged", "The release key can't be used", why)
    })?;
    let token = private_file::read_or_draw(&data_dir.join(TOKEN_FILE), || {
        new_token_key().or_unreadable(|| "Can't draw a token key".to_owned())
    })?;
    TrustKeys::new(&bytes, &token)
        .or_unreadable(|| format!("{} is damaged", data_dir.join(TOKEN_FILE).display()))
}
