//! `chancery audit` as scripts see it: exit codes and forms, on bundles of a real log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../ledger/store/tests/support/postgres.rs"]
mod server;
#[path = "../../audit/tests/story/mod.rs"]
mod story;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chancery_store::{Append, NewEntry, Store};
use serde_json::Value;
use story::{Person, Right, Story};

fn chancery(dir: &Path, line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .env_remove("CHANCERY_COLLABORATION")
        .env_remove("CHANCERY_DATABASE")
        .env("CHANCERY_PROFILE", dir.join("profile"))
        .current_dir(dir)
        .args(line)
        .output()
        .unwrap()
}

/// The exit code and the answer as JSON.
fn json(dir: &Path, line: &[&str]) -> (Option<i32>, Value) {
    let line: Vec<_> = ["--output", "json"].iter().chain(line).copied().collect();
    let output = chancery(dir, &line);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn bundle(dir: &Path, name: &str, story: &Story) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, story.bundle()).unwrap();
    path
}

#[test]
fn a_page_is_written_beside_the_answer_and_never_over_the_bundle() {
    let dir = tempfile::tempdir().unwrap();
    bundle(dir.path(), "b", &Story::whole());
    let (code, report) = json(dir.path(), &["audit", "verify", "b", "--html", "page.html"]);
    assert_eq!((code, &report["verdict"]), (Some(0), &"verified".into()));
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(page.contains(report["log"]["root"].as_str().unwrap()));

    let before = fs::read(dir.path().join("b")).unwrap();
    let (code, failure) = json(dir.path(), &["audit", "verify", "b", "--html", "./b"]);
    assert_eq!((code, &failure["code"]), (Some(64), &"html_over_bundle".into()));
    assert_eq!(fs::read(dir.path().join("b")).unwrap(), before);

    fs::write(dir.path().join("cut"), &before[..before.len() - 9]).unwrap();
    let output = chancery(dir.path(), &["audit", "verify", "cut", "--html", "cut.html"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(fs::read_to_string(dir.path().join("cut.html")).unwrap().contains("INCOMPLETE"));
}

#[test]
fn a_moment_is_a_position_or_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::whole();
    bundle(dir.path(), "b", &story);
    let (code, report) = json(dir.path(), &["audit", "verify", "b", "--at", "24"]);
    assert_eq!((code, &report["log"]["at"]["after"]["position"]), (Some(0), &24.into()));
    assert_eq!(report["log"]["at"]["queries"][0]["state"], "proposed");
    let (_, report) =
        json(dir.path(), &["audit", "verify", "b", "--at", "2026-01-05T10:22:30+01:00"]);
    assert_eq!(report["log"]["at"]["after"]["position"], 24);
    let (_, report) = json(dir.path(), &["audit", "verify", "b", "--at", "9999", "--from", "40"]);
    assert_eq!(report["log"]["at"]["kind"], "beyond-end");
    assert_eq!(report["log"]["timeline"]["entries"][0]["position"], 40);
    let (code, failure) = json(dir.path(), &["audit", "verify", "b", "--at", "noon"]);
    assert_eq!((code, &failure["code"]), (Some(64), &"usage".into()));
}

#[test]
fn bundles_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    bundle(dir.path(), "short", &Story::started());
    bundle(dir.path(), "long", &Story::whole());
    let (mut one, mut other) = (Story::proposed(), Story::proposed());
    one.approve(Right::Key(Person::Litware), story::delays());
    other.approve(Right::Key(Person::Contosso), story::delays());
    bundle(dir.path(), "one", &one);
    bundle(dir.path(), "other", &other);
    let strange = Story::founded_in(Story { service: story::key(99), ..Story::default() });
    bundle(dir.path(), "strange", &strange);
    fs::write(dir.path().join("junk"), "junk").unwrap();
    for (a, b, code, outcome) in [
        ("short", "short", 0, "same"),
        ("short", "long", 0, "grew"),
        ("one", "other", 1, "fork"),
        ("short", "strange", 64, "other-logs"),
        ("short", "junk", 3, "not-verified"),
    ] {
        let (exit, diff) = json(dir.path(), &["audit", "diff", a, b]);
        assert_eq!((exit, &diff["outcome"]), (Some(code), &outcome.into()), "{a} {b}");
        let text = chancery(dir.path(), &["audit", "diff", a, b]);
        assert_eq!(text.status.code(), Some(code));
        assert!(!text.stdout.is_empty());
    }
    let (code, failure) = json(dir.path(), &["audit", "diff", "short", "none"]);
    assert_eq!((code, &failure["code"]), (Some(3), &"unreadable".into()));
}

#[test]
fn result_files_are_held_against_a_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let mut story = Story::started();
    let content = b"model,flights,delay\nB737,9,1.5\n";
    story.succeed_with(0, content);
    bundle(dir.path(), "b", &story);
    fs::create_dir(dir.path().join("out")).unwrap();
    fs::write(dir.path().join("out/part-0.parquet"), content).unwrap();
    let line = ["audit", "result", "out", "--bundle", "b"];
    let (code, result) = json(dir.path(), &line);
    assert_eq!((code, &result["attested"]), (Some(0), &true.into()), "{result}");
    assert_eq!(result["results"][0]["files_here"], result["results"][0]["files"]);

    fs::write(dir.path().join("out/more"), "x").unwrap();
    let (code, result) = json(dir.path(), &line);
    assert_eq!((code, &result["attested"]), (Some(1), &false.into()), "{result}");

    let run = story::run(1).to_string();
    let other = ["audit", "result", "out/part-0.parquet", "--bundle", "b", "--run", &run];
    assert_eq!(json(dir.path(), &other).0, Some(1));
    fs::create_dir(dir.path().join("empty")).unwrap();
    let (code, failure) = json(dir.path(), &["audit", "result", "empty", "--bundle", "b"]);
    assert_eq!((code, &failure["code"]), (Some(64), &"no_files".into()));
    fs::write(dir.path().join("bad"), &story.bundle()[..500]).unwrap();
    let (code, result) = json(dir.path(), &["audit", "result", "out", "--bundle", "bad"]);
    assert_eq!((code, &result["attested"]), (Some(2), &Value::Null));
}

/// A log database with this story in it.
async fn database(path: &Path, story: &Story) {
    fill(Store::open(path).await.unwrap(), story).await;
}

/// Appends the story; the last note but one is cosigned by two witnesses.
async fn fill(store: Store, story: &Story) {
    let entries = story.entries.iter();
    let entries = entries
        .map(|sealed| NewEntry { sealed: sealed.bytes().to_vec(), leaf_hash: sealed.leaf() })
        .collect();
    let append = Append {
        collaboration: story::room(),
        expected_size: 0,
        entries,
        checkpoint: story.parts().checkpoint,
        nodes: Vec::new(),
        commands: Vec::new(),
        personal_keys: Vec::new(),
        erased: Vec::new(),
    };
    store.append(append).await.unwrap();
    let seen = story.entries.len() - 1;
    let note = story::checkpoint(&story.parts().entries[..seen], &story.service);
    let note = story::cosigned(&note, &[0, 1]);
    store.put_cosigned(story::room(), seen as u64, &note).await.unwrap();
    store.close().await;
}

/// The verifier keys of the first three witnesses, as arguments.
fn witnesses(wanted: &[usize]) -> Vec<String> {
    let policy = story::policy(1);
    let named = wanted.iter().map(|number| policy.witnesses()[*number].to_string());
    named.flat_map(|witness| ["--witness".to_owned(), witness]).collect()
}

#[tokio::test]
async fn witnesses_are_asked_for_by_name_and_number() {
    let dir = tempfile::tempdir().unwrap();
    database(&dir.path().join("log.db"), &Story::whole()).await;
    assert_eq!(json(dir.path(), &["audit", "export", "b", "--database", "log.db"]).0, Some(0));
    for (wanted, quorum, code) in [
        (&[0][..], None, 0),
        (&[0, 1], None, 0),
        (&[0, 1, 2], Some("2"), 0),
        (&[0, 1, 2], None, 2),
        (&[2], None, 2),
        (&[0, 0], None, 64),
        (&[0], Some("2"), 64),
        (&[0], Some("0"), 64),
        (&[], Some("1"), 64),
    ] {
        let named = witnesses(wanted);
        let mut line = vec!["audit", "verify", "b"];
        line.extend(named.iter().map(String::as_str));
        line.extend(quorum.iter().flat_map(|quorum| ["--quorum", quorum]));
        let (exit, report) = json(dir.path(), &line);
        assert_eq!(exit, Some(code), "{wanted:?} {quorum:?}: {report}");
        if code == 2 {
            assert_eq!(report["failure"]["check"], "witnesses");
        }
        if code == 0 {
            let cosigned = report["standing"]["witnessed"]["cosigned"].as_array().unwrap();
            assert_eq!(cosigned.len(), wanted.len().min(2));
        }
    }
    let junk = ["audit", "verify", "b", "--witness", "witness.example"];
    assert_eq!(json(dir.path(), &junk).0, Some(64));
}

#[tokio::test]
async fn a_part_is_exported_verified_and_asked_for_results_but_not_compared() {
    let dir = tempfile::tempdir().unwrap();
    let mut story = Story::started();
    let content = b"model,flights,delay\nB737,9,1.5\n";
    story.succeed_with(0, content);
    database(&dir.path().join("log.db"), &story).await;
    fs::write(dir.path().join("part-0.parquet"), content).unwrap();
    bundle(dir.path(), "whole", &story);
    let (run, query) = (story::run(0).to_string(), story::delays().to_string());
    let member = Person::Woodgrove.member().to_string();
    for (part, id, attests) in
        [("--run", &run, 0), ("--query", &query, 0), ("--member", &member, 1)]
    {
        let (code, exported) =
            json(dir.path(), &["audit", "export", "p", "--database", "log.db", part, id]);
        assert_eq!(code, Some(0), "{exported}");
        let scope = format!("{}/{id}", part.trim_start_matches('-'));
        assert_eq!(exported["scope"], scope);
        let key = exported["service_key"].as_str().unwrap();
        let (code, report) =
            json(dir.path(), &["audit", "verify", "p", "--service-key", key, "--html", "page"]);
        assert_eq!((code, &report["partial"]["scope"]), (Some(0), &scope.into()), "{report}");
        assert!(fs::read_to_string(dir.path().join("page")).unwrap().contains("PARTIAL"));

        let line = ["audit", "result", "part-0.parquet", "--bundle", "p"];
        let (code, result) = json(dir.path(), &line);
        assert_eq!((code, &result["attested"]), (Some(attests), &(attests == 0).into()));
        let text = chancery(dir.path(), &line).stdout;
        assert!(String::from_utf8(text).unwrap().contains("PARTIAL: "));
        for (a, b) in [("p", "whole"), ("whole", "p"), ("p", "p")] {
            let (code, diff) = json(dir.path(), &["audit", "diff", a, b]);
            assert_eq!((code, &diff["outcome"]), (Some(64), &"partial".into()));
            let text = chancery(dir.path(), &["audit", "diff", a, b]).stdout;
            assert!(String::from_utf8(text).unwrap().contains("export whole logs"));
        }
    }
    for (part, id, code, wanted) in [
        ("--run", &story::run(9).to_string()[..], 1, "run_not_found"),
        ("--query", &run, 1, "query_not_found"),
        (
            "--member",
            &story::id::<chancery_ledger::id::MemberId>(99).to_string(),
            1,
            "member_not_found",
        ),
        ("--query", "Delays by model", 64, "part_unclear"),
        ("--member", "Woodgrove", 64, "part_unclear"),
        ("--run", "first", 64, "usage"),
    ] {
        let (exit, failure) =
            json(dir.path(), &["audit", "export", "n", "--database", "log.db", part, id]);
        assert_eq!((exit, &failure["code"]), (Some(code), &wanted.into()), "{failure}");
        assert!(!dir.path().join("n").exists());
    }
    let both = ["audit", "export", "n", "--database", "log.db", "--run", &run, "--query", &query];
    assert_eq!(json(dir.path(), &both).0, Some(64));
}

#[tokio::test]
async fn a_log_is_exported_straight_from_postgresql() {
    let dir = tempfile::tempdir().unwrap();
    let server = server::Server::start();
    let url = server.database();
    let export = |part: &[&str]| {
        let line = ["audit", "export", "b", "--database", &url];
        json(dir.path(), &[&line[..], part].concat())
    };
    let (code, failure) = export(&[]);
    assert_eq!((code, &failure["code"]), (Some(3), &"unreadable".into()));
    assert!(failure.to_string().contains("has not the tables of a log"), "{failure}");
    let story = Story::whole();
    fill(Store::connect(&url).await.unwrap(), &story).await;
    let run = story::run(0).to_string();
    for part in [&[][..], &["--run", &run]] {
        let (code, exported) = export(part);
        assert_eq!(code, Some(0), "{exported}");
        let named = witnesses(&[0, 1]);
        let mut line = vec!["audit", "verify", "b"];
        line.extend(named.iter().map(String::as_str));
        let (code, report) = json(dir.path(), &line);
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["standing"]["witnessed"]["size"], story.entries.len() - 1);
    }
}

#[tokio::test]
async fn a_log_is_exported_straight_from_its_database() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::whole();
    database(&dir.path().join("log.db"), &story).await;
    let before = fs::read(dir.path().join("log.db")).unwrap();
    let room = story::room().to_string();
    for line in [
        &["audit", "export", "b", "--database", "log.db"][..],
        &["audit", "export", "b", "--database", "log.db", "--collaboration", &room][..],
    ] {
        let (code, exported) = json(dir.path(), line);
        assert_eq!(code, Some(0), "{exported}");
        let key = exported["service_key"].as_str().unwrap();
        let (code, report) = json(dir.path(), &["audit", "verify", "b", "--service-key", key]);
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["log"]["size"], story.entries.len());
        assert_eq!(json(dir.path(), &["audit", "diff", "b", "b"]).1["outcome"], "same");
    }
    assert_eq!(fs::read(dir.path().join("log.db")).unwrap(), before, "it was only read");
}

#[tokio::test]
async fn a_database_that_is_none_is_neither_read_nor_made() {
    let dir = tempfile::tempdir().unwrap();
    database(&dir.path().join("log.db"), &Story::founded()).await;
    fs::write(dir.path().join("empty"), "").unwrap();
    fs::write(dir.path().join("text"), "not a database, and longer than a header").unwrap();
    let stranger = story::id::<chancery_ledger::id::CollaborationId>(0x77).to_string();
    for (database, more, code, wanted) in [
        ("none", &[][..], 3, "unreadable"),
        ("empty", &[], 3, "unreadable"),
        ("text", &[], 3, "unreadable"),
        ("postgres://nobody:secret@127.0.0.1:1/x", &[], 3, "unreadable"),
        ("log.db", &["--collaboration", "Flights"], 64, "collaboration_unclear"),
        ("log.db", &["--collaboration", &stranger], 1, "collaboration_not_found"),
    ] {
        let line = ["audit", "export", "b", "--database", database];
        let line: Vec<_> = line.iter().chain(more).copied().collect();
        let (exit, failure) = json(dir.path(), &line);
        assert_eq!((exit, &failure["code"]), (Some(code), &wanted.into()), "{failure}");
        assert!(!failure.to_string().contains("secret"));
        assert!(!dir.path().join("b").exists() && !dir.path().join("none").exists());
    }
    assert_eq!(fs::read(dir.path().join("empty")).unwrap(), b"");
}
