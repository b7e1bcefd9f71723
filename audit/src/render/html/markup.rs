//! Markup that can't be broken out of: text becomes part of a page by being escaped, and by nothing
//! else.

use std::fmt::{self, Write as _};

use crate::render::words::is_plain;

/// A piece of a page, with everything in it escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markup(String);

impl Markup {
    /// Text, as it is. Its own reading direction is kept to itself, see [`Markup::name`].
    pub fn text(text: &str) -> Self {
        let mut markup = Self::default();
        markup.push_text(text, false);
        markup
    }

    /// A name or sentence from the log: strangers chose it, so that it stands in a `bdi`, which
    /// keeps letters that run from right to left from turning what is beside them.
    pub fn name(text: &str) -> Self {
        Self::text(text).within("bdi", "")
    }

    /// A digest, key, id or path in a fixed-width face.
    pub fn code(code: &(impl fmt::Display + ?Sized)) -> Self {
        Self::text(&code.to_string()).within("code", "")
    }

    /// A text of several lines, as written.
    pub fn block(text: &str) -> Self {
        let mut markup = Self::default();
        markup.push_text(text, true);
        markup.within("pre", "")
    }

    /// The same inside an element of this kind and class; no class where that is empty.
    #[must_use]
    pub fn within(self, element: &'static str, class: &'static str) -> Self {
        let open = if class.is_empty() {
            format!("<{element}>")
        } else {
            format!("<{element} class=\"{class}\">")
        };
        Self(format!("{open}{}</{element}>", self.0))
    }

    /// The same as a link to the element of this id, on this page.
    #[must_use]
    pub fn linked(self, id: &str) -> Self {
        let id = Self::text(id);
        Self(format!("<a href=\"#{}\">{}</a>", id.0, self.0))
    }

    /// Both, one after the other.
    #[must_use]
    pub fn then(mut self, next: &Self) -> Self {
        self.0.push_str(&next.0);
        self
    }

    /// Both, on lines of their own.
    #[must_use]
    pub fn over(mut self, next: &Self) -> Self {
        if !self.0.is_empty() {
            self.0.push_str("<br>");
        }
        self.then(next)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn push_text(&mut self, text: &str, lines: bool) {
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' if lines => self.0.push('\n'),
                '\t' if lines => self.0.push_str("    "),
                '\r' if lines => {}
                char if is_plain(char) => self.0.push(char),
                _ => self.0.push('\u{fffd}'),
            }
        }
    }
}

/// A page under way.
#[derive(Debug, Default)]
pub struct Body(String);

impl Body {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Opens a section with its heading.
    pub fn section(&mut self, id: &str, heading: &str) {
        let (id, heading) = (Markup::text(id), Markup::text(heading));
        let _ = writeln!(self.0, "<section id=\"{0}\" aria-labelledby=\"h-{0}\">", id.0);
        let _ = writeln!(self.0, "<h2 id=\"h-{}\">{}</h2>", id.0, heading.0);
    }

    pub fn end_section(&mut self) {
        self.0.push_str("</section>\n");
    }

    /// Opens a part of a section, with its own heading and id.
    pub fn article(&mut self, id: &str, class: &'static str, heading: &Markup) {
        let id = Markup::text(id);
        let _ = writeln!(self.0, "<article id=\"{}\" class=\"{class}\">", id.0);
        let _ = writeln!(self.0, "<h3>{}</h3>", heading.0);
    }

    pub fn end_article(&mut self) {
        self.0.push_str("</article>\n");
    }

    pub fn paragraph(&mut self, class: &'static str, text: &Markup) {
        let _ = writeln!(self.0, "{}", text.clone().within("p", class).0);
    }

    pub fn push(&mut self, markup: &Markup) {
        self.0.push_str(&markup.0);
        self.0.push('\n');
    }

    /// A table of names and values.
    pub fn facts(&mut self, caption: &str, facts: &[(&str, Markup)]) {
        let _ =
            writeln!(self.0, "<table class=\"facts\">\n<caption>{}</caption>", escaped(caption));
        self.0.push_str("<tbody>\n");
        for (name, value) in facts {
            let name = escaped(name);
            let _ = writeln!(self.0, "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>", value.0);
        }
        self.0.push_str("</tbody>\n</table>\n");
    }

    /// A table with a heading for each column; each row is of class `row`, its first cell a heading.
    pub fn table(
        &mut self,
        caption: &str,
        row: &'static str,
        headings: &[&str],
        rows: impl IntoIterator<Item = Vec<Markup>>,
    ) {
        let _ =
            writeln!(self.0, "<table class=\"t-{row}\">\n<caption>{}</caption>", escaped(caption));
        self.0.push_str("<thead>\n<tr>");
        for heading in headings {
            let _ = write!(self.0, "<th scope=\"col\">{}</th>", escaped(heading));
        }
        self.0.push_str("</tr>\n</thead>\n<tbody>\n");
        for cells in rows {
            let _ = write!(self.0, "<tr class=\"{row}\">");
            for (index, cell) in cells.iter().enumerate() {
                let _ = if index == 0 {
                    write!(self.0, "<th scope=\"row\">{}</th>", cell.0)
                } else {
                    write!(self.0, "<td>{}</td>", cell.0)
                };
            }
            self.0.push_str("</tr>\n");
        }
        self.0.push_str("</tbody>\n</table>\n");
    }
}

fn escaped(text: &str) -> String {
    Markup::text(text).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_t_become_markup() {
        let hostile = "<script>alert('&\"')</script>\u{202e}\u{1b}\n";
        assert_eq!(
            Markup::text(hostile).as_str(),
            "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(Markup::block("a\r\n\tb").as_str(), "<pre>a\n    b</pre>");
        assert_eq!(
            Markup::text("x").linked("\"><b>").as_str(),
            "<a href=\"#&quot;&gt;&lt;b&gt;\">x</a>"
        );
    }

    #[test]
    fn names_keep_their_direction_to_themselves() {
        assert_eq!(Markup::name("\u{5d0}").as_str(), "<bdi>\u{5d0}</bdi>");
    }
}
