//! Asks one witness over HTTP. Nothing that it answers is believed but what verifies.

use std::time::Duration;

use chancery_ledger::note::{Cosigned, Note, NoteError, Witness};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use crate::request::{AddCheckpoint, PROOF_LINES_MAX};

/// Largest answer that is read, in bytes. One line has some 150.
pub const RESPONSE_LEN_MAX: usize = 16 << 10;
/// How far ahead of our clock a cosignature's time may be, in seconds.
pub const FUTURE_SECONDS_MAX: u64 = 300;

/// The content type of an answer that says the witness's size.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// One witness: who it is and where it answers.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    witness: Witness,
    timeout: Duration,
}

/// What a witness may well answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned: what it said, and the verified line with its newline.
    Cosigned(Cosigned, String),
    /// It last cosigned a checkpoint of this size, which is not the old size of the request.
    Conflict(u64),
}

/// Why there is no cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No answer: not reached, cut off, or too late. Retry.
    #[error("the witness does not answer")]
    Unreachable,
    /// A failure of its own: status 5xx or 429. Retry.
    #[error("the witness fails with status {0}")]
    Unavailable(u16),
    /// It does not know this log (404).
    #[error("the witness does not know this log")]
    UnknownLog,
    /// It does not trust the log's key (403).
    #[error("the witness does not trust the key that signed the checkpoint")]
    Forbidden,
    /// It found the consistency proof wrong (422).
    #[error("the witness says that the consistency proof is wrong")]
    Inconsistent,
    /// It has another root at this size (409 without a size): a fork.
    #[error("the witness cosigned another tree of the same size")]
    Fork,
    /// It refused for another reason.
    #[error("the witness refuses with status {0}")]
    Refused(u16),
    /// More than [`RESPONSE_LEN_MAX`] bytes.
    #[error("the witness answers with more than {RESPONSE_LEN_MAX} bytes")]
    Oversized,
    /// A 200 without a line of its own, or a size that is no number.
    #[error("the witness answers nonsense: {0}")]
    Nonsense(&'static str),
    /// Its line does not verify.
    #[error("the witness's cosignature does not verify")]
    BadCosignature,
    /// Its time is more than [`FUTURE_SECONDS_MAX`] ahead of ours.
    #[error("the witness's cosignature is {ahead} seconds in the future")]
    Future {
        /// By how much.
        ahead: u64,
    },
    /// The request can't be made: the note is none, or the proof too long.
    #[error("not a checkpoint to submit: {0}")]
    Request(&'static str),
}

impl ClientError {
    /// Whether the fault is the witness's connection or health, not this log.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable | Self::Unavailable(_))
    }
}

impl Client {
    /// Of the witness that answers below `prefix`, an HTTP URL; each request has `timeout` in all.
    /// `http` should follow no redirects.
    pub fn new(http: reqwest::Client, prefix: &str, witness: Witness, timeout: Duration) -> Self {
        let url = format!("{}/add-checkpoint", prefix.trim_end_matches('/'));
        Self { http, url, witness, timeout }
    }

    /// The witness.
    pub const fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Submits a checkpoint. `now` is our time in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn add_checkpoint(
        &self,
        request: &AddCheckpoint,
        now: u64,
    ) -> Result<Answer, ClientError> {
        if request.proof.len() > PROOF_LINES_MAX {
            return Err(ClientError::Request("the proof is too long"));
        }
        let note = Note::parse(&request.note).map_err(|_| ClientError::Request("not a note"))?;
        let exchange = self.exchange(request.encode());
        let (status, kind, body) = tokio::time::timeout(self.timeout, exchange)
            .await
            .map_err(|_| ClientError::Unreachable)??;
        match status {
            StatusCode::OK => self.cosigned(&note, &body, now),
            StatusCode::CONFLICT if kind.as_deref() == Some(SIZE_TYPE) => {
                size(&body).map(Answer::Conflict)
            }
            StatusCode::CONFLICT => Err(ClientError::Fork),
            StatusCode::NOT_FOUND => Err(ClientError::UnknownLog),
            StatusCode::FORBIDDEN => Err(ClientError::Forbidden),
            StatusCode::UNPROCESSABLE_ENTITY => Err(ClientError::Inconsistent),
            StatusCode::TOO_MANY_REQUESTS => Err(ClientError::Unavailable(status.as_u16())),
            _ if status.is_server_error() => Err(ClientError::Unavailable(status.as_u16())),
            _ => Err(ClientError::Refused(status.as_u16())),
        }
    }

    /// Status, content type and the bounded body.
    async fn exchange(
        &self,
        body: String,
    ) -> Result<(StatusCode, Option<String>, Vec<u8>), ClientError> {
        let sent = self.http.post(&self.url).body(body).send().await;
        let mut response = sent.map_err(|_| ClientError::Unreachable)?;
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let mut read = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| ClientError::Unreachable)? {
            if read.len() + chunk.len() > RESPONSE_LEN_MAX {
                return Err(ClientError::Oversized);
            }
            read.extend_from_slice(&chunk);
        }
        Ok((response.status(), kind, read))
    }

    fn cosigned(&self, note: &Note, body: &[u8], now: u64) -> Result<Answer, ClientError> {
        let lines = std::str::from_utf8(body).map_err(|_| ClientError::Nonsense("not UTF-8"))?;
        let found = self.witness.find(note.text(), lines).map_err(|error| match error {
            NoteError::BadSignature => ClientError::BadCosignature,
            _ => ClientError::Nonsense("not signature lines"),
        })?;
        let (cosigned, line) = found.ok_or(ClientError::Nonsense("no line of its own"))?;
        let ahead = cosigned.time.saturating_sub(now);
        if ahead > FUTURE_SECONDS_MAX {
            return Err(ClientError::Future { ahead });
        }
        Ok(Answer::Cosigned(cosigned, line))
    }
}

/// A size in decimal and a newline.
fn size(body: &[u8]) -> Result<u64, ClientError> {
    let text = std::str::from_utf8(body).ok().and_then(|text| text.strip_suffix('\n'));
    let size = text.and_then(|text| Some((text, text.parse::<u64>().ok()?)));
    size.filter(|(text, size)| size.to_string() == *text)
        .map(|(_, size)| size)
        .ok_or(ClientError::Nonsense("a conflict without a size"))
}
