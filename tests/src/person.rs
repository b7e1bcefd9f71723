//! One of the demo people, at a terminal.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::chancery;

/// One of the demo people.
pub struct Person {
    /// The profile's folder.
    pub profile: PathBuf,
    /// The server's address.
    pub server: String,
    /// The collaboration, once it is known.
    pub collaboration: Option<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// The document on standard output.
    pub document: Value,
    /// What was said on standard error.
    pub notes: String,
}

impl Person {
    /// Runs a command with `--output json`.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(chancery());
        command.env_remove("CHANCERY_COLLABORATION").env_remove("CHANCERY_PROFILE");
        command.arg("--profile").arg(&self.profile).args(["--output", "json"]);
        command.args(["--server", &self.server]);
        if let Some(collaboration) = &self.collaboration {
            command.args(["--collaboration", collaboration]);
        }
        let output = command.args(arguments).output().expect("chancery runs");
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let document = serde_json::from_str(&said)
            .unwrap_or_else(|_| panic!("{arguments:?} wrote no document: {said}\n{notes}"));
        Outcome { code: output.status.code().unwrap_or(-1), document, notes }
    }

    /// Runs a command that must succeed.
    pub fn does(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {:#}\n{}", outcome.document, outcome.notes);
        outcome.document
    }

    /// Runs a command that must be refused; gives the codes of all reasons.
    pub fn is_refused(&self, arguments: &[&str]) -> Vec<String> {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 1, "{arguments:?}: {:#}\n{}", outcome.document, outcome.notes);
        let reasons = outcome.document["reasons"].as_array().cloned().unwrap_or_default();
        reasons.iter().filter_map(|reason| Some(reason["code"].as_str()?.to_owned())).collect()
    }
}
