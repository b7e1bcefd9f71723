//! Every reason code is met by a case, or stands here with why it is not.

use std::collections::BTreeMap;

use chancery_governance::reason::Code;

use crate::case::Case;
use crate::support::codes;

/// Codes that no command can meet through the rules.
const NOT_MET: &[(Code, &str)] = &[];

fn cases() -> Vec<Case> {
    let areas: [fn() -> Vec<Case>; 21] = [
        crate::ability::cases,
        crate::approval::cases,
        crate::change::cases,
        crate::budget::cases,
        crate::clean_room::cases,
        crate::lifecycle::cases,
        crate::receivers::cases,
        crate::collaboration::cases,
        crate::consent::cases,
        crate::dataset::cases,
        crate::member::cases,
        crate::personal::cases,
        crate::privacy::cases,
        crate::query::cases,
        crate::readiness::cases,
        crate::removal::cases,
        crate::rule::cases,
        crate::run::cases,
        crate::secret::cases,
        crate::service::cases,
        crate::signed::cases,
    ];
    areas.into_iter().flat_map(|cases| cases()).chain(crate::size::cases()).collect()
}

#[test]
fn every_code_is_met_by_a_case_or_excused() {
    let mut met: BTreeMap<Code, &str> = BTreeMap::new();
    for case in cases() {
        for code in codes(&(case.when)()) {
            met.insert(code, case.given);
        }
    }
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| !met.contains_key(code))
        .filter(|code| !NOT_MET.iter().any(|(excused, _)| excused == *code))
        .collect();
    assert!(missing.is_empty(), "no case meets {missing:?}");
    for (code, why) in NOT_MET {
        let case = met.get(code);
        assert!(case.is_none(), "{code:?} is excused ({why}), and met by {case:?}");
    }
}
