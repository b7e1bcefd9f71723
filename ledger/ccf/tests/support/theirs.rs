//! Microsoft's `ccf` and `scitt-cose`, by way of `python/check.py`. For the tests of this crate and of `audit`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// The Python that `./test` installed the requirements into.
fn python(root: &Path) -> PathBuf {
    let python = std::env::var_os("CHANCERY_CCF_PYTHON")
        .map_or_else(|| root.join(".venv-ccf/bin/python"), PathBuf::from);
    assert!(
        python.exists(),
        "{} is missing: run ./test, which installs it, or set CHANCERY_CCF_PYTHON to a Python with \
         ledger/ccf/tests/python/requirements.txt",
        python.display()
    );
    python
}

/// Has the script answer `requests`, each of the form that it states: for each whether it was accepted.
pub fn ask(requests: &[Json]) -> Vec<bool> {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let root = folders.find(|folder| folder.join("Cargo.lock").exists()).unwrap();
    let mut child = Command::new(python(root))
        .arg(root.join("ledger/ccf/tests/python/check.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let input = serde_json::to_vec(requests).unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "check.py failed: is ccf installed? See its output");
    let answers: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), requests.len());
    answers.iter().map(Json::is_null).collect()
}
