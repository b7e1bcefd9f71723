//! Runs what the README tells a newcomer to type.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::path::Path;
use std::process::Command;

use chancery_tests::{chancery, root};

/// The port that `chancery dev` listens on where nothing else is said.
const PORT: u16 = 8787;

/// The lines of the shell block that follows `<!-- test: name -->`.
fn block(readme: &str, name: &str) -> String {
    let (_, after) = readme.split_once(&format!("<!-- test: {name} -->")).unwrap();
    let (_, block) = after.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_first_steps_by_hand() {
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", PORT)).is_err(),
        "port {PORT} is in use; is a demo up? stop it first"
    );
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(
        root().canonicalize().unwrap().join("deploy"),
        folder.path().join("deploy"),
    )
    .unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let steps = block(&readme, "by-hand");
    let built = "cargo build --bin chancery\n";
    assert!(steps.contains(built));
    // Built already; and the server ends with the test.
    let steps = steps.replace(built, "").replace("my-room &\n", "my-room &\ntrap 'kill %1' EXIT\n");
    let program = chancery().canonicalize().unwrap();
    let path =
        format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("timeout")
        .args(["120", "bash", "-euo", "pipefail", "-c", &steps])
        .env("PATH", path)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("VERIFIED") && said.contains("flights"), "{said}");
}

#[test]
fn the_files_that_the_readme_names_are_there() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    for (link, _) in links.filter(|(link, _)| !link.contains("://")) {
        assert!(Path::new(&root()).join(link).exists(), "README links to {link}");
    }
}
