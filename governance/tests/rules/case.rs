//! A rejection as a row of a table: what is given and tried, and the code that it must meet.

use chancery_governance::reason::Code;

use crate::support::{Tried, codes};

pub struct Case {
    pub given: &'static str,
    pub then: Code,
    pub when: fn() -> Tried,
}

pub fn case(given: &'static str, then: Code, when: fn() -> Tried) -> Case {
    Case { given, then, when }
}

/// Runs each case; the first code must be the expected one.
pub fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let tried = (case.when)();
        let codes = codes(&tried);
        if codes.first() != Some(&case.then) {
            wrong.push(format!("{}: expected {:?}, got {tried:?}", case.given, case.then));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
