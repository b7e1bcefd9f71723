//! `chancery serve`, with the options that the README names, and an OIDC issuer of another process.

use std::process::Command;
use std::time::Duration;

use chancery_tests::{Background, Person, Room, Shape, chancery, free_port, is_open, wait_until};

#[test]
fn a_server_takes_the_tokens_of_its_issuer_and_of_no_other() {
    // Any OIDC issuer will do: here the one of a development server, which plays no other part.
    let issuers = [Room::start(Shape::ServerOnly), Room::start(Shape::ServerOnly)];
    let [trusted, foreign] =
        issuers.each_ref().map(|it| format!("{}/dev/issuer", it.litware.server));
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(chancery());
    command.args(["serve", "--name", "ledger.example.com", "--audience", "chancery"]);
    command.args(["--tenant-claim", "tid", "--executor-subject", "chancery-executor"]);
    command.args(["--issuer", &trusted, "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]);
    command.arg(folder.path().join("chancery")).args(["--log-format", "json"]);
    let server = Background::start(&mut command, &folder.path().join("server.log"));
    wait_until("the server is up", Duration::from_secs(30), || is_open(port).then_some(()));

    let olivia = Person {
        profile: folder.path().join("olivia"),
        server: format!("http://127.0.0.1:{port}"),
        collaboration: None,
    };
    olivia.does(&["login", "--as", "olivia@litware.example", "--issuer", &trusted]);
    let created = olivia.does(&[
        "collaboration",
        "create",
        "--name",
        "Served",
        "--organisation",
        "Litware",
        "--allow-insecure-virtual",
    ]);
    assert_eq!(created["position"], 0, "{created:#}");
    let bundle = folder.path().join("served.chancery").to_string_lossy().into_owned();
    olivia.does(&["audit", "export", &bundle]);
    let report = olivia.does(&["audit", "verify", &bundle]);
    assert_eq!(report["verdict"], "verified", "{report:#}");

    let mallory = Person { profile: folder.path().join("mallory"), ..olivia };
    let refused = mallory.run(&["login", "--as", "olivia@litware.example", "--issuer", &foreign]);
    let seen = if refused.code == 0 { mallory.run(&["whoami"]) } else { refused };
    assert_eq!(seen.code, 1, "{:#}", seen.document);
    assert!(seen.document.to_string().contains("token_issuer_unknown"), "{:#}", seen.document);
    let said = server.said();
    assert!(said.contains("\"service_key\""), "{said}");
    assert!(!said.contains("olivia@litware.example"), "the log names a person: {said}");
}

#[test]
fn a_development_server_refuses_to_be_reached_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(chancery())
        .args(["dev", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(folder.path().join("chancery"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("not a loopback address"), "{said}");
}
