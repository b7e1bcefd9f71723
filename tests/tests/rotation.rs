//! The service's key is rotated: the server moves its logs, clients trust the new key on proof only,
//! and the old one goes when nothing needs it.

use std::time::Duration;

use chancery_tests::{NAME, Person, Served, wait_until};
use serde_json::Value;

const MOVED: &str = "every log goes on under the current key";

fn create(person: &Person, name: &str) -> Value {
    person.does(&[
        "collaboration",
        "create",
        "--name",
        name,
        "--organisation",
        "Litware",
        "--allow-insecure-virtual",
    ])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn code(person: &Person, arguments: &[&str]) -> (i32, String) {
    let outcome = person.run(arguments);
    (outcome.code, text(&outcome.document["code"]))
}

#[test]
fn a_rotated_key_is_trusted_on_proof_and_the_old_one_retired() {
    let mut served = Served::start(None);
    let olivia = served.olivia("olivia");
    let elsewhere = served.olivia("elsewhere");
    create(&olivia, "One");
    let old = text(&olivia.does(&["service"])["key_id"]);
    assert_eq!(elsewhere.does(&["service", "trust-rotation"])["changed"], false);

    let rotated = served.operate(&["service", "rotate-key", "--name", NAME]);
    assert_eq!(rotated.code, 0, "{:#}", rotated.document);
    let new = text(&rotated.document["key_id"]);
    assert_eq!(rotated.document["previous_key_id"], old);
    // The server that is up goes on with the old key, which is safe meanwhile.
    assert_eq!(create(&olivia, "Two")["position"], 0);
    let retired = served.operate(&["service", "retire-keys"]);
    assert_eq!((retired.code, &retired.document["code"]), (1, &"key_in_use".into()));
    served.kill();
    let retired = served.operate(&["service", "retire-keys"]);
    assert_eq!((retired.code, &retired.document["code"]), (1, &"log_not_moved".into()));

    served.resume();
    wait_until("the logs are moved", Duration::from_mins(1), || {
        served.said().contains(MOVED).then_some(())
    });
    assert!(served.said().contains("moved=2"), "{}", served.said());
    let shown = olivia.does(&["service"]);
    assert_eq!(shown["key_id"], new);
    assert_eq!(shown["verifier_key"], rotated.document["verifier_key"]);
    let refused = olivia.run(&["collaboration", "list"]);
    assert_eq!(refused.code, 1, "{:#}", refused.document);
    assert_eq!(refused.document["code"], "service_key_changed");
    assert!(text(&refused.document["hint"]).contains("chancery service trust-rotation"));

    let trusted = olivia.does(&["service", "trust-rotation"]);
    assert_eq!((&trusted["changed"], &trusted["key_id"]), (&true.into(), &Value::from(&*new)));
    assert_eq!(trusted["proven_by"], "One");
    let items = olivia.does(&["collaboration", "list"])["items"].as_array().unwrap().len();
    assert_eq!(items, 2);
    let bundle = served.folder.path().join("one.chancery").to_string_lossy().into_owned();
    olivia.does(&["--collaboration", "One", "audit", "export", &bundle]);
    for key in [&old, &new] {
        let report = olivia.does(&["audit", "verify", &bundle, "--service-key", key]);
        assert_eq!(report["verdict"], "verified", "{report:#}");
    }
    // Whoever can't take the log themself takes it from another member.
    assert_eq!(code(&elsewhere, &["whoami"]), (1, "service_key_changed".to_owned()));
    elsewhere.does(&["service", "trust-rotation", "--bundle", &bundle]);
    elsewhere.does(&["whoami"]);

    let retired = served.operate(&["service", "retire-keys"]);
    assert_eq!(retired.code, 0, "{:#}", retired.document);
    assert_eq!(retired.document["deleted"], Value::from(vec![old]));
    let left = std::fs::read_dir(served.data_dir.join("service-keys")).unwrap().count();
    assert_eq!(left, 0);
    served.kill();
    served.resume();
    assert_eq!(create(&olivia, "Three")["position"], 0);
    let position =
        olivia.does(&["--collaboration", "One", "collaboration", "enable-workload", "spark-sql"]);
    assert_eq!(position["position"], 2, "the rotation is at 1: {position:#}");
    let fsck = served.operate(&["log", "fsck"]);
    assert_eq!(fsck.code, 0, "{:#}", fsck.document);
    assert_eq!(fsck.document["service_keys_compared"], true);
}

#[test]
fn another_service_in_the_place_of_the_known_one_proves_nothing() {
    let mut served = Served::start(None);
    let olivia = served.olivia("olivia");
    create(&olivia, "One");
    let bundle = served.folder.path().join("one.chancery").to_string_lossy().into_owned();
    olivia.does(&["audit", "export", &bundle]);
    let pinned = || std::fs::read(olivia.profile.join("config.json")).unwrap();
    let before = pinned();
    served.kill();
    // The same name and issuer at the same address, with a key of its own.
    served.data_dir = served.folder.path().join("impostor");
    served.resume();
    let unproven = (1, "rotation_unproven".to_owned());
    assert_eq!(code(&olivia, &["service", "trust-rotation"]), unproven);
    create(&served.olivia("stranger"), "One");
    let refused = olivia.run(&["service", "trust-rotation"]);
    assert_eq!(refused.document["code"], "rotation_unproven", "{:#}", refused.document);
    assert!(refused.document.to_string().contains("never sealed"), "{:#}", refused.document);
    // The true log does not lead to that key.
    let refused = olivia.run(&["service", "trust-rotation", "--bundle", &bundle]);
    assert_eq!(refused.document["code"], "rotation_unproven", "{:#}", refused.document);
    assert!(refused.document.to_string().contains("goes on under"), "{:#}", refused.document);
    assert_eq!(pinned(), before);
    assert_eq!(code(&olivia, &["whoami"]), (1, "service_key_changed".to_owned()));
}
