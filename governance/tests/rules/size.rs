//! What can't be stored is refused before it is sealed: a sealed entry has a longest length.

use chancery_governance::command::DraftQuery;
use chancery_governance::query::Definition;
use chancery_governance::reason::Code;
use chancery_ledger::entry::SEALED_LEN_MAX;

use crate::case::{Case, case, check};
use crate::support::World;
use crate::support::fixtures::{definition, query_s, segment};

/// A query whose text is of about this many bytes.
fn long(bytes: usize) -> Definition {
    let mut long = definition();
    let count = bytes / 60_000 + 1;
    let pad = " ".repeat(bytes / count);
    long.segments = (0..count as u64)
        .map(|n| {
            let sql = format!("SELECT region, COUNT(*) AS total, SUM(spend) AS spend{pad}\nFROM campaigns GROUP BY region");
            segment(n + 1, &format!("v{n}"), &sql)
        })
        .collect();
    long.parameters.clear();
    long
}

#[test]
fn what_fits_is_taken_and_can_be_opened() {
    let mut world = World::stocked();
    // The text stands in the event and in the command's content.
    let definition = long(SEALED_LEN_MAX / 2 - 20_000);
    assert!(world.fabrikam().does(query_s(), DraftQuery { definition }).is_ok());
    world.check_replay();
}

pub fn cases() -> Vec<Case> {
    vec![case("a query that no entry can hold", Code::LimitExceeded, || {
        let definition = long(SEALED_LEN_MAX / 2 + 20_000);
        World::stocked().fabrikam().does(query_s(), DraftQuery { definition })
    })]
}

#[test]
fn rejections() {
    check(&cases());
}
