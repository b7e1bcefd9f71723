//! Holds the arrows of `docs/ARCHITECTURE.md`: which crate may depend on which, and what the pure
//! ones never reach.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use chancery_tests::root;
use serde_json::Value;

/// What of ours each crate may depend on directly, tests aside.
const ARROWS: &[(&str, &[&str])] = &[
    ("chancery-ledger", &[]),
    ("chancery-governance", &["chancery-ledger"]),
    ("chancery-attestation", &["chancery-ledger", "chancery-governance"]),
    ("chancery-sealing", &["chancery-governance"]),
    (
        "chancery-audit",
        &["chancery-ledger", "chancery-governance", "chancery-attestation", "chancery-ccf"],
    ),
    ("chancery-ccf", &["chancery-ledger"]),
    ("chancery-store", &["chancery-ledger"]),
    ("chancery-feed", &["chancery-ledger", "chancery-store"]),
    ("chancery-witness", &["chancery-ledger", "chancery-store"]),
    ("chancery-mirror", &["chancery-ledger", "chancery-store", "chancery-ccf"]),
    ("chancery-projections", &["chancery-ledger", "chancery-governance", "chancery-store"]),
    (
        "chancery-commands",
        &[
            "chancery-ledger",
            "chancery-governance",
            "chancery-attestation",
            "chancery-sealing",
            "chancery-audit",
            "chancery-store",
            "chancery-projections",
            "chancery-mirror",
        ],
    ),
    (
        "chancery-executor",
        &[
            "chancery-ledger",
            "chancery-governance",
            "chancery-attestation",
            "chancery-sealing",
            "chancery-feed",
        ],
    ),
];

/// Crates that do no I/O, with the folder of their sources.
const PURE: &[(&str, &str)] = &[
    ("chancery-ledger", "ledger/src"),
    ("chancery-governance", "governance/src"),
    ("chancery-attestation", "attestation/src"),
    ("chancery-audit", "audit/src"),
    ("chancery-ccf", "ledger/ccf/src"),
];

/// What brings a runtime, a database or a network.
const IMPURE: &[&str] = &[
    "tokio",
    "sqlx",
    "sqlx-core",
    "async-nats",
    "axum",
    "hyper",
    "reqwest",
    "mio",
    "socket2",
    "rustls",
    "async-std",
    "smol",
    "ureq",
    "libsqlite3-sys",
];

/// Ways of the standard library to the world outside.
const OUTSIDE: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread::sleep",
    "SystemRandom",
    "Utc::now",
];

struct Graph {
    names: BTreeMap<String, String>,
    normal: BTreeMap<String, BTreeSet<String>>,
}

/// The platform that this is built for. Crates of others are not on a fresh machine.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

fn graph() -> Graph {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", &host()])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let names = packages.iter().map(|it| (text(&it["id"]), text(&it["name"]))).collect();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let normal = nodes
        .iter()
        .map(|node| {
            let dependencies = node["deps"].as_array().unwrap().iter().filter(|dependency| {
                dependency["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            });
            (text(&node["id"]), dependencies.map(|it| text(&it["pkg"])).collect())
        })
        .collect();
    Graph { names, normal }
}

impl Graph {
    fn id(&self, name: &str) -> &str {
        self.names.iter().find(|(_, other)| *other == name).unwrap().0
    }

    fn direct(&self, name: &str) -> BTreeSet<&str> {
        self.normal[self.id(name)].iter().map(|id| self.names[id].as_str()).collect()
    }

    fn reached(&self, name: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.id(name)];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.normal[id].iter().map(String::as_str));
            }
        }
        seen.into_iter().map(|id| self.names[id].as_str()).collect()
    }
}

#[test]
fn every_crate_depends_on_those_of_ours_that_it_may() {
    let graph = graph();
    for (name, allowed) in ARROWS {
        let ours: BTreeSet<_> =
            graph.direct(name).into_iter().filter(|it| it.starts_with("chancery")).collect();
        let allowed: BTreeSet<_> = allowed.iter().copied().collect();
        assert!(ours.is_subset(&allowed), "{name} depends on {ours:?}, and may on {allowed:?}");
    }
}

#[test]
fn every_library_of_ours_stands_in_the_list() {
    let graph = graph();
    let listed: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    for name in graph.names.values().filter(|name| name.starts_with("chancery-")) {
        let tests = ["chancery-tests", "chancery-fuzz", "chancery-bench"].contains(&name.as_str());
        assert!(tests || listed.contains(name.as_str()), "{name} has no arrows");
    }
}

#[test]
fn the_pure_crates_reach_no_runtime_database_or_network() {
    let graph = graph();
    for (name, _) in PURE {
        let reached = graph.reached(name);
        for impure in IMPURE {
            assert!(!reached.contains(impure), "{name} reaches {impure}");
        }
    }
}

#[test]
fn the_pure_crates_name_no_way_out_of_the_process() {
    for (name, folder) in PURE {
        for (path, text) in sources(&root().join(folder)) {
            for outside in OUTSIDE {
                assert!(!text.contains(outside), "{name}: {path} names {outside}");
            }
        }
    }
}

#[test]
fn only_the_codec_touches_ciborium() {
    for folder in [
        "ledger",
        "governance",
        "attestation",
        "audit",
        "projections",
        "commands",
        "executor",
        "cli",
    ] {
        for (path, text) in sources(&root().join(folder)) {
            let codec = path.ends_with("ledger/src/codec.rs");
            assert!(codec || !text.contains("ciborium::"), "{path} touches ciborium");
        }
    }
}

/// The Rust sources below a folder, each up to its test module; without its examples, which are
/// programs of their own.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "target", "examples"].contains(&name.as_str()) {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") && name != "tests.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            found.push((path.to_string_lossy().into_owned(), production));
        }
    }
    found
}
