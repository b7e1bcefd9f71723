//! TPC-H query 5 through the API: six tables of two providers, voted on by three organisations, run on
//! real Spark, against `DuckDB`'s answer. All 22 are compared in `executor/spark/tests/test_tpch.py`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::path::Path;
use std::process::Command;

use chancery_tests::{Person, Room, Shape, root, venv};
use serde_json::{Value, json};

const NAME: &str = "TPC-H 5";
const TABLES: [&str; 6] = ["customer", "orders", "lineitem", "supplier", "nation", "region"];
/// `DuckDB` over the files of a folder, with exact amounts: rows as JSON.
const ORACLE: &str = r#"
import duckdb, json, sys
folder, tables, query = sys.argv[1], json.loads(open(sys.argv[2]).read()), open(sys.argv[3]).read()
kinds = {"long": "BIGINT", "double": "DECIMAL(15, 2)", "string": "VARCHAR", "date": "DATE"}
for name in sys.argv[4:]:
    columns = {c: kinds[t] for c, t in tables[name]["columns"].items()}
    duckdb.sql(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{folder}/{name}.csv', header = true, columns = {columns})")
print(json.dumps([[name, float(amount)] for name, amount in duckdb.sql(query).fetchall()]))
"#;

fn tpch(name: &str) -> String {
    root().join("tests/tpch").join(name).to_string_lossy().into_owned()
}

fn generate(folder: &Path) {
    let program = venv().join("bin/tpchgen-cli");
    let made =
        Command::new(program).args(["csv", "-s", "0.01", "-o"]).arg(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn oracle(folder: &Path) -> Vec<(String, f64)> {
    let told = Command::new(venv().join("bin/python"))
        .args(["-c", ORACLE])
        .arg(folder)
        .args([tpch("tables.json"), tpch("queries/q05.sql")])
        .args(TABLES)
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

/// Publishes a dataset with a policy that closes nothing.
fn publish(room: &Room, owner: &Person, name: &str, columns: &[(&str, &str)], mode: &str) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let typed: Vec<Value> =
        columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    let descriptor = json!({
        "name": name,
        "format": {"kind": "csv", "null_value": null},
        "columns": typed,
        "store": {"kind": "local", "path": name},
        "access_mode": mode,
        "policy": {"allowed_columns": names, "minimum_group": null},
    });
    owner.does(&["dataset", "publish", &room.file(&format!("{name}.json"), &descriptor)]);
}

#[test]
fn a_query_over_six_tables_is_answered_as_duckdb_answers_it() {
    let mut room = Room::start(Shape::Embedded);
    room.gather();
    let source = room.folder.path().join("tpch");
    std::fs::create_dir_all(&source).unwrap();
    generate(&source);
    let expected = oracle(&source);
    assert!(!expected.is_empty());
    let tables: Value =
        serde_json::from_str(&std::fs::read_to_string(tpch("tables.json")).unwrap()).unwrap();
    for name in TABLES {
        // Fabrikam provides nothing in this room: what is its own there is Contosso's here.
        let owner = if tables[name]["owner"] == "litware" { &room.litware } else { &room.contosso };
        let folder = room.home(owner).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = format!("{name}.csv");
        std::fs::rename(source.join(&file), folder.join(&file)).unwrap();
        let columns = tables[name]["columns"].as_object().unwrap();
        let columns: Vec<(&str, &str)> =
            columns.iter().map(|(name, kind)| (name.as_str(), kind.as_str().unwrap())).collect();
        // In the order of the file: the table of types is sorted by name.
        let header = std::fs::read_to_string(folder.join(&file)).unwrap();
        let header: Vec<&str> = header.lines().next().unwrap().split(',').collect();
        let place = |name: &str| header.iter().position(|it| *it == name).unwrap();
        let mut ordered = columns;
        ordered.sort_by_key(|(name, _)| place(name));
        publish(&room, owner, name, &ordered, "read");
    }
    let answer = [("n_name", "string"), ("revenue", "double")];
    publish(&room, &room.fabrikam, "answer", &answer, "write");
    let inputs: Vec<Value> =
        TABLES.iter().map(|name| json!({"alias": name, "dataset": name})).collect();
    let query = json!({
        "name": NAME,
        "segments": [{
            "order": 1,
            "view": "answer_rows",
            "sql": std::fs::read_to_string(tpch("queries/q05.sql")).unwrap(),
            "pre_conditions": [],
            "post_filters": [],
        }],
        "inputs": inputs,
        "output": "answer",
        "parameters": [],
    });
    room.fabrikam.does(&["query", "draft", &room.file("query.json", &query)]);
    room.fabrikam.does(&["query", "propose", NAME]);
    for person in [&room.fabrikam, &room.litware, &room.contosso] {
        person.does(&["query", "approve", NAME]);
    }
    let shown = room.contosso.does(&["query", "show", NAME, "--sql"]);
    assert!(shown.to_string().contains("lineitem.l_extendedprice * (1 - lineitem.l_discount)"));
    let run = room.fabrikam.does(&["run", "start", NAME, "--wait"]);
    assert_eq!(run["stage"], "succeeded", "{run:#}");
    let csv = room.folder.path().join("result.csv");
    let data_root = room.data_root();
    let arguments = ["run", "result", run["id"].as_str().unwrap(), "--data-root"];
    let to = [data_root.to_str().unwrap(), "--to", csv.to_str().unwrap()];
    room.fabrikam.does(&[&arguments[..], &to].concat());

    let text = std::fs::read_to_string(&csv).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("n_name,revenue"));
    let found: Vec<(String, f64)> = lines
        .map(|line| {
            let (name, amount) = line.rsplit_once(',').unwrap();
            (name.to_owned(), amount.parse().unwrap())
        })
        .collect();
    assert_eq!(found.len(), expected.len());
    for ((name, amount), (expected_name, expected_amount)) in found.iter().zip(&expected) {
        assert_eq!(name, expected_name);
        let off = (amount - expected_amount).abs() / expected_amount.abs();
        assert!(off < 1e-9, "{name}: {amount} and {expected_amount}");
    }
}
