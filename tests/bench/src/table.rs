//! A report as text: a table of 80 columns for a screen, and a section of a document.

use std::fmt::Write as _;

use crate::plot;
use crate::report::{Figure, Goal, Ratio, Report, median};
use crate::scale::grouped;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";
/// The load from which on something else must have been running.
const BUSY: f64 = 0.7;
/// Columns that a name takes.
const NAME: usize = 44;

/// The table for a screen.
pub fn screen(report: &Report) -> String {
    let mut out = String::new();
    let machine = &report.machine;
    // Writing into a String does not fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(format!("{}, {} cores, Linux {}", machine.cpu, machine.cores, machine.kernel));
    line(format!("{} of {}, sizes: {}", machine.commit, machine.date, report.mode));
    if machine.load_before > BUSY {
        line(format!("NOT ALONE: load {:.1} before it began", machine.load_before));
    }
    if !machine.optimised {
        line("NOT OPTIMISED: these figures say nothing of a release".to_owned());
    }
    for part in &report.parts {
        line(String::new());
        line(format!("{}: {}", part.name, part.title));
        line(format!("  {:<NAME$}{:>12} {:<14}{:>6}", "", "median", "", "steal"));
        for figure in &part.figures {
            let (value, steal) = (value(figure.median), steal(figure));
            line(format!("  {:<NAME$}{value:>12} {:<14}{steal:>6}", figure.name, figure.unit));
        }
        for ratio in &part.ratios {
            let (least, greatest) = (value(ratio.least), value(ratio.greatest));
            let spread = format!("{least} to {greatest}");
            line(format!(
                "  {:<NAME$}{:>12} {spread:<14}",
                short(&ratio.name),
                value(ratio.median)
            ));
            if let Some(goal) = goal(ratio) {
                line(format!("  {:<NAME$}{:>12}", "", goal));
            }
        }
        for note in &part.notes {
            for text in wrapped(note, 76) {
                line(format!("  {text}"));
            }
        }
    }
    for (name, why) in &report.failed {
        line(String::new());
        line(format!("{name}: FAILED"));
        for text in wrapped(why, 76) {
            line(format!("  {text}"));
        }
    }
    out
}

/// `document` with the report between its markers.
///
/// # Errors
///
/// Where the markers are not there, once each and in order.
pub fn written(document: &str, report: &Report) -> anyhow::Result<String> {
    let parts = document.split_once(BEGIN).zip(document.split_once(END));
    let Some(((before, _), (_, after))) = parts else {
        anyhow::bail!("the document has no {BEGIN} and {END}")
    };
    anyhow::ensure!(before.len() < document.len() - after.len(), "{END} is before {BEGIN}");
    Ok(format!("{before}{BEGIN}\n{}{END}{after}", section(report)))
}

fn section(report: &Report) -> String {
    let machine = &report.machine;
    let mut out = format!(
        "\nMade by `./bench --write` on {} at commit `{}`: {}, {} cores, {} MiB, Linux {}; sizes: {}.\n\
         Medians of interleaved rounds; a ratio is taken within each round. *Steal* is the processor \
         time that the host gave to others meanwhile, the median of the rounds. The load before it \
         began was {:.1}.\n",
        machine.date,
        machine.commit,
        machine.cpu,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        report.mode,
        machine.load_before
    );
    // Writing into a String does not fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    for part in &report.parts {
        line(format!("\n### {}\n", titled(&part.title)));
        line("| What | Median | Least to greatest | Rounds | Steal |".to_owned());
        line("|---|---:|---:|---:|---:|".to_owned());
        part.figures.iter().for_each(|figure| line(figure_row(figure)));
        if !part.ratios.is_empty() {
            line("\n| Ratio | Median | Least to greatest | Goal |".to_owned());
            line("|---|---:|---:|---|".to_owned());
            part.ratios.iter().for_each(|ratio| line(ratio_row(ratio)));
        }
        if part.name == crate::scale::NAME {
            line(format!("\n![{}](img/{})", titled(&part.title), plot::FILE));
        }
        if !part.notes.is_empty() {
            line(String::new());
            part.notes.iter().for_each(|note| line(format!("- {note}")));
        }
    }
    for (name, why) in &report.failed {
        line(format!("\n**{name} failed**: {why}"));
    }
    out.push('\n');
    out
}

fn figure_row(figure: &Figure) -> String {
    let values: Vec<_> = figure.rounds.iter().map(|sample| sample.value).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!(
        "| {} | {} {} | {} to {} | {} | {} |",
        figure.name,
        value(figure.median),
        figure.unit,
        value(least),
        value(most),
        values.len(),
        steal(figure)
    )
}

fn ratio_row(ratio: &Ratio) -> String {
    let (least, most) = (value(ratio.least), value(ratio.greatest));
    let goal = goal(ratio).unwrap_or_default();
    format!("| {} | {} | {least} to {most} | {goal} |", ratio.name, value(ratio.median))
}

fn goal(ratio: &Ratio) -> Option<String> {
    let goal = ratio.goal?;
    let bound = match goal {
        Goal::AtLeast(least) => format!("goal: {least} or more"),
        Goal::AtMost(most) => format!("goal: {most} or less"),
    };
    let met = if goal.is_met_by(ratio.median) { "met" } else { "not met" };
    Some(format!("{bound}: {met}"))
}

fn steal(figure: &Figure) -> String {
    let steals: Vec<_> = figure.rounds.iter().map(|sample| sample.steal_percent).collect();
    format!("{:.1} %", median(&steals))
}

/// Three digits or all before the point.
fn value(value: f64) -> String {
    let digits = match value.abs() {
        it if it >= 100.0 => 0,
        it if it >= 10.0 => 1,
        it if it >= 1.0 => 2,
        _ => 3,
    };
    if digits > 0 || value < 0.0 {
        return format!("{value:.digits$}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    grouped(value.round() as u64)
}

fn short(name: &str) -> String {
    if name.chars().count() < NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 2).chain("…".chars()).collect()
}

fn titled(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Lines of `columns` or less, but for longer words.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > columns {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::{Part, Sample};

    fn report() -> Report {
        let mut part = Part::new("append", "durable append");
        let sample = |value| Sample { value, steal_percent: 1.25, idle_percent: 0.0 };
        part.push("ours", "events/s", &[], sample(18_230.4));
        part.push("theirs", "events/s", &[], sample(9_000.0));
        let name = "ours, whose name is longer than the columns that there are";
        part.compare(name, "ours", "theirs", Some(Goal::AtLeast(3.0)));
        part.note("A word ".repeat(40));
        let machine = Machine::this();
        Report {
            mode: "quick".into(),
            machine,
            parts: vec![part],
            failed: [("x".into(), "y".into())].into(),
        }
    }

    #[test]
    fn the_table_is_80_columns_wide() {
        let table = screen(&report());
        assert!(table.contains("18,230") && table.contains("not met") && table.contains("FAILED"));
        // The machine names itself.
        for line in table.lines().skip(1) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn a_document_keeps_what_is_around_the_section() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = written(&document, &report()).unwrap();
        assert!(new.starts_with("before\n") && new.ends_with("after\n") && !new.contains("old"));
        assert!(new.contains("| ours | 18,230 events/s |"), "{new}");
        assert!(new.contains("| 2.03 | 2.03 to 2.03 | goal: 3 or more: not met |"), "{new}");
        assert_eq!(written(&new, &report()).unwrap(), new);
        assert!(written("nothing", &report()).is_err());
        assert!(written(&format!("{END}{BEGIN}"), &report()).is_err());
    }
}
