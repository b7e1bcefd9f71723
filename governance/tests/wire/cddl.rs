//! `docs/wire/v1.cddl` names every event type, action and field, and no other. Read lightly: one
//! rule `name = {`, one field a line. `docs/wire/check_cddl.py` validates the vectors by a real
//! CDDL implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chancery_governance::command::Command;
use chancery_governance::event::Event;
use chancery_governance::reason::Code;
use chancery_governance::sql::RefusalCode;
use chancery_governance::wire::v1;
use chancery_ledger::codec::{Key, Value};

use crate::samples;

fn text() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/wire/v1.cddl");
    std::fs::read_to_string(path).unwrap()
}

/// The fields of a rule: those that must be there, and all.
#[derive(Default)]
struct Rule {
    required: BTreeSet<String>,
    all: BTreeSet<String>,
}

impl Rule {
    fn add(&mut self, field: &str) {
        let field = field.trim();
        let name = field.trim_start_matches("? ");
        let Some((name, _)) = name.split_once(':') else { return };
        self.all.insert(name.trim().to_owned());
        if !field.starts_with('?') {
            self.required.insert(name.trim().to_owned());
        }
    }
}

/// The fields of each rule of the form `name = {`.
fn records(text: &str) -> BTreeMap<String, Rule> {
    let mut records = BTreeMap::new();
    let mut open: Option<(String, Rule)> = None;
    for line in text.lines().map(|line| line.split(';').next().unwrap_or("").trim_end()) {
        if let Some((name, rest)) = line.split_once(" = {") {
            let mut rule = Rule::default();
            let rest = rest.trim();
            let closed = rest.ends_with('}');
            rest.trim_end_matches('}').split(',').for_each(|field| rule.add(field));
            if closed {
                records.insert(name.to_owned(), rule);
            } else {
                open = Some((name.to_owned(), rule));
            }
        } else if line == "}" {
            records.extend(open.take());
        } else if let Some((_, rule)) = &mut open {
            rule.add(line);
        }
    }
    records
}

/// Each sample has the required fields and no other than the rule's; together they have them all.
fn check_samples(samples: impl Iterator<Item = (String, Value)>) {
    let records = records(&text());
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in samples {
        let rule = records.get(&name).unwrap_or_else(|| panic!("no rule {name}"));
        let fields = fields(&value);
        assert!(rule.required.is_subset(&fields), "{name}: {fields:?}");
        assert!(fields.is_subset(&rule.all), "{name}: {fields:?}");
        seen.entry(name).or_default().extend(fields);
    }
    for (name, fields) in seen {
        assert_eq!(records[&name].all, fields, "{name}");
    }
}

fn fields(value: &Value) -> BTreeSet<String> {
    let Value::Map(map) = value else { panic!("no map") };
    let name = |key: &Key| match key {
        Key::Text(text) => text.0.clone(),
        Key::Uint(_) | Key::Nint(_) => panic!("an integer key"),
    };
    map.keys().map(name).collect()
}

#[test]
fn every_event_has_its_rule_and_fields() {
    let of = |(_, event): (_, Event)| (event.kind().to_owned(), v1::encode_event(&event));
    check_samples(samples::events().into_iter().map(of));
    let text = text();
    for kind in Event::KINDS {
        assert!(text.contains(&format!("entry-of<\"{kind}\", {kind}>")), "{kind} is in no entry");
    }
}

#[test]
fn every_command_has_its_rule_and_fields() {
    let of = |command: Command| (command.action().to_owned(), v1::encode_command(&command));
    let fuller = samples::usage::contents()
        .into_iter()
        .chain(samples::secrets::contents())
        .chain(samples::privacy::contents());
    let fuller = fuller.map(|(_, command)| command);
    let all = samples::commands().into_iter().map(|(_, command)| command).chain(fuller);
    check_samples(all.map(of));
}

#[test]
fn no_rule_is_of_an_event_or_action_that_is_not() {
    for name in records(&text()).keys() {
        let is_event = name.starts_with(|char: char| char.is_ascii_uppercase());
        assert!(!is_event || Event::KINDS.contains(&name.as_str()), "{name}");
        let is_action = name.contains('.');
        assert!(!is_action || Command::ACTIONS.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_reason_code_is_in_the_list() {
    let text = text();
    let (_, list) = text.split_once("\nreason-code = ").expect("a rule reason-code");
    let list = list.split("\n\n").next().unwrap_or("");
    let named: BTreeSet<_> = list.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect();
    let sql = RefusalCode::ALL.iter().copied().map(Code::Sql);
    let codes: BTreeSet<_> =
        Code::ALL.iter().copied().chain(sql).map(|code| code.as_str().to_owned()).collect();
    assert_eq!(named, codes);
}
