//! Why the service gave nothing: four families.

use reqwest::StatusCode;
use serde::Deserialize;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the service gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It refuses, and will again.
    #[error("the service refuses: {code}: {detail}")]
    Rejected {
        /// The stable code.
        code: String,
        /// A text for people.
        detail: String,
        /// The codes of all reasons.
        reasons: Vec<String>,
    },
    /// The state of things stands against it: load it and decide again.
    #[error("the state stands against it: {code}: {detail}")]
    Conflict {
        /// The stable code.
        code: String,
        /// A text for people.
        detail: String,
        /// The codes of all reasons.
        reasons: Vec<String>,
    },
    /// It doesn't answer, or not now; whether a report was taken is unknown.
    #[error("the service is unavailable")]
    Unavailable(#[source] Source),
    /// It answers what it can't mean, or says that its records are inconsistent.
    #[error("the service contradicts itself")]
    Corrupt(#[source] Source),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
}

impl ClientError {
    pub(super) fn corrupt(source: impl Into<Source>) -> Self {
        Self::Corrupt(source.into())
    }

    /// The code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Rejected { code, .. } | Self::Conflict { code, .. } => Some(code),
            Self::Unavailable(_) | Self::Corrupt(_) => None,
        }
    }

    /// What a problem document (RFC 9457) with this status says.
    pub(super) fn of_problem(status: StatusCode, body: &[u8]) -> Self {
        let problem: Option<Problem> = serde_json::from_slice(body).ok();
        let code = problem.as_ref().map_or("http_error", |problem| &problem.code).to_owned();
        if status == StatusCode::INTERNAL_SERVER_ERROR && code == "corrupt" {
            return Self::corrupt("it has stopped writing");
        }
        let passing = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            );
        if passing {
            return Self::Unavailable(format!("{status} {code}").into());
        }
        let (detail, reasons) = problem.map_or((status.to_string(), Vec::new()), |problem| {
            (problem.detail, problem.reasons.into_iter().map(|reason| reason.code).collect())
        });
        match status {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {
                Self::Conflict { code, detail, reasons }
            }
            _ => Self::Rejected { code, detail, reasons },
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        // Whatever a connection does wrong may be right the next time, but for our own request.
        let error = error.without_url();
        if error.is_builder() {
            Self::Corrupt(error.into())
        } else {
            Self::Unavailable(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fall_into_families() {
        let body = br#"{"code":"c","detail":"d","reasons":[{"code":"r","detail":"x"}]}"#;
        let family = |status: u16, body: &[u8]| match ClientError::of_problem(
            StatusCode::from_u16(status).unwrap(),
            body,
        ) {
            ClientError::Rejected { code, reasons, .. } => format!("rejected {code} {reasons:?}"),
            ClientError::Conflict { code, .. } => format!("conflict {code}"),
            ClientError::Unavailable(_) => "unavailable".into(),
            ClientError::Corrupt(_) => "corrupt".into(),
        };
        assert_eq!(family(403, body), r#"rejected c ["r"]"#);
        assert_eq!(family(404, b"not json"), "rejected http_error []");
        assert_eq!(family(409, body), "conflict c");
        assert_eq!(family(412, body), "conflict c");
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(family(status, body), "unavailable", "{status}");
        }
        assert_eq!(family(500, br#"{"code":"corrupt"}"#), "corrupt");
    }
}
