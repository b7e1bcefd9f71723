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

/// The fields of a rule, and those that may be left out.
#[derive(Default)]
struct Fields {
    all: BTreeSet<String>,
    optional: BTreeSet<String>,
}

impl Fields {
    fn add(&mut self, field: &str) {
        let (named, optional) = match field.trim().strip_prefix("? ") {
            Some(rest) => (rest, true),
            None => (field.trim(), false),
        };
        let Some((name, _)) = named.split_once(':') else { return };
        self.all.insert(name.trim().to_owned());
        if optional {
            self.optional.insert(name.trim().to_owned());
        }
    }

    /// Whether a map of these fields can be of the rule.
    fn takes(&self, fields: &BTreeSet<String>) -> bool {
        let needed: BTreeSet<_> = self.all.difference(&self.optional).cloned().collect();
        fields.is_subset(&self.all) && needed.is_subset(fields)
    }
}

/// The fields of each rule of the form `name = {`.
fn records(text: &str) -> BTreeMap<String, Fields> {
    let mut records = BTreeMap::new();
    let mut open: Option<(String, Fields)> = None;
    for line in text.lines().map(|line| line.split(';').next().unwrap_or("").trim_end()) {
        if let Some((name, rest)) = line.split_once(" = {") {
            let mut fields = Fields::default();
            let rest = rest.trim();
            let closed = rest.ends_with('}');
            for field in rest.trim_end_matches('}').split(',') {
                fields.add(field);
            }
            if closed {
                records.insert(name.to_owned(), fields);
            } else {
                open = Some((name.to_owned(), fields));
            }
        } else if line == "}" {
            records.extend(open.take());
        } else if let Some((_, fields)) = &mut open {
            fields.add(line);
        }
    }
    records
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
    let text = text();
    let records = records(&text);
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (_, event) in samples::events() {
        let rule = records.get(event.kind()).unwrap_or_else(|| panic!("no rule {}", event.kind()));
        let fields = fields(&v1::encode_event(&event));
        assert!(rule.takes(&fields), "{}: {fields:?}", event.kind());
        seen.entry(event.kind()).or_default().extend(fields);
    }
    for (kind, seen) in seen {
        assert_eq!(records[kind].all, seen, "{kind}: a field that no sample has");
    }
    for kind in Event::KINDS {
        assert!(text.contains(&format!("entry-of<\"{kind}\", {kind}>")), "{kind} is in no entry");
    }
}

#[test]
fn every_command_has_its_rule_and_fields() {
    let records = records(&text());
    let fuller = samples::usage::contents().into_iter().map(|(_, command)| command);
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for command in samples::commands().into_iter().map(|(_, command)| command).chain(fuller) {
        let action = command.action();
        let rule = records.get(action).unwrap_or_else(|| panic!("no rule {action}"));
        let fields = fields(&v1::encode_command(&command));
        assert!(rule.takes(&fields), "{action}: {fields:?}");
        seen.entry(action).or_default().extend(fields);
    }
    for (action, seen) in seen {
        assert_eq!(records[action].all, seen, "{action}: a field that no sample has");
    }
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
