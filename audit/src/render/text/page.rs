//! Lines of a bounded width.

use std::fmt::Write as _;

use crate::render::words::{count, plain};
use crate::report::Listed;

/// A page of text.
#[derive(Debug)]
pub struct Page {
    text: String,
    width: usize,
}

impl Page {
    pub const fn new(width: usize) -> Self {
        Self { text: String::new(), width }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    pub fn heading_if(&mut self, needed: bool, heading: &str) {
        if needed {
            self.heading(heading);
        }
    }

    pub fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.line(0, heading);
    }

    /// Says how many items a list has left out, if any.
    pub fn left_out<T>(&mut self, indent: usize, list: &Listed<T>, noun: &str, how: &str) {
        if list.left_out() > 0 {
            let line = format!("and {} more, left out{how}", count(list.left_out(), noun));
            self.line(indent, &line);
        }
    }

    /// The lines of a text of several, each as [`Page::line`].
    pub fn lines(&mut self, indent: usize, text: &str) {
        text.lines().for_each(|line| self.line(indent, line));
    }

    /// One line, broken between words where it is too long; what follows hangs by two more.
    pub fn line(&mut self, indent: usize, line: &str) {
        let mut used = indent;
        let mut gap = "";
        let _ = write!(self.text, "{:indent$}", "");
        for word in plain(line).split(' ') {
            let len = word.chars().count();
            if used > indent && used + gap.len() + len > self.width {
                let hanging = indent + 2;
                let _ = write!(self.text, "\n{:hanging$}", "");
                used = hanging;
            } else {
                self.text.push_str(gap);
                used += gap.len();
            }
            self.text.push_str(word);
            used += len;
            // Runs of spaces stay, so that columns do.
            gap = " ";
        }
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_show_no_controls() {
        let mut page = Page::new(12);
        page.line(2, "one  two three\u{1b}[2J four");
        assert_eq!(page.text, "  one  two\n    three\u{fffd}[2J\n    four\n");
    }

    #[test]
    fn a_list_that_is_cut_says_so() {
        let mut page = Page::new(80);
        page.left_out(2, &Listed::of(0..3, 3), "run", "");
        assert_eq!(page.text, "");
        page.left_out(2, &Listed::of(0..4, 3), "run", ": --from 9");
        assert_eq!(page.text, "  and 1 run more, left out: --from 9\n");
    }
}
