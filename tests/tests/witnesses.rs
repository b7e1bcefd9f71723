//! Two witnesses in processes of their own cosign a server's log; the cosigned note is kept, served
//! in bundles and published with the tiles.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::process::Command;
use std::time::Duration;

use chancery_tests::{Background, Served, chancery, free_port, is_open, offline, wait_until};
use sqlx::{Connection as _, SqliteConnection};

const WAIT: Duration = Duration::from_mins(1);

struct Witness {
    name: &'static str,
    port: u16,
    data_dir: String,
    log: String,
    process: Option<Background>,
}

impl Witness {
    fn new(served: &Served, name: &'static str, log: &str) -> Self {
        let data_dir = served.folder.path().join(name.replace('/', "-"));
        let data_dir = data_dir.to_string_lossy().into_owned();
        Self { name, port: free_port(), data_dir, log: log.to_owned(), process: None }
    }

    /// As `chancery serve --witness` takes it.
    fn option(&self) -> String {
        let key =
            offline(&["witness", "key", "--data-dir", &self.data_dir, "--name", self.name], None);
        assert_eq!(key.code, 0, "{:#}", key.document);
        format!("{} http://127.0.0.1:{}", key.document["verifier_key"].as_str().unwrap(), self.port)
    }

    fn start(&mut self) {
        let mut command = Command::new(chancery());
        command.args(["witness", "serve", "--data-dir", &self.data_dir, "--name", self.name]);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port), "--log", &self.log]);
        let log = format!("{}.log", self.data_dir);
        self.process = Some(Background::start(&mut command, log.as_ref()));
        wait_until("the witness is up", WAIT, || is_open(self.port).then_some(()));
    }
}

/// The cosigned note that the server keeps, and its size.
fn cosigned(served: &Served) -> Option<(i64, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}?mode=ro", served.data_dir.join("log.db").display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query_as("SELECT size, note FROM cosigned")
            .fetch_optional(&mut database)
            .await
            .unwrap()
    })
}

#[test]
fn a_checkpoint_that_both_witnesses_cosign_is_kept_and_handed_on() {
    let mut served = Served::start(None);
    let olivia = served.olivia("olivia");
    let key = olivia.does(&["service"])["verifier_key"].as_str().unwrap().to_owned();
    let mut witnesses = ["witness.example/one", "witness.example/two"]
        .map(|name| Witness::new(&served, name, &key));
    for witness in &mut witnesses {
        let option = witness.option();
        served.options.extend(["--witness".to_owned(), option]);
        witness.start();
    }
    served.options.extend(["--witness-quorum".to_owned(), "2".to_owned()]);
    served.kill();
    served.resume();
    let created = olivia.does(&[
        "collaboration",
        "create",
        "--name",
        "Witnessed",
        "--organisation",
        "Litware",
        "--allow-insecure-virtual",
    ]);
    let kept = |size: i64| {
        wait_until(&format!("{size} entries are cosigned"), WAIT, || {
            cosigned(&served).filter(|(kept, _)| *kept == size).map(|(_, note)| note)
        })
    };
    let note = kept(1);
    for name in ["witness.example/one", "witness.example/two"] {
        assert!(note.contains(&format!("\n\u{2014} {name} ")), "{note}");
    }

    // A witness that was away goes on where it was.
    witnesses[1].process.take().unwrap().kill();
    olivia.does(&["collaboration", "enable-workload", "spark-sql"]);
    witnesses[1].start();
    let note = kept(2);
    let bundle = served.folder.path().join("witnessed.chancery").to_string_lossy().into_owned();
    olivia.does(&["audit", "export", &bundle]);
    let report = olivia.does(&["audit", "verify", &bundle]);
    assert_eq!(report["verdict"], "verified", "{report:#}");
    let bytes = std::fs::read(&bundle).unwrap();
    let holds = |what: &str| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    assert!(holds(&note), "the bundle ends with the cosigned note");

    let out = served.folder.path().join("tiles");
    let tiles = served.operate(&["log", "tiles", "--out", out.to_str().unwrap()]);
    assert_eq!(tiles.code, 0, "{:#}", tiles.document);
    let id = created["collaboration"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(out.join(id).join("checkpoint")).unwrap(), note);
    let fsck = served.operate(&["log", "fsck"]);
    assert_eq!((fsck.code, &fsck.document["clean"]), (0, &true.into()), "{:#}", fsck.document);
}

#[test]
fn a_quorum_that_cannot_be_met_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("w").to_string_lossy().into_owned();
    let key =
        offline(&["witness", "key", "--data-dir", &data_dir, "--name", "witness.example"], None);
    let witness =
        format!("{} https://witness.example", key.document["verifier_key"].as_str().unwrap());
    let refused = offline(
        &[
            "serve",
            "--name",
            "ledger.example.com",
            "--issuer",
            "https://login.example.com",
            "--data-dir",
            folder.path().join("server").to_str().unwrap(),
            "--witness",
            &witness,
            "--witness-quorum",
            "2",
        ],
        None,
    );
    assert_eq!(refused.code, 1, "{:#}", refused.document);
    assert!(refused.document.to_string().contains("2 of 1"), "{:#}", refused.document);
}
