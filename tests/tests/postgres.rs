//! A server with its log in PostgreSQL: its views, its upkeep, and where the password does not go.

#[path = "../../ledger/store/tests/support/postgres.rs"]
mod server;

use chancery_tests::{Served, offline};

const SECRET: &str = "hunter2-is-secret";

#[test]
fn the_log_is_in_the_database_and_the_password_nowhere() {
    let postgres = server::Server::start();
    let url = postgres.database();
    // Any password does where the server trusts its socket.
    let url = format!("{url}&password={SECRET}");
    let mut served = Served::start(Some(url.clone()));
    let olivia = served.olivia("olivia");
    let create = |name: &str| {
        olivia.does(&[
            "collaboration",
            "create",
            "--name",
            name,
            "--organisation",
            "Litware",
            "--allow-insecure-virtual",
        ])
    };
    create("One");
    served.kill();
    served.resume();
    create("Two");
    assert!(!served.data_dir.join("log.db").exists(), "the log is not in the data folder");
    assert!(served.data_dir.join("views.db").is_file());
    let listed = olivia.does(&["collaboration", "list"]);
    let rebuilt = served.operate(&["projections", "rebuild"]);
    assert_eq!((rebuilt.code, &rebuilt.document["entries"]), (0, &2.into()));
    assert_eq!(olivia.does(&["collaboration", "list"]), listed);

    let fsck = served.operate(&["log", "fsck"]);
    assert_eq!((fsck.code, &fsck.document["clean"]), (0, &true.into()), "{:#}", fsck.document);
    assert_eq!(fsck.document["logs"].as_array().unwrap().len(), 2);
    assert_eq!(fsck.document["views"]["checked"], true);
    // The database alone will do, too.
    let alone = offline(&["log", "fsck", "--database", &url], None);
    assert_eq!((alone.code, &alone.document["clean"]), (0, &true.into()), "{:#}", alone.document);
    assert_eq!(alone.document["service_keys_compared"], false);
    // An empty database is not made into a log.
    let empty = postgres.database();
    let refused =
        offline(&["log", "fsck", "--database", &format!("{empty}&password={SECRET}")], None);
    assert_eq!(refused.code, 3, "{:#}", refused.document);
    let again = offline(&["log", "fsck", "--database", &empty], None);
    assert_eq!(again.document["detail"], refused.document["detail"]);

    let rotated = served.operate(&["service", "rotate-key"]);
    assert_eq!(rotated.code, 0, "{:#}", rotated.document);
    served.kill();
    // It is the database's logs that count: without it nothing is known of them.
    let data_dir = served.data_dir.to_str().unwrap();
    let blind = offline(&["service", "retire-keys", "--data-dir", data_dir], None);
    assert_eq!(blind.code, 3, "{:#}", blind.document);
    let early = served.operate(&["service", "retire-keys"]);
    assert_eq!(early.document["code"], "log_not_moved", "{:#}", early.document);

    let wrong = offline(&["log", "fsck", "--database", &format!("mysql://u:{SECRET}@h/d")], None);
    assert_eq!(wrong.code, 64);
    for said in
        [served.said(), refused.document.to_string(), refused.notes, wrong.document.to_string()]
    {
        assert!(!said.contains(SECRET), "{said}");
    }
}
