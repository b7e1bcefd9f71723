//! The one place that writes to standard output and standard error.
//!
//! Answers go to standard output: text, or exactly one JSON document. Notes on what is going on go
//! to standard error, so that neither form is ever mixed with them.

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use serde_json::Value;

/// The width that text is broken at where nothing better is known.
pub const WIDTH: usize = 80;

/// The form of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document, errors too.
    Json,
}

static FORMAT: OnceLock<Format> = OnceLock::new();

/// Sets the form of answers for the whole process. Only the first call counts.
pub fn set_format(format: Format) {
    let _ = FORMAT.set(format);
}

/// The form of answers.
pub fn format() -> Format {
    FORMAT.get().copied().unwrap_or_default()
}

/// Writes an answer: `text` to people (a newline is added where none ends it), `document` to
/// programs.
///
/// # Errors
///
/// Where standard output can't be written.
pub fn answer(document: &Value, text: &str) -> io::Result<()> {
    match format() {
        Format::Text => print(text),
        Format::Json => print(&document.to_string()),
    }
}

/// Writes text to standard output, whatever the form of answers; a newline is added where none
/// ends it.
///
/// # Errors
///
/// Where standard output can't be written.
pub fn print(text: &str) -> io::Result<()> {
    write(&mut io::stdout().lock(), text)
}

/// Says something on the way to the answer: beside it for people, on standard error for programs.
///
/// # Errors
///
/// Where standard output can't be written.
pub fn tell(text: &str) -> io::Result<()> {
    match format() {
        Format::Text => print(text),
        Format::Json => {
            note(text);
            Ok(())
        }
    }
}

/// Writes a note to standard error. Whether it arrives is of no concern.
pub fn note(text: &str) {
    let _ = write(&mut io::stderr().lock(), text);
}

/// Whether standard error is a terminal, so that progress may be drawn there.
pub fn progress_is_seen() -> bool {
    io::stderr().is_terminal()
}

/// Writes; a reader that has gone, as `head` does, wanted no more and is no failure.
fn write(to: &mut dyn io::Write, text: &str) -> io::Result<()> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written = to
        .write_all(text.as_bytes())
        .and_then(|()| to.write_all(end.as_bytes()))
        .and_then(|()| to.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
