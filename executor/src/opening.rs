//! The key that secrets are sealed to, beside the one that signs: 32 random bytes in the state folder,
//! for its owner only. It lives as long as the other, so that what was released to it once can be
//! fetched again after a restart.

use std::io;
use std::path::Path;

use chancery_sealing::{OpeningKey, PRIVATE_LEN};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::key;

const FILE: &str = "opening.key";

/// The key in the state folder, made at the first start.
///
/// # Errors
///
/// Those of the file system, and `InvalidData` where the file holds no key.
pub fn load_or_make(state_dir: &Path) -> io::Result<OpeningKey> {
    let path = state_dir.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut fresh = [0; PRIVATE_LEN];
            SystemRandom::new()
                .fill(&mut fresh)
                .map_err(|_| io::Error::other("the operating system gave no randomness"))?;
            key::put(state_dir, &path, &fresh)?;
            fresh.to_vec()
        }
        Err(error) => return Err(error),
    };
    let bytes: &[u8; PRIVATE_LEN] =
        bytes.as_slice().try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(OpeningKey::derive(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_outlives_the_process_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_make(folder.path()).unwrap();
        assert_eq!(first.public(), load_or_make(folder.path()).unwrap().public());
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(folder.path().join(FILE), "short").unwrap();
        let error = load_or_make(folder.path()).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::InvalidData));
    }
}
