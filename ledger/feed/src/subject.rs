//! Subjects: `chancery.{collaboration}.{area}.{event}`.

use chancery_ledger::id::CollaborationId;

/// All subjects of the stream.
pub const SUBJECTS: &str = "chancery.*.*.*";

/// The area and event of an entry whose name is unknown or can't be part of a subject.
pub const FALLBACK: (&str, &str) = ("other", "other");

/// Names the area and event of a sealed entry, each of `A-Z a-z 0-9 -`; `None` if it can't tell.
pub type SubjectNamer = fn(&[u8]) -> Option<(String, String)>;

const PREFIX: &str = "chancery";
const TOKEN_BYTES_MAX: usize = 64;

/// The subject of an entry, if both tokens are allowed.
pub fn subject(collaboration: CollaborationId, area: &str, event: &str) -> Option<String> {
    (is_token(area) && is_token(event)).then(|| format!("{PREFIX}.{collaboration}.{area}.{event}"))
}

/// The collaboration that a subject names; `None` for any text that [`subject`] doesn't make.
pub fn collaboration(text: &str) -> Option<CollaborationId> {
    let mut tokens = text.split('.');
    let (prefix, id) = (tokens.next()?, tokens.next()?);
    let (area, event) = (tokens.next()?, tokens.next()?);
    let complete = prefix == PREFIX && is_token(area) && is_token(event) && tokens.next().is_none();
    if complete { id.parse().ok() } else { None }
}

fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01932b6c-7d3a-7c1e-8f00-0123456789ab";

    #[test]
    fn subjects_round_trip() {
        let id: CollaborationId = ID.parse().unwrap();
        let text = subject(id, "queries", "QueryApproved").unwrap();
        assert_eq!(text, format!("chancery.{ID}.queries.QueryApproved"));
        assert_eq!(collaboration(&text), Some(id));
    }

    #[test]
    fn tokens_that_could_mean_more_are_refused() {
        let id: CollaborationId = ID.parse().unwrap();
        let long = "x".repeat(65);
        for bad in ["", "a.b", "*", ">", "a b", "a_b", "é", "a\r\n", &long] {
            assert_eq!(subject(id, bad, "x"), None, "{bad}");
            assert_eq!(subject(id, "x", bad), None, "{bad}");
        }
    }

    #[test]
    fn foreign_subjects_name_no_collaboration() {
        for bad in [
            String::new(),
            "chancery".to_owned(),
            format!("chancery.{ID}.a"),
            format!("chancery.{ID}.a.b.c"),
            format!("other.{ID}.a.b"),
            format!("chancery.{}.a.b", ID.to_uppercase()),
            "chancery.x.a.b".to_owned(),
            format!("chancery.{ID}..b"),
        ] {
            assert_eq!(collaboration(&bad), None, "{bad}");
        }
    }
}
