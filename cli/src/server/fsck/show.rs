//! What was checked and what disagrees, for people and for programs.

use std::fmt::Write as _;

use chancery_audit::Verdict;
use serde_json::{Value, json};

use super::ViewsChecked;
use super::found::Found;
use super::log::LogChecked;
use crate::output::WIDTH;
use crate::text::{Table, wrapped};

/// What came of it all.
pub struct Outcome {
    /// What was checked.
    pub place: String,
    /// Each log.
    pub logs: Vec<LogChecked>,
    /// The views.
    pub views: ViewsChecked,
    /// Whether the service's keys were there to compare with.
    pub keys: bool,
}

impl Outcome {
    /// Whether nothing disagrees.
    pub fn is_clean(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> u64 {
        let views = match &self.views {
            ViewsChecked::Compared(found) => found.count(),
            ViewsChecked::NotThere | ViewsChecked::OtherSchema => 0,
        };
        views + self.logs.iter().map(|log| log.found.count()).sum::<u64>()
    }

    /// For programs.
    pub fn document(&self) -> Value {
        let logs = self.logs.iter().map(|log| {
            json!({
                "collaboration": log.id.to_string(),
                "entries": log.checked.entries,
                "nodes": log.checked.nodes,
                "commands": log.checked.commands,
                "mirrored": log.checked.mirrored,
                "root": log.checked.root.map(|root| root.to_string()),
                "audit": log.verdict.as_ref().map(Verdict::as_str),
                "personal_keys": log.personal,
                "secrets": log.secrets,
                "findings": log.found.told(),
                "finding_count": log.found.count(),
            })
        });
        let views = match &self.views {
            ViewsChecked::NotThere => json!({ "checked": false }),
            ViewsChecked::OtherSchema => json!({ "checked": false, "other_schema": true }),
            ViewsChecked::Compared(found) => json!({
                "checked": true, "findings": found.told(), "finding_count": found.count(),
            }),
        };
        json!({
            "clean": self.is_clean(),
            "finding_count": self.count(),
            "service_keys_compared": self.keys,
            "logs": logs.collect::<Vec<_>>(),
            "views": views,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let count = self.count();
        let said = if count == 0 {
            "all is as it should be".to_owned()
        } else {
            format!("{count} DISAGREEMENTS")
        };
        let many = self.logs.len();
        let logs = if many == 1 { "1 log".to_owned() } else { format!("{many} logs") };
        let mut text = wrapped("", &format!("Checked {logs} in {}: {said}", self.place), WIDTH);
        let mut table = Table::new(["COLLABORATION", "ENTRIES", "COMMANDS", "AUDIT"]);
        table = table.right(1).right(2);
        for log in &self.logs {
            let checked = &log.checked;
            let audit = log.verdict.as_ref().map_or("not possible", Verdict::as_str);
            let numbers = (checked.entries.to_string(), checked.commands.to_string());
            table.row([&log.id.to_string(), &numbers.0, &numbers.1, audit]);
        }
        if !table.is_empty() {
            text.push('\n');
            text.push_str(&table.render(0));
        }
        for log in &self.logs {
            tell(&mut text, &log.id.to_string(), &log.found);
        }
        match &self.views {
            ViewsChecked::Compared(found) => tell(&mut text, "the views", found),
            ViewsChecked::OtherSchema => {
                text.push_str("\nThe views are of another release: not compared.\n");
            }
            ViewsChecked::NotThere => {}
        }
        text
    }
}

fn tell(text: &mut String, whose: &str, found: &Found) {
    if found.count() == 0 {
        return;
    }
    let _ = writeln!(text, "\n{whose}");
    for what in found.told() {
        text.push_str(&wrapped("  - ", what, WIDTH));
    }
    let more = found.count() - found.told().len() as u64;
    if more > 0 {
        let _ = writeln!(text, "  and {more} more");
    }
}

#[cfg(test)]
mod tests {
    use chancery_ledger::id::CollaborationId;
    use chancery_store::Checked;

    use super::*;

    fn log(n: u128, found: Found) -> LogChecked {
        LogChecked {
            id: CollaborationId::new(uuid::Uuid::from_u128(n)),
            checked: Checked { entries: 1_234_567, commands: 1_000_000, ..Checked::default() },
            verdict: Some(Verdict::Verified),
            personal: 3,
            secrets: 2,
            found,
        }
    }

    fn outcome(logs: Vec<LogChecked>, views: ViewsChecked) -> Outcome {
        Outcome { place: "/var/lib/chancery/log.db".into(), logs, views, keys: true }
    }

    #[test]
    fn what_is_clean_is_said_in_few_words() {
        let clean = outcome(vec![log(1, Found::default())], ViewsChecked::NotThere);
        assert!(clean.is_clean());
        let text = clean.text();
        assert!(text.starts_with("Checked 1 log in /var/lib/chancery/log.db: all is as it should"));
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_eq!(clean.document()["finding_count"], 0);
    }

    #[test]
    fn every_disagreement_is_told_within_80_columns() {
        let (mut found, mut views) = (Found::default(), Found::default());
        for n in 0..=super::super::found::TOLD_MAX {
            found.add(format!("finding {n} {}", "of some words that do not end ".repeat(5)));
        }
        views.add("the views show more than there is");
        let logs = vec![log(1, found), log(2, Found::default())];
        let damaged = outcome(logs, ViewsChecked::Compared(views));
        assert!(!damaged.is_clean());
        let text = damaged.text();
        assert!(text.contains("102 DISAGREEMENTS"), "{text}");
        assert!(text.contains("finding 99 ") && text.contains("and 1 more"), "{text}");
        assert!(text.contains("the views show more"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        let document = damaged.document();
        assert_eq!((&document["clean"], &document["finding_count"]), (&false.into(), &102.into()));
        assert_eq!(document["logs"][0]["finding_count"], 101);
    }
}
