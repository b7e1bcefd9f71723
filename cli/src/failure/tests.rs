use super::*;

fn run_refused() -> Failure {
    let document = json!({
        "type": "urn:chancery:problem:run_refused", "title": "The subject has changed since",
        "status": 409, "code": "run_refused", "position": 41,
        "detail": "The run was refused, and the refusal is in the log.",
        "reasons": [
            {"code": "approval_missing", "subject": "query/01932b6c-7d3a-7c1e-8f00-0123456789ab",
             "detail": "Contosso has not voted yet, and the query reads its datasets weather, planes"},
            {"code": "consent_withdrawn", "detail": "Litware withdrew its consent"},
        ],
    });
    Failure::of_document(serde_json::from_value(document).unwrap())
}

#[test]
fn a_refusal_says_what_why_and_what_to_do_within_80_columns() {
    let text = run_refused().text();
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("error: The run was refused, and the refusal is in the log."));
    assert!(text.contains("\nwhy:   approval_missing: Contosso has not voted yet"), "{text}");
    assert!(text.contains("\n       consent_withdrawn: Litware withdrew"), "{text}");
    assert!(text.contains("\n       It is in the log at 41.\n"), "{text}");
    assert!(text.contains("\ndo:    "), "{text}");
}

#[test]
fn each_reason_is_told_with_its_remedy() {
    let mut document = run_refused().document();
    document["reasons"][1]["remedy"] =
        json!({"step": "restore_consent", "who": [], "detail": "Litware: restore your consent"});
    let of = |document: &Value| {
        Failure::of_document(serde_json::from_value(document.clone()).unwrap()).text()
    };
    let text = of(&document);
    assert!(text.contains("withdrew its consent\n       -> Litware: restore your"), "{text}");
    assert!(text.contains("\ndo:    "), "one reason has none: {text}");
    document["reasons"][0]["remedy"] = json!({"step": "vote", "who": [], "detail": "Vote"});
    assert!(!of(&document).contains("\ndo:    "), "{}", of(&document));
}

#[test]
fn programs_get_a_problem_with_the_exit_code() {
    let document = run_refused().document();
    assert_eq!(document["code"], "run_refused");
    assert_eq!(document["exit_code"], 1);
    assert_eq!(document["reasons"][1]["code"], "consent_withdrawn");
    assert!(document["hint"].is_string());
}

#[test]
fn a_refusal_for_one_reason_says_it_once() {
    let document = json!({
        "type": "t", "title": "Not permitted", "status": 403, "code": "not_an_approver",
        "detail": "Only an approver may.",
        "reasons": [{"code": "not_an_approver", "detail": "only an approver may"}],
    });
    let text = Failure::of_document(serde_json::from_value(document).unwrap()).text();
    assert_eq!(text.matches("approver may").count(), 1, "{text}");
    assert!(text.starts_with("error: Not permitted\n"), "{text}");
}

#[test]
fn a_failing_service_is_not_a_refusal() {
    let document = json!({"type": "t", "title": "Internal error", "status": 500,
        "code": "internal", "detail": "The service failed.", "instance": "urn:x"});
    let failure = Failure::of_document(serde_json::from_value(document).unwrap());
    assert_eq!(failure.exit(), Exit::Unreadable);
    assert!(failure.text().contains("urn:x"));
}
