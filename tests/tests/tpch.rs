//! The 22 TPC-H queries through the API: eight tables of two providers, each query drafted, proposed,
//! voted on by three organisations and run on real Spark, and every row compared with `DuckDB`'s answer
//! to the text as it was. One text is edited, as `docs/sql.md` states; `tests/tpch/edited` holds it,
//! for this test and for `executor/spark/tests/test_tpch.py`. `CHANCERY_TPCH_SCALE` says at which scale,
//! by default 0.01: at 1 it takes some gigabytes of `TMPDIR`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says why")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_tests::{Person, Room, Shape, root, venv};
use serde_json::{Value, json};

/// The columns of an answer or a table: names and types, in order.
type Columns = Vec<(String, String)>;

fn tpch(name: &str) -> PathBuf {
    root().join("tests/tpch").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn generate(folder: &Path) {
    let program = venv().join("bin/tpchgen-cli");
    let scale = std::env::var("CHANCERY_TPCH_SCALE").unwrap_or_else(|_| "0.01".to_owned());
    let made =
        Command::new(program).args(["csv", "-s", &scale, "-o"]).arg(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What `tests/tpch/oracle.py` says.
fn oracle(source: &Path, results: &Path) -> Value {
    let mut command = Command::new(venv().join("bin/python"));
    let told = command.arg(tpch("oracle.py")).args([source, results]).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

/// The text of a query, with its edit where one is stated.
fn text(query: &str) -> String {
    let edited = tpch("edited").join(format!("{query}.sql"));
    let original = tpch("queries").join(format!("{query}.sql"));
    read(if edited.exists() { &edited } else { &original })
}

/// Publishes a dataset with a policy that closes nothing.
fn publish(room: &Room, owner: &Person, name: &str, columns: &Columns, mode: &str) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let typed: Vec<Value> =
        columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    // In CSV a row of one null is an empty line, which is none to most readers.
    let format = if mode == "read" {
        json!({"kind": "csv", "null_value": null})
    } else {
        json!({"kind": "parquet"})
    };
    let descriptor = json!({
        "name": name,
        "format": format,
        "columns": typed,
        "store": {"kind": "local", "path": name},
        "access_mode": mode,
        "policy": {"allowed_columns": names, "minimum_group": null},
    });
    owner.does(&["dataset", "publish", &room.file(&format!("{name}.json"), &descriptor)]);
}

/// Publishes the tables, each by its owner, and gives their names.
fn provide(room: &Room, source: &Path) -> Vec<String> {
    let tables: BTreeMap<String, Value> =
        serde_json::from_str(&read(&tpch("tables.json"))).unwrap();
    // Fabrikam provides nothing in this room: what is its own there is Contosso's here.
    let homes = [&room.litware, &room.contosso].map(|owner| (owner, room.home(owner)));
    for (name, table) in &tables {
        let [litware, contosso] = &homes;
        let (owner, home) = if table["owner"] == "litware" { litware } else { contosso };
        let (folder, file) = (home.join(name), format!("{name}.csv"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(source.join(&file), folder.join(&file)).unwrap();
        // In the order of the file: the table of types is sorted by name.
        let header = read(&folder.join(&file));
        let names = header.lines().next().unwrap().split(',');
        let kind = |name: &str| table["columns"][name].as_str().unwrap().to_owned();
        let columns = names.map(|name| (name.to_owned(), kind(name))).collect();
        publish(room, owner, name, &columns, "read");
    }
    tables.into_keys().collect()
}

/// Brings a query to its votes, runs it, and leaves its result in `results`.
fn ask(room: &Room, query: &str, columns: &Columns, tables: &[String], results: &Path) {
    let (output, sql) = (format!("answer_{query}"), text(query));
    publish(room, &room.fabrikam, &output, columns, "write");
    let word = |char: char| !char.is_ascii_alphanumeric() && char != '_';
    let read = tables.iter().filter(|table| sql.split(word).any(|word| word == *table));
    let inputs: Vec<Value> = read.map(|name| json!({"alias": name, "dataset": name})).collect();
    let definition = json!({
        "name": query,
        "segments": [{
            "order": 1, "view": "answer", "sql": sql, "pre_conditions": [], "post_filters": [],
        }],
        "inputs": inputs,
        "output": output,
        "parameters": [],
    });
    room.fabrikam.does(&["query", "draft", &room.file("query.json", &definition)]);
    room.fabrikam.does(&["query", "propose", query]);
    for person in [&room.fabrikam, &room.litware, &room.contosso] {
        // Whose dataset the query does not touch has no vote.
        let told = person.run(&["query", "approve", query]);
        let code = told.document["code"].as_str();
        assert!(told.code == 0 || code == Some("not_an_approver"), "{query}: {told:?}");
    }
    let run = room.fabrikam.does(&["run", "start", query, "--wait"]);
    assert_eq!(run["stage"], "succeeded", "{query}: {run:#}\n{}", room.said());
    let (data_root, to) = (room.data_root(), results.join(format!("{query}.parquet")));
    let id = run["id"].as_str().unwrap();
    let (data_root, to) = (data_root.to_str().unwrap(), to.to_str().unwrap());
    room.fabrikam.does(&["run", "result", id, "--data-root", data_root, "--to", to]);
}

#[test]
fn the_22_queries_are_answered_through_the_api_as_duckdb_answers_them() {
    let mut room = Room::start(Shape::Embedded);
    room.gather();
    let (source, results) = (room.folder.path().join("tpch"), room.folder.path().join("results"));
    for folder in [&source, &results] {
        std::fs::create_dir_all(folder).unwrap();
    }
    generate(&source);
    let tables = provide(&room, &source);
    let queries: BTreeMap<String, Columns> =
        serde_json::from_str(&read(&tpch("answers.json"))).unwrap();
    assert_eq!(queries.len(), 22);
    for (query, columns) in &queries {
        ask(&room, query, columns, &tables, &results);
    }
    let shown = room.contosso.does(&["query", "show", "q05", "--sql"]);
    assert!(shown.to_string().contains("lineitem.l_extendedprice * (1 - lineitem.l_discount)"));
    let compared = oracle(&source, &results);
    assert_eq!(compared["differences"], json!([]));
    // Means and quotients, which DuckDB has as doubles. All else is equal digit by digit.
    let near = BTreeMap::from([
        ("q01", json!(["avg_qty", "avg_price", "avg_disc"])),
        ("q08", json!(["mkt_share"])),
        ("q14", json!(["promo_revenue"])),
        // Null at small scales.
        ("q17", json!(["avg_yearly"])),
    ]);
    for (query, columns) in compared["near"].as_object().unwrap() {
        assert_eq!(near.get(query.as_str()), Some(columns), "{query}");
    }
    assert_eq!(compared["rows"].as_object().unwrap().len(), 22);
}
