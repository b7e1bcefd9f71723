//! The seeds: golden vectors, bundles, and the statements of the SQL tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chancery_ledger::key::PublicKey;

/// A file of this repository, by its path from the root.
pub fn file(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).unwrap()
}

/// The bytes of the vectors of `folder`, below `docs/wire/vectors`, whose names begin so.
pub fn vectors(folder: &str, prefix: &str) -> Vec<Vec<u8>> {
    named(folder, prefix).into_values().collect()
}

/// The same by what follows in their names, as in `QueryApproved` of `entry-QueryApproved.cbor`.
pub fn named(folder: &str, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = root().join("docs/wire/vectors").join(folder);
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if let Some(rest) = name.strip_prefix(prefix)
            && path.extension().is_none_or(|it| it != "json")
        {
            found.insert(rest.to_owned(), std::fs::read(&path).unwrap());
        }
    }
    assert!(!found.is_empty(), "no vectors {prefix}*");
    found
}

/// The texts of the notes among the vectors of `folder` whose names begin so.
pub fn notes(folder: &str, prefix: &str) -> Vec<String> {
    vectors(folder, prefix).into_iter().map(|note| String::from_utf8(note).unwrap()).collect()
}

/// The public keys that sign the vectors of wire version 1.
pub fn keys() -> Vec<PublicKey> {
    let index: serde_json::Value =
        serde_json::from_slice(&file("docs/wire/vectors/v1/index.json")).unwrap();
    let keys = index["keys"].as_object().unwrap().values();
    keys.map(|key| key["public"].as_str().unwrap().parse().unwrap()).collect()
}

/// The statements in the sources of the tests of the SQL analysis, accepted and refused ones.
pub fn statements() -> Vec<String> {
    const SOURCES: [&str; 5] = ["accepted", "floors", "literals", "properties", "refused_corpus"];
    let sources = SOURCES.map(|name| file(&format!("governance/src/sql/tests/{name}.rs")));
    let refused = String::from_utf8(file("governance/src/sql/tests/refused.txt")).unwrap();
    let texts = sources.iter().flat_map(|source| strings(std::str::from_utf8(source).unwrap()));
    // The texts of the refusal corpus are its indented lines.
    let texts = texts.chain(refused.lines().filter_map(|it| Some(it.strip_prefix("    ")?.into())));
    let texts: Vec<_> = texts.filter(|text| text.to_uppercase().contains("SELECT")).collect();
    assert!(texts.len() > 200, "{} statements", texts.len());
    texts
}

/// The string literals of a Rust source.
fn strings(source: &str) -> Vec<String> {
    let (mut found, mut chars) = (Vec::new(), source.chars().peekable());
    let mut before = ' ';
    while let Some(char) = chars.next() {
        if char == '"' && !(before == '\'' && chars.peek() == Some(&'\'')) {
            let mut text = String::new();
            while let Some(char) = chars.next().filter(|char| *char != '"') {
                text.push(match char {
                    '\\' => match chars.next() {
                        Some('n') => '\n',
                        Some(escaped) => escaped,
                        None => break,
                    },
                    char => char,
                });
            }
            found.push(text);
        }
        before = char;
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
