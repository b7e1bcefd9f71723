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
                "root": log.checked.root.map(|root| root.to_string()),
                "audit": log.verdict.as_ref().map(Verdict::as_str),
                "personal_keys": log.personal,
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
