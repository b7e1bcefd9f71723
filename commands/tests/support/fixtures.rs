//! Datasets, queries and results that the tests are about.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::DatasetId;
use serde_json::{Value as Json, json};

/// The measurement of the application that may run queries.
pub fn application() -> Digest {
    Digest::of(b"application 1")
}

fn descriptor(name: &str, mode: &str, columns: &[(&str, &str)]) -> Json {
    let allowed: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let columns: Vec<_> =
        columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    json!({
        "name": name,
        "format": {"kind": "csv", "null_value": null},
        "columns": columns,
        "store": {"kind": "local", "path": format!("{name}/v1")},
        "access_mode": mode,
        "policy": {"allowed_columns": allowed, "minimum_group": null},
    })
}

/// Litware's, read, with a floor.
pub fn orders() -> Json {
    let columns = [("customer", "string"), ("region", "string"), ("amount", "long")];
    let mut orders = descriptor("orders", "read", &columns);
    orders["policy"]["minimum_group"] =
        json!({"identity": {"kind": "column", "column": "customer"}, "count": 10});
    orders
}

/// Contosso's, read.
pub fn campaigns() -> Json {
    descriptor("campaigns", "read", &[("region", "string"), ("spend", "long")])
}

/// Fabrikam's, written.
pub fn report() -> Json {
    descriptor("report", "write", &[("region", "string"), ("total", "long"), ("spend", "long")])
}

/// The same dataset with its files elsewhere: a new version.
pub fn moved(mut descriptor: Json) -> Json {
    descriptor["store"]["path"] = json!("elsewhere/v2");
    descriptor
}

/// Reads Litware's and Contosso's, writes Fabrikam's: all three have a vote.
pub fn definition(orders: DatasetId, campaigns: DatasetId, report: DatasetId) -> Json {
    json!({
        "name": "Spend by region",
        "segments": [
            {
                "order": 1,
                "view": "totals",
                "sql": "SELECT region, COUNT(*) AS total FROM orders \
                        WHERE amount >= :minimum GROUP BY region",
                "pre_conditions": [{"view": "orders", "min_rows": 100}],
                "post_filters": [{"column": "total", "minimum": 5}],
            },
            {
                "order": 2,
                "view": "result",
                "sql": "SELECT t.region AS region, t.total AS total, c.spend AS spend \
                        FROM totals t JOIN campaigns c ON t.region = c.region",
                "pre_conditions": [],
                "post_filters": [],
            },
        ],
        "inputs": [
            {"alias": "orders", "dataset": orders.to_string()},
            {"alias": "campaigns", "dataset": campaigns.to_string()},
        ],
        "output": report.to_string(),
        "parameters": [{"name": "minimum", "value": {"kind": "long", "value": 3}}],
    })
}

/// The digest of the job spec that executors here submit.
pub fn job_spec() -> Digest {
    Digest::of(b"job spec")
}
