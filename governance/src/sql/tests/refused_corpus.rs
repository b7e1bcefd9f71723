//! `refused.txt`: texts that are refused on their own, over the datasets of the tests.
//!
//! Each one follows the refusals that it gets, one a line: code, clause, `line:column`. A text is
//! indented; `\u{…}` in it is that character, and `\n` ends a line.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::run;
use crate::sql::RefusalCode;

const CORPUS: &str = include_str!("refused.txt");
/// What the corpus must at least hold.
const TEXTS_MIN: usize = 150;

/// A text, and the refusals that it must get.
struct Case {
    refusals: Vec<String>,
    text: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut refusals = Vec::new();
    for line in CORPUS.lines() {
        if let Some(text) = line.strip_prefix("    ") {
            cases.push(Case { refusals: std::mem::take(&mut refusals), text: unescaped(text) });
        } else if !line.is_empty() && !line.starts_with('#') {
            refusals.push(line.to_owned());
        }
    }
    assert!(refusals.is_empty(), "the last refusals have no text");
    cases
}

fn unescaped(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text.replace("\\n", "\n");
    while let Some((before, after)) = rest.split_once("\\u{") {
        let (code, after) = after.split_once('}').unwrap();
        whole.push_str(before);
        whole.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        rest = after.to_owned();
    }
    whole + &rest
}

#[test]
fn each_text_is_refused_with_its_codes_clauses_and_places() {
    let cases = cases();
    assert!(cases.len() >= TEXTS_MIN, "{} texts", cases.len());
    let mut wrong = String::new();
    for Case { refusals, text } in &cases {
        let found: Vec<String> = match run(&[(1, "out", text)], &[]) {
            Ok(analysis) => vec![format!("accepted {}", analysis.segments[0].rewritten)],
            Err(found) => found
                .iter()
                .map(|one| {
                    let clause = one.clause.as_str();
                    format!("{} {clause} {}:{}", one.code, one.line, one.column)
                })
                .collect(),
        };
        if found != *refusals {
            let _ = writeln!(wrong, "{}\n    {}", found.join("\n"), text.escape_debug());
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Codes that no single text gets: they are about the query around it, and have tests of their own.
const ELSEWHERE: &[RefusalCode] = &[
    RefusalCode::TooLong,
    RefusalCode::TooDeep,
    RefusalCode::TooMany,
    RefusalCode::NoSegments,
    RefusalCode::NotOneOutput,
    RefusalCode::DuplicateView,
    RefusalCode::UnusedParameter,
    RefusalCode::DuplicateParameter,
    RefusalCode::InvalidParameter,
    RefusalCode::InvalidInput,
    RefusalCode::InvalidName,
    // An input with differential privacy gets these: see `private.rs`.
    RefusalCode::PrivacyInput,
    RefusalCode::PrivacyForm,
    RefusalCode::PrivacyJoin,
    RefusalCode::PrivacyOutput,
    RefusalCode::PrivacyBounds,
    RefusalCode::PrivacyKey,
    RefusalCode::PrivacyExpression,
    // By its nature: it is what would show that the analysis is wrong.
    RefusalCode::NotPrintable,
];

#[test]
fn every_code_of_a_text_is_in_the_corpus() {
    let seen: BTreeSet<String> = cases()
        .into_iter()
        .flat_map(|case| case.refusals)
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    let missing: Vec<&str> = RefusalCode::ALL
        .iter()
        .filter(|code| !ELSEWHERE.contains(code) && !seen.contains(code.as_str()))
        .map(|code| code.as_str())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
