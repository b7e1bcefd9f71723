//! The one form in which the client says no: what, why, what to do; and the exit code.

mod hints;

use std::error::Error;
use std::fmt;

use chancery_commands::problem::{Document, Problem, ReasonItem};
use serde_json::{Value, json};

use crate::output::WIDTH;
use crate::text::wrapped;

/// The result of everything in the client.
pub type Result<T> = std::result::Result<T, Failure>;

/// How a command ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The service or a check refused.
    Refused = 1,
    /// Something can't be read or reached.
    Unreadable = 3,
    /// The command line is wrong (`EX_USAGE` of sysexits).
    Usage = 64,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it should. Small, so that it is cheap in a `Result`.
#[derive(Debug)]
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    what: String,
    code: String,
    status: Option<u16>,
    reasons: Vec<ReasonItem>,
    hint: Option<String>,
    position: Option<u64>,
    instance: Option<String>,
    exit: Exit,
}

impl Failure {
    /// A failure with one reason.
    pub fn new(
        exit: Exit,
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            what: what.into(),
            code: code.to_owned(),
            status: None,
            reasons: vec![ReasonItem::new(code, why)],
            hint: hints::of(code).map(str::to_owned),
            position: None,
            instance: None,
            exit,
        }))
    }

    /// Something here refuses before the service is asked.
    pub fn refused(code: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Exit::Refused, code, what, why)
    }

    /// Something can't be read, written or reached.
    pub fn unreadable(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Exit::Unreadable, "unreadable", what, why)
    }

    /// The command line asks for something unclear.
    pub fn usage(code: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, what, why)
    }

    /// The service's refusal.
    pub fn of_document(document: Document) -> Self {
        let of_rules = document.reasons.first().is_some_and(|first| first.code == document.code);
        let what = if document.reasons.is_empty() || of_rules {
            document.title
        } else {
            document.detail.clone()
        };
        let reasons = if document.reasons.is_empty() {
            vec![ReasonItem::new(document.code.clone(), document.detail)]
        } else {
            document.reasons
        };
        // The code may only say that there are reasons; then the first that is known advises.
        let mut codes = std::iter::once(&document.code).chain(reasons.iter().map(|it| &it.code));
        let hint = codes.find_map(|code| hints::of(code)).map(str::to_owned);
        // The service says more, of each reason.
        let hint = hint.filter(|_| reasons.iter().any(|reason| reason.remedy.is_none()));
        Self(Box::new(Inner {
            what,
            code: document.code.into_owned(),
            status: Some(document.status),
            reasons,
            hint,
            position: document.position,
            instance: document.instance,
            exit: if document.status >= 500 { Exit::Unreadable } else { Exit::Refused },
        }))
    }

    /// The same with that advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The exit code.
    pub const fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The stable code.
    #[cfg(test)]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// For people: what, why, what to do.
    pub fn text(&self) -> String {
        let inner = &self.0;
        let mut text = wrapped("error: ", &inner.what, WIDTH);
        for (index, reason) in inner.reasons.iter().enumerate() {
            let lead = if index == 0 { "why:   " } else { "       " };
            let place = match (&reason.subject, reason.line, reason.column) {
                (Some(subject), Some(line), Some(column)) => {
                    format!(" ({subject} {line}:{column})")
                }
                (Some(subject), ..) => format!(" ({subject})"),
                (None, Some(line), Some(column)) => format!(" ({line}:{column})"),
                (None, ..) => String::new(),
            };
            let why = format!("{}: {}{place}", reason.code, reason.detail);
            text.push_str(&wrapped(lead, &why, WIDTH));
            if let Some(remedy) = &reason.remedy {
                text.push_str(&wrapped("       -> ", &remedy.detail, WIDTH));
            }
        }
        if let Some(position) = inner.position {
            text.push_str(&wrapped("       ", &format!("It is in the log at {position}."), WIDTH));
        }
        if let Some(hint) = &inner.hint {
            text.push_str(&wrapped("do:    ", hint, WIDTH));
        }
        if let Some(instance) = inner.instance.as_ref().filter(|_| inner.exit == Exit::Unreadable) {
            text.push_str(&wrapped(
                "       ",
                &format!("Name it to the operator: {instance}"),
                WIDTH,
            ));
        }
        text
    }

    /// For programs: a problem document, with the advice and the exit code.
    pub fn document(&self) -> Value {
        let inner = &self.0;
        let detail = inner.reasons.first().map_or("", |reason| reason.detail.as_str());
        json!({
            "type": format!("urn:chancery:problem:{}", inner.code),
            "title": inner.what,
            "status": inner.status,
            "code": inner.code,
            "detail": detail,
            "reasons": inner.reasons,
            "position": inner.position,
            "instance": inner.instance,
            "hint": inner.hint,
            "exit_code": inner.exit as u8,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.what, self.0.code)
    }
}

impl Error for Failure {}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::of_document(problem.document().clone())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::unreadable("Reading or writing failed", error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(|error| {
            let causes: Vec<_> = error.chain().skip(1).map(ToString::to_string).collect();
            let mut failure = Self::refused("failed", error.to_string(), causes.join(": "));
            if causes.is_empty() {
                failure.0.reasons.clear();
            }
            failure
        })
    }
}

/// Turns other errors into failures that say what was tried.
pub trait OrFail<T> {
    /// The value, or a failure that says what can't be done, with the causes as the reason.
    fn or_unreadable(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Error> OrFail<T> for std::result::Result<T, E> {
    fn or_unreadable(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure::unreadable(what(), causes(&error)))
    }
}

/// An error with all its causes.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
