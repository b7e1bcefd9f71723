//! Microsoft's `ccf` and `scitt-cose`, by way of `python/check.py`. For the tests of this crate and of `audit`.

#[path = "../../../tests/support/script.rs"]
mod script;

use serde_json::Value as Json;

const CHECK: script::Script = script::Script {
    variable: "CHANCERY_CCF_PYTHON",
    environment: ".venv-ccf",
    folder: "ledger/ccf/tests/python",
};

/// Has the script answer `requests`, each of the form that it states: for each whether it was accepted.
pub fn ask(requests: &[Json]) -> Vec<bool> {
    CHECK.ask(requests).iter().map(Json::is_null).collect()
}
