//! JSON files that people write.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use chancery_commands::content::{self, BODY_LEN_MAX};
use serde_json::Value;

use crate::failure::{Exit, Failure, OrFail as _, Result};

/// Reads a file that the service would accept as the content of a command.
///
/// # Errors
///
/// Where it can't be read, or says something in more than one way.
pub fn read(path: &Path) -> Result<Value> {
    let failed = || format!("Can't read {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).or_unreadable(failed)?;
    file.take(BODY_LEN_MAX as u64 + 1).read_to_end(&mut bytes).or_unreadable(failed)?;
    if bytes.len() > BODY_LEN_MAX {
        return Err(Failure::unreadable(failed(), format!("it is over {BODY_LEN_MAX} bytes")));
    }
    content::parse(&bytes).map_err(|problem| {
        Failure::new(Exit::Unreadable, "json_unfit", failed(), problem.document().detail.clone())
    })?;
    serde_json::from_slice(&bytes).or_unreadable(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_could_be_read_in_two_ways_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        std::fs::write(&path, r#"{"a": [1, null]}"#).unwrap();
        assert_eq!(read(&path).unwrap()["a"][0], 1);
        for bad in [r#"{"a":1,"a":2}"#, r#"{"a":0.5}"#, "{", ""] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(read(&path).unwrap_err().code(), "json_unfit", "{bad}");
        }
        assert_eq!(read(&dir.path().join("none")).unwrap_err().code(), "unreadable");
    }
}
