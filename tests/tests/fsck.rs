//! `chancery log fsck` on the data folder of a real server: clean as it is left, and each kind of
//! damage named.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chancery_tests::{Outcome, Person, Served, offline};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

/// Entries that complete a tile: the first node of the tree is stored then.
const TILE: u64 = 256;

fn fsck(data_dir: &Path) -> Outcome {
    offline(&["log", "fsck", "--data-dir", data_dir.to_str().unwrap()], None)
}

/// What disagrees in the only log.
fn findings(outcome: &Outcome) -> Vec<String> {
    let findings = outcome.document["logs"][0]["findings"].as_array().unwrap();
    findings.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// A copy of a data folder, to be damaged.
fn copy(from: &Path, to: PathBuf) -> PathBuf {
    std::fs::create_dir(&to).unwrap();
    std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o700)).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    to
}

/// Does to a database what someone who has it could: the guards go first.
fn damage(data_dir: &Path, statements: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", data_dir.join("log.db").display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        let guards: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
                .fetch_all(&mut database)
                .await
                .unwrap();
        for guard in guards {
            let drop = AssertSqlSafe(format!("DROP TRIGGER {guard}"));
            sqlx::query(drop).execute(&mut database).await.unwrap();
        }
        for statement in statements {
            let done = sqlx::query(AssertSqlSafe(*statement)).execute(&mut database).await;
            assert!(done.unwrap().rows_affected() > 0, "{statement} changed nothing");
        }
        database.close().await.unwrap();
    });
}

/// Sets the policy of the collaboration until its log has `size` entries, over one connection.
fn grow(person: &Person, size: u64) {
    let token = std::fs::read(person.profile.join("token.json")).unwrap();
    let token: Value = serde_json::from_slice(&token).unwrap();
    let token = token["access_token"].as_str().unwrap();
    let room = person.collaboration.as_ref().unwrap();
    let show = person.does(&["collaboration", "show"]);
    let mut version = show["version"].as_u64().unwrap();
    let host = person.server.strip_prefix("http://").unwrap();
    let mut connection = BufReader::new(TcpStream::connect(host).unwrap());
    let mut position = version;
    while position + 1 < size {
        let body = format!("{{\"applications\":[\"sha256:{position:064x}\"]}}");
        // A UUIDv7 of a time long past: ids need only differ.
        let id = format!("00000000-0000-7000-8000-{position:012x}");
        let request = format!(
            "PUT /v1/collaborations/{room}/clean-room-policy HTTP/1.1\r\nhost: {host}\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             idempotency-key: {id}\r\nif-match: \"{version}\"\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.get_mut().write_all(request.as_bytes()).unwrap();
        let reply = answer(&mut connection);
        position = reply["position"].as_u64().unwrap_or_else(|| panic!("{reply:#}"));
        version = position;
    }
}

fn answer(connection: &mut BufReader<TcpStream>) -> Value {
    let mut len = 0;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        match line.trim_end().to_ascii_lowercase().strip_prefix("content-length: ") {
            Some(value) => len = value.parse().unwrap(),
            None if line == "\r\n" => break,
            None => assert!(!line.is_empty(), "the connection ended"),
        }
    }
    let mut body = vec![0; len];
    connection.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// A room with one invitation that is open and one that is erased, and a full tile.
fn room(served: &Served) -> (Person, String, String) {
    let mut olivia = served.olivia("olivia");
    let created = olivia.does(&[
        "collaboration",
        "create",
        "--name",
        "Sound",
        "--organisation",
        "Litware",
        "--allow-insecure-virtual",
    ]);
    olivia.collaboration = Some(created["collaboration"].as_str().unwrap().to_owned());
    let invite = |email: &str, organisation: &str| {
        let arguments = ["--organisation", organisation, "--ability", "analyst"];
        let reply = olivia.does(&[&["collaboration", "invite", email], &arguments[..]].concat());
        reply["subject"].as_str().unwrap().to_owned()
    };
    let kept = invite("carlos@contosso.example", "Contosso");
    let erased = invite("fatima@fabrikam.example", "Fabrikam");
    let unsaid = olivia.run(&["collaboration", "erase", "Fabrikam"]);
    assert_eq!((unsaid.code, &unsaid.document["code"]), (64, &"not_confirmed".into()));
    assert!(unsaid.notes.contains("unreadable for ever"), "{}", unsaid.notes);
    let erase = ["collaboration", "erase", "Fabrikam", "--yes"];
    olivia.does(&erase);
    assert_eq!(olivia.is_refused(&erase), ["personal_erased"]);
    grow(&olivia, TILE);
    (olivia, kept, erased)
}

#[test]
fn a_sound_log_is_clean_and_each_damage_is_named() {
    let mut served = Served::start(None);
    let (olivia, kept, erased) = room(&served);
    // While the server is up.
    let clean = fsck(&served.data_dir);
    assert_eq!(clean.code, 0, "{:#}", clean.document);
    let log = &clean.document["logs"][0];
    assert_eq!((&log["entries"], &log["nodes"]), (&TILE.into(), &1.into()), "{log:#}");
    assert_eq!((&log["audit"], &log["personal_keys"]), (&"verified".into(), &2.into()));
    assert_eq!(clean.document["service_keys_compared"], true);
    assert_eq!(
        clean.document["views"],
        serde_json::json!({"checked": true, "findings": [], "finding_count": 0})
    );

    served.kill();
    let backup = copy(&served.data_dir, served.folder.path().join("backup"));
    let damaged = |name: &str, statements: &[&str]| {
        let data_dir = copy(&backup, served.folder.path().join(name));
        damage(&data_dir, statements);
        let outcome = fsck(&data_dir);
        assert_eq!(outcome.code, 1, "{name}: {:#}", outcome.document);
        outcome
    };

    // The last byte of an entry is of its seal's signature.
    let flip = "UPDATE entries SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || \
                CASE substr(sealed, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) \
                WHERE position = 3";
    let flipped = damaged("flipped", &[flip]);
    let told = findings(&flipped);
    assert_eq!(flipped.document["logs"][0]["audit"], "tampered");
    assert!(
        told.contains(&"the leaf hash of entry 3 isn't that of its bytes".to_owned()),
        "{told:?}"
    );
    let seal = "the audit says tampered: seal at position 3";
    assert!(told.iter().any(|it| it.starts_with(seal)), "{told:?}");

    let lost = damaged("lost", &["DELETE FROM nodes"]);
    assert_eq!(findings(&lost), ["node 0 of level 1 is missing"]);
    assert_eq!(lost.document["logs"][0]["audit"], "verified");

    let rolled = damaged("rolled", &["UPDATE heads SET size = size - 1"]);
    let told = findings(&rolled);
    assert!(told.contains(&"an entry at position 255 lies beyond the head".to_owned()), "{told:?}");
    assert!(
        told.iter().any(|it| it.starts_with("the head's checkpoint isn't of the 255")),
        "{told:?}"
    );
    assert!(
        told.iter().any(|it| it.starts_with("the audit says incomplete: checkpoint")),
        "{told:?}"
    );
    let views = rolled.document["views"]["findings"][0].as_str().unwrap().to_owned();
    assert!(views.contains("show 256 entries") && views.ends_with("the log has 255"), "{views}");

    let gap = damaged("gap", &["DELETE FROM entries WHERE position = 100"]);
    let told = findings(&gap);
    assert!(told[0].starts_with("1 entries from position 100 on are missing"), "{told:?}");
    assert_eq!(gap.document["logs"][0]["audit"], Value::Null, "it was not to be read");

    let forgotten = format!("DELETE FROM personal_keys WHERE subject = '{kept}'");
    let keyless = damaged("keyless", &[&forgotten]);
    assert_eq!(findings(&keyless), [format!("the key of {kept}'s e-mail is missing")]);
    let restored = format!(
        "INSERT INTO personal_keys SELECT collaboration, '{erased}', key FROM personal_keys"
    );
    let unerased = damaged("unerased", &[&restored]);
    let told = findings(&unerased);
    assert!(told[0].starts_with(&format!("{erased} was erased at position 3")), "{told:?}");

    // Another service's key in the data folder.
    let foreign = copy(&backup, served.folder.path().join("foreign"));
    let rotated =
        offline(&["service", "rotate-key", "--data-dir", foreign.to_str().unwrap()], None);
    assert_eq!(rotated.code, 0);
    assert_eq!(fsck(&foreign).code, 0, "an older key is a key of the service");
    std::fs::remove_dir_all(foreign.join("service-keys")).unwrap();
    let told = findings(&fsck(&foreign));
    assert!(told[0].contains("not among the service's keys"), "{told:?}");

    // The log of a backup under views that saw more.
    served.resume();
    grow(&olivia, TILE + 1);
    olivia.does(&["collaboration", "show"]);
    served.kill();
    for file in ["log.db", "log.db-wal", "log.db-shm"] {
        std::fs::remove_file(served.data_dir.join(file)).ok();
        std::fs::copy(backup.join(file), served.data_dir.join(file)).ok();
    }
    let restored = fsck(&served.data_dir);
    assert_eq!((restored.code, findings(&restored).len()), (1, 0), "{:#}", restored.document);
    let views = restored.document["views"]["findings"][0].as_str().unwrap().to_owned();
    assert!(views.contains("show 257 entries") && views.ends_with("the log has 256"), "{views}");
}

#[test]
fn a_stored_secret_that_is_missing_another_or_nobody_s_is_named() {
    let mut served = Served::start(None);
    let mut olivia = served.olivia("olivia");
    let create = ["collaboration", "create", "--name", "Sound", "--organisation", "Litware"];
    let created = olivia.does(&[&create[..], &["--allow-insecure-virtual"]].concat());
    olivia.collaboration = Some(created["collaboration"].as_str().unwrap().to_owned());
    let file = |name: &str, bytes: &[u8]| {
        let path = served.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let orders = serde_json::json!({
        "name": "orders",
        "format": {"kind": "csv", "null_value": null},
        "columns": [{"name": "region", "type": "string"}],
        "store": {"kind": "local", "path": "orders"},
        "access_mode": "read",
        "policy": {"allowed_columns": ["region"], "minimum_group": null},
        "encryption": "chunked-aes-256-gcm",
    });
    let published =
        olivia.does(&["dataset", "publish", &file("orders.json", orders.to_string().as_bytes())]);
    let dataset = published["subject"].as_str().unwrap().to_owned();
    let store = |key: &str| olivia.does(&["dataset", "store-secret", "orders", "--key", key]);
    store(&file("first.key", &[1; 32]));
    // The first one is destroyed with the entry that stores the next.
    let stored = store(&file("second.key", &[2; 32]))["position"].as_u64().unwrap();
    let clean = fsck(&served.data_dir);
    assert_eq!(clean.code, 0, "{:#}", clean.document);
    assert_eq!(clean.document["logs"][0]["secrets"], 1);

    served.kill();
    let damaged = |name: &str, statement: &str| {
        let data_dir = copy(&served.data_dir, served.folder.path().join(name));
        damage(&data_dir, &[statement]);
        let outcome = fsck(&data_dir);
        assert_eq!(outcome.code, 1, "{name}: {:#}", outcome.document);
        findings(&outcome)
    };
    let lost = damaged("lost", "DELETE FROM personal_keys WHERE subject LIKE 'secret/%'");
    let missing = format!("the secret of {dataset}, stored at position {stored}, is missing");
    assert_eq!(lost, [missing]);
    let changed =
        damaged("changed", "UPDATE personal_keys SET key = x'00' WHERE subject LIKE 'secret/%'");
    let other = format!("the secret of {dataset} is another than was stored at position {stored}");
    assert_eq!(changed, [other]);
    let left = damaged(
        "left",
        "INSERT INTO personal_keys SELECT collaboration, 'secret/of-nobody', key FROM personal_keys",
    );
    assert_eq!(left, ["secret/of-nobody lies beside the log, which has no use for it"]);
}

#[test]
fn what_is_no_log_is_unreadable_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let missing = fsck(folder.path());
    assert_eq!(missing.code, 3, "{:#}", missing.document);
    assert!(missing.document["title"].as_str().unwrap().ends_with("holds no log"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(folder.path().join("log.db"), b"not a database, and long enough to tell")
        .unwrap();
    assert_eq!(fsck(folder.path()).code, 3);
    let other = ["log", "fsck", "--collaboration", "Flights", "--data-dir"];
    let path = folder.path().to_str().unwrap();
    assert_eq!(offline(&[&other[..], &[path]].concat(), None).code, 64);
    assert_eq!(offline(&["log", "fsck"], None).code, 64);
}
