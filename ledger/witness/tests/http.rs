//! The client against our server, and against servers that are slow, wrong or lie.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use chancery_ledger::digest::Digest;
use chancery_ledger::note::Policy;
use chancery_witness::{
    AddCheckpoint, Answer, Client, ClientError, FUTURE_SECONDS_MAX, RESPONSE_LEN_MAX,
};
use futures_util::future::join_all;
use support::{
    NOW, client, cosigned, http, key, misbehaving, note, origin, ours, request, sign, witness,
};

async fn add(client: &Client, request: &AddCheckpoint) -> Result<Answer, ClientError> {
    client.add_checkpoint(request, NOW).await
}

fn is_cosigned(answer: &Result<Answer, ClientError>) -> bool {
    matches!(answer, Ok(Answer::Cosigned(cosigned, _)) if cosigned.time == NOW)
}

#[tokio::test]
async fn a_log_is_cosigned_as_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let client = client(10, server.address);
    for (old, new) in [(0, 0), (0, 3), (3, 3), (3, 4), (4, 700)] {
        let answer = add(&client, &request(1, old, new)).await;
        assert!(is_cosigned(&answer), "{old} to {new}: {answer:?}");
        let Ok(Answer::Cosigned(_, line)) = answer else { unreachable!() };
        let policy = Policy::new(vec![witness(10)], 1).unwrap();
        assert_eq!(policy.merge(&note(1, new), &line, NOW).unwrap().added.len(), 1);
    }
    // Another collaboration of the same service is another log.
    assert!(is_cosigned(&add(&client, &request(2, 0, 5)).await));
}

#[tokio::test]
async fn what_does_not_extend_the_last_is_refused_as_specified() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let client = client(10, server.address);
    assert!(is_cosigned(&add(&client, &request(1, 0, 5)).await));
    // Rollback, and a log that has forgotten where the witness is.
    assert_eq!(add(&client, &request(1, 0, 4)).await, Ok(Answer::Conflict(5)));
    assert_eq!(add(&client, &request(1, 0, 9)).await, Ok(Answer::Conflict(5)));
    assert_eq!(add(&client, &request(1, 6, 9)).await, Ok(Answer::Conflict(5)));
    // Forks: at the same size, and beyond.
    let forked = AddCheckpoint { note: sign(1, 5, Digest::of(b"fork")), ..request(1, 5, 5) };
    assert_eq!(add(&client, &forked).await, Err(ClientError::Fork));
    let forked = AddCheckpoint { note: sign(1, 9, Digest::of(b"fork")), ..request(1, 5, 9) };
    assert_eq!(add(&client, &forked).await, Err(ClientError::Inconsistent));
    let mut cut = request(1, 5, 9);
    cut.proof.pop();
    assert_eq!(add(&client, &cut).await, Err(ClientError::Inconsistent));
    let padded = AddCheckpoint { proof: vec![Digest::of(b"")], ..request(2, 0, 3) };
    assert_eq!(add(&client, &padded).await, Err(ClientError::Inconsistent));
    let empty = AddCheckpoint { note: sign(2, 0, Digest::of(b"x")), ..request(2, 0, 0) };
    assert_eq!(add(&client, &empty).await, Err(ClientError::Fork));
    // Sizes that make no sense.
    let backwards = AddCheckpoint { old: 6, ..request(1, 5, 5) };
    assert_eq!(add(&client, &backwards).await, Err(ClientError::Refused(400)));
    let huge = AddCheckpoint { note: sign(1, 1 << 63, Digest::of(b"")), ..request(1, 5, 5) };
    assert_eq!(add(&client, &huge).await, Err(ClientError::Refused(400)));
    // After all that, where it was.
    assert!(is_cosigned(&add(&client, &request(1, 5, 9)).await));
}

#[tokio::test]
async fn unknown_logs_and_keys_are_refused_as_specified() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let client = client(10, server.address);
    let root = Digest::of(b"");
    let of = |origin: &str, seed| {
        let origin = origin.to_owned();
        let note = chancery_ledger::note::Checkpoint { origin, size: 0, root }.sign(&key(seed));
        AddCheckpoint { old: 0, proof: vec![], note }
    };
    assert_eq!(add(&client, &of("other.test/log", 1)).await, Err(ClientError::UnknownLog));
    assert_eq!(add(&client, &of("chancery.tester", 1)).await, Err(ClientError::UnknownLog));
    assert_eq!(add(&client, &of(&origin(1), 2)).await, Err(ClientError::Forbidden));
    assert!(is_cosigned(&add(&client, &of(&origin(1), 1)).await));
}

#[tokio::test]
async fn a_checkpoint_with_extension_lines_and_strangers_signatures_is_cosigned_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let log = key(1);
    let plain = note(1, 0);
    let text = plain.split_once("\n\n").unwrap().0;
    let extended = format!("{text}\nextension of the log\n");
    // The same line as for a checkpoint, over the longer text.
    let line = plain.rsplit_once(' ').unwrap().1.trim_end();
    let mut bytes = base64(line);
    bytes.truncate(4);
    bytes.extend(log.sign(extended.as_bytes()));
    let note = format!(
        "{extended}\n\u{2014} {} {}\n\u{2014} stranger AAAAAAAA\n",
        origin(1),
        to_base64(&bytes)
    );
    let request = AddCheckpoint { old: 0, proof: vec![], note };
    assert!(is_cosigned(&add(&client(10, server.address), &request).await));
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn to_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn bodies_that_are_no_requests_get_400_and_too_long_ones_413() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let url = format!("http://{}/add-checkpoint", server.address);
    let post = async |body: Vec<u8>| http().post(&url).body(body).send().await.unwrap().status();
    for body in ["", "old 0\n", "old 0\n\n", "old 0\n\nnot a note", "\u{1}"] {
        assert_eq!(post(body.into()).await, StatusCode::BAD_REQUEST, "{body}");
    }
    let long = vec![b'x'; chancery_witness::REQUEST_LEN_MAX + 1];
    assert_eq!(post(long).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(http().get(&url).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// The race of the specification, with forks.
#[tokio::test]
async fn of_checkpoints_submitted_at_once_one_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let client = &client(10, server.address);
    let honest = (1..=10).map(|n| request(1, 0, n));
    let forked = (1..=10)
        .map(|n| AddCheckpoint { note: sign(1, n, Digest::of(b"fork")), ..request(1, 0, n) });
    let all: Vec<_> = honest.chain(forked).collect();
    let answers = join_all(all.iter().map(|request| add(client, request))).await;
    let won: Vec<_> = (0..all.len()).filter(|at| is_cosigned(&answers[*at])).collect();
    let [won] = won[..] else { panic!("{answers:?}") };
    let latest = u64::try_from(won % 10 + 1).unwrap();
    assert_eq!(add(client, &request(1, 0, 99)).await, Ok(Answer::Conflict(latest)));
}

#[tokio::test]
async fn honest_submissions_at_once_never_roll_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let client = client(10, server.address);
    let client = &client;
    let climb = |step: u64| async move {
        let (mut at, mut chain) = (0, Vec::new());
        while at < 200 {
            let next = at + step;
            match add(client, &request(1, at, next)).await {
                Ok(Answer::Cosigned(..)) => {
                    chain.push((at, next));
                    at = next;
                }
                Ok(Answer::Conflict(size)) => at = size,
                Err(error) => panic!("{error}"),
            }
        }
        chain
    };
    let mut links: Vec<_> = join_all((1..=8).map(climb)).await.into_iter().flatten().collect();
    links.sort_unstable();
    let mut at = 0;
    for (old, new) in &links {
        assert_eq!(*old, at, "{links:?}");
        at = *new;
    }
    assert!(at >= 200);
}

#[tokio::test]
async fn a_witness_that_was_killed_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(10, folder.path(), None).await;
    let client = client(10, server.address);
    assert!(is_cosigned(&add(&client, &request(1, 0, 5)).await));
    let address = server.kill().await;
    assert_eq!(add(&client, &request(1, 5, 6)).await, Err(ClientError::Unreachable));
    let _server = ours(10, folder.path(), Some(address)).await;
    assert_eq!(add(&client, &request(1, 0, 3)).await, Ok(Answer::Conflict(5)));
    let forked = AddCheckpoint { note: sign(1, 5, Digest::of(b"fork")), ..request(1, 5, 5) };
    assert_eq!(add(&client, &forked).await, Err(ClientError::Fork));
    assert!(is_cosigned(&add(&client, &request(1, 5, 6)).await));
}

/// Makes an answer of a request's body.
type Lie = fn(String) -> axum::response::Response;

#[tokio::test]
async fn answers_that_lie_are_not_believed() {
    let other = 11;
    let lies: Vec<(Lie, ClientError)> = vec![
        (
            |body| cosigned(&body, 11, NOW).into_response(),
            ClientError::Nonsense("no line of its own"),
        ),
        (
            |_| cosigned(&request(1, 0, 4).encode(), 10, NOW).into_response(),
            ClientError::BadCosignature,
        ),
        (
            |body| cosigned(&body, 10, NOW + FUTURE_SECONDS_MAX + 1).into_response(),
            ClientError::Future { ahead: FUTURE_SECONDS_MAX + 1 },
        ),
        (|_| "".into_response(), ClientError::Nonsense("not signature lines")),
        (|_| "<html>".into_response(), ClientError::Nonsense("not signature lines")),
        (|_| vec![0xff].into_response(), ClientError::Nonsense("not UTF-8")),
        (|_| "x".repeat(RESPONSE_LEN_MAX + 1).into_response(), ClientError::Oversized),
        (|_| conflict("12"), ClientError::Nonsense("a conflict without a size")),
        (|_| conflict("012\n"), ClientError::Nonsense("a conflict without a size")),
        (|_| conflict("-1\n"), ClientError::Nonsense("a conflict without a size")),
        (|_| (StatusCode::CONFLICT, "12\n").into_response(), ClientError::Fork),
        (|_| StatusCode::NOT_FOUND.into_response(), ClientError::UnknownLog),
        (|_| StatusCode::FORBIDDEN.into_response(), ClientError::Forbidden),
        (|_| StatusCode::UNPROCESSABLE_ENTITY.into_response(), ClientError::Inconsistent),
        (|_| StatusCode::NO_CONTENT.into_response(), ClientError::Refused(204)),
        (|_| StatusCode::BAD_GATEWAY.into_response(), ClientError::Unavailable(502)),
        (|_| StatusCode::TOO_MANY_REQUESTS.into_response(), ClientError::Unavailable(429)),
        (
            |_| (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
            ClientError::Refused(302),
        ),
    ];
    assert_ne!(witness(other), witness(10));
    for (answer, expected) in lies {
        let (server, _) = misbehaving(move |body| async move { answer(body) }).await;
        let client = client(10, server.address);
        assert_eq!(add(&client, &request(1, 0, 3)).await, Err(expected));
    }
}

fn conflict(body: &'static str) -> axum::response::Response {
    (StatusCode::CONFLICT, [("content-type", "text/x.tlog.size")], body).into_response()
}

#[tokio::test]
async fn the_own_line_among_strangers_and_at_the_edge_of_the_future_is_taken() {
    let (server, _) = misbehaving(|body| async move {
        let own = cosigned(&body, 10, NOW + FUTURE_SECONDS_MAX);
        format!("{}{own}", cosigned(&body, 11, 5)).into_response()
    })
    .await;
    let answer = add(&client(10, server.address), &request(1, 0, 3)).await.unwrap();
    let Answer::Cosigned(cosigned, line) = answer else { panic!("{answer:?}") };
    assert_eq!((cosigned.time, line.lines().count()), (NOW + FUTURE_SECONDS_MAX, 1));
}

#[tokio::test]
async fn a_witness_that_does_not_answer_is_given_up() {
    let (server, asked) = misbehaving(|_| std::future::pending()).await;
    let prefix = format!("http://{}/", server.address);
    let client = Client::new(http(), &prefix, witness(10), Duration::from_millis(200));
    assert_eq!(add(&client, &request(1, 0, 3)).await, Err(ClientError::Unreachable));
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
}
