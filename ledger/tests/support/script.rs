//! Scripts in the Pythons that `./test` installs. For the tests of this crate, of `ccf` and of `audit`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// A script with the Python that has its requirements. Paths are from the root of the repository.
pub struct Script {
    /// The environment variable that names another Python.
    pub variable: &'static str,
    /// The virtual environment that `./test` made.
    pub environment: &'static str,
    /// Where the script and its `requirements.txt` are.
    pub folder: &'static str,
}

impl Script {
    /// Has `check.py` answer `requests`, each of the form that it states.
    pub fn ask(&self, requests: &[Json]) -> Vec<Json> {
        let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let root = folders.find(|folder| folder.join("Cargo.lock").exists()).unwrap();
        let mut child = Command::new(self.python(root))
            .arg(root.join(self.folder).join("check.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let input = serde_json::to_vec(requests).unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        let output = child.wait_with_output().unwrap();
        let folder = self.folder;
        assert!(output.status.success(), "{folder}/check.py failed: see its output");
        let answers: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answers.len(), requests.len());
        answers
    }

    fn python(&self, root: &Path) -> PathBuf {
        let python = std::env::var_os(self.variable)
            .map_or_else(|| root.join(self.environment).join("bin/python"), PathBuf::from);
        assert!(
            python.exists(),
            "{} is missing: run ./test, which installs it, or set {} to a Python with \
             {}/requirements.txt",
            python.display(),
            self.variable,
            self.folder
        );
        python
    }
}
