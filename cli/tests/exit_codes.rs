//! The exit codes and the forms of errors, as scripts see them. No server is needed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn chancery(profile: &Path, line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .env_remove("CHANCERY_COLLABORATION")
        .env("CHANCERY_PROFILE", profile)
        .args(line)
        .output()
        .unwrap()
}

fn code(line: &[&str]) -> Option<i32> {
    let dir = tempfile::tempdir().unwrap();
    chancery(&dir.path().join("profile"), line).status.code()
}

#[test]
fn help_is_no_error_and_a_wrong_line_is_64() {
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["query", "--help"]), Some(0));
    assert_eq!(code(&[]), Some(64));
    assert_eq!(code(&["qery"]), Some(64));
    assert_eq!(code(&["query", "reject", "q"]), Some(64), "a comment is wanted");
    assert_eq!(code(&["--server", "http://far.example", "service"]), Some(64));
}

#[test]
fn who_is_not_signed_in_is_refused_and_told_how() {
    let dir = tempfile::tempdir().unwrap();
    let output = chancery(&dir.path().join("profile"), &["whoami"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("why:   not_logged_in") && text.contains("chancery login"), "{text}");
}

#[test]
fn errors_are_one_json_document_too() {
    let dir = tempfile::tempdir().unwrap();
    for (line, wanted, exit) in [
        (&["--output", "json", "whoami"][..], "not_logged_in", 1),
        (&["--output=json", "nonsense"][..], "usage", 64),
        (&["--output", "json", "audit", "verify", "none"][..], "unreadable", 3),
        (&["--output", "json", "--server", "http://127.0.0.1:1", "service"][..], "unreachable", 3),
    ] {
        let output = chancery(&dir.path().join("profile"), line);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["code"], wanted);
        assert_eq!(document["exit_code"], exit);
        assert_eq!(output.status.code(), Some(exit), "{document}");
    }
}

#[test]
fn a_key_is_made_once_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("profile");
    assert_eq!(chancery(&profile, &["key", "show"]).status.code(), Some(1));
    let made = chancery(&profile, &["--output", "json", "key", "generate"]);
    assert_eq!(made.status.code(), Some(0));
    assert_eq!(chancery(&profile, &["key", "generate"]).status.code(), Some(1));
    let shown = chancery(&profile, &["--output", "json", "key", "show"]);
    assert_eq!(shown.stdout, made.stdout);
    let document: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(document["key"].as_str().unwrap().starts_with("EdDSA:"));
}

#[test]
fn a_file_that_is_no_bundle_is_unreadable() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    std::fs::write(&file, "not a bundle").unwrap();
    let output = chancery(dir.path(), &["audit", "verify", &file.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.starts_with(b"UNREADABLE"));
}
