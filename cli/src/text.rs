//! Text for people: tables, wrapped lines, times. Nothing from elsewhere reaches the terminal that
//! could move its cursor or turn the reading direction.

use std::fmt::Write as _;

use chrono::DateTime;

/// Longest cell of a table, in characters; a longer one is cut.
const CELL_CHARS_MAX: usize = 60;

/// `text` with every character that does more than show replaced by U+FFFD.
pub fn plain(text: &str) -> String {
    text.chars().map(|char| if is_plain(char) { char } else { '\u{fffd}' }).collect()
}

/// The same for a text of several lines: line ends stay.
pub fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn is_plain(char: char) -> bool {
    !char.is_control()
        && !matches!(
            char,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `text` in lines of at most `width` characters, words whole; the first line stands after `first`,
/// the others after as many blanks.
pub fn wrapped(first: &str, text: &str, width: usize) -> String {
    let indent = first.chars().count();
    let mut out = first.to_owned();
    let mut used = indent;
    let mut gap = 0;
    for word in plain(text).split(' ') {
        let len = word.chars().count();
        if gap > 0 && used + gap + len > width {
            let _ = write!(out, "\n{:indent$}", "");
            used = indent;
        } else {
            let _ = write!(out, "{:gap$}", "");
            used += gap;
        }
        out.push_str(word);
        used += len;
        gap = 1;
    }
    out.push('\n');
    out
}

/// A table with a header line and aligned columns.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// A table with these headings.
    pub fn new<S: AsRef<str>>(headings: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// Aligns the column of that index to the right.
    #[must_use]
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Adds a row.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| cut(&plain(cell.as_ref()))).collect());
    }

    /// Whether there is no row but the headings.
    pub fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The table's lines, each after `indent` blanks and without blanks at its end.
    pub fn render(&self, indent: usize) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let _ = if self.right.contains(&column) {
                    write!(line, "{gap}{cell:>width$}")
                } else {
                    write!(line, "{gap}{cell:<width$}")
                };
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn cut(cell: &str) -> String {
    if cell.chars().count() <= CELL_CHARS_MAX {
        return cell.to_owned();
    }
    cell.chars().take(CELL_CHARS_MAX - 1).chain(['\u{2026}']).collect()
}

/// Names and values below one another, the values aligned.
pub fn facts<'a>(indent: usize, pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().collect();
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in pairs {
        let _ = writeln!(out, "{:indent$}{name:<width$}  {}", "", plain(&value));
    }
    out
}

/// A time to the second, UTC.
pub fn time(time_ms: u64) -> String {
    i64::try_from(time_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .map_or_else(|| "-".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// The beginning of a digest: enough to tell apart, not to compare by.
pub fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).chain(['\u{2026}']).collect()
}

/// A kind of evidence as it is shown everywhere: the one without hardware says so.
pub fn evidence(kind: &str) -> String {
    if kind == "insecure-virtual" {
        "insecure-virtual (no hardware stands behind it)".to_owned()
    } else {
        plain(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_in_no_blanks() {
        let mut table = Table::new(["NAME", "ROWS", "STATE"]).right(1);
        table.row(["flights", "7", "ready"]);
        table.row(["a", "12345", ""]);
        assert_eq!(
            table.render(2),
            "  NAME      ROWS  STATE\n  flights      7  ready\n  a        12345\n"
        );
        assert!(!table.is_empty() && Table::new(["A"]).is_empty());
    }

    #[test]
    fn cells_are_cut_and_show_no_controls() {
        let mut table = Table::new(["A"]);
        table.row([format!("\u{1b}[2J{}", "x".repeat(100))]);
        let rendered = table.render(0);
        let line = rendered.lines().nth(1).unwrap();
        assert_eq!(line.chars().count(), CELL_CHARS_MAX);
        assert!(line.starts_with("\u{fffd}[2Jx") && line.ends_with('\u{2026}'));
    }

    #[test]
    fn wrapped_lines_hang_under_their_first() {
        assert_eq!(wrapped("why: ", "one two three", 12), "why: one two\n     three\n");
        assert_eq!(wrapped("", "unbreakable", 4), "unbreakable\n");
    }

    #[test]
    fn facts_and_times_read_well() {
        assert_eq!(facts(2, [("id", "1".into()), ("name", "x".into())]), "  id    1\n  name  x\n");
        assert_eq!(time(1_767_225_599_999), "2025-12-31 23:59:59Z");
        assert_eq!(time(u64::MAX), "-");
        assert_eq!(short(&format!("sha256:{}", "a".repeat(64))), "sha256:aaaaaaaaaaaa\u{2026}");
    }
}
