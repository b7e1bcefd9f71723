//! A scripted `spark-submit`: takes what it needs out of the job spec and obeys files.

use std::fs;
use std::path::{Path, PathBuf};

/// Says that it began, dies or waits if it is told to, and writes a result and its status.
const SCRIPT: &str = r#"#!/usr/bin/env python3
import hashlib, json, os, re, sys, time
control = os.path.dirname(os.path.abspath(__file__))
there = lambda name: os.path.exists(os.path.join(control, name))
argument = lambda name: sys.argv[sys.argv.index(name) + 1]
data = open(argument("--spec"), "rb").read()
folder = argument("--status-dir")
secrets = argument("--secrets")
if os.path.exists(secrets):
    shown = open("/proc/self/environ").read() + " ".join(sys.argv)
    told = {"mode": os.stat(secrets).st_mode & 0o777, "secrets": json.load(open(secrets)), "shown": shown}
    os.unlink(secrets)
    with open(os.path.join(control, "told"), "w") as file:
        json.dump(told, file)
digest = "sha256:" + hashlib.sha256(data).hexdigest()
query = re.search(rb"query_digest.{2}(sha256:[0-9a-f]{64})", data, re.S).group(1).decode()
out = re.search(rb"(/[ -~]*/report/[0-9a-f-]{36})", data).group(1).decode()
run = os.path.basename(out)
with open(os.path.join(control, "began"), "a") as file:
    file.write(run + "\n")
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, "progress.json"), "w") as file:
    json.dump({"stage": "loading", "done": 0, "total": 1, "label": "orders"}, file)
if there("half"):
    os.makedirs(os.path.join(os.path.dirname(out), f".{run}.{run}.partial"), exist_ok=True)
    os.makedirs(out, exist_ok=True)
    open(os.path.join(out, "part-00000.csv"), "w").write("half")
if there("die"):
    sys.exit(137)
while there("hold"):
    time.sleep(0.01)
status = {"v": 1, "run": run}
if there("fail"):
    status |= {"outcome": "failed", "code": "minimum_group_violated", "detail": "totals: too small"}
else:
    content = b"region,total\nnorth,7\n"
    os.makedirs(out)
    open(os.path.join(out, "part-00000.csv"), "wb").write(b"other" if there("lie") else content)
    columns = [{"name": "region", "type": "string"}, {"name": "total", "type": "long"}]
    file = {"path": "part-00000.csv", "bytes": len(content),
            "digest": "sha256:" + hashlib.sha256(content).hexdigest()}
    status |= {
        "outcome": "succeeded", "query_digest": query, "spec_digest": digest,
        "manifest": {"files": [file], "rows": 1, "columns": columns},
        "statistics": {"inputs": [{"alias": "orders", "rows": 9}],
                       "segments": [{"view": "totals", "rows": 1, "duration_ms": 5}],
                       "rows_written": 1},
        "engine": {"name": "apache-spark", "version": "0-scripted"},
    }
with open(os.path.join(folder, "s"), "w") as file:
    json.dump(status, file)
os.rename(os.path.join(folder, "s"), os.path.join(folder, "status.json"))
"#;

/// The script in a folder of its own, with the files that tell it what to do.
pub struct Engine(PathBuf);

impl Engine {
    pub fn make(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        // By another process: what this one has open for writing can't be executed.
        let written = std::process::Command::new("sh")
            .args(["-c", r#"printf %s "$1" > "$2" && chmod 755 "$2""#, "sh", SCRIPT])
            .arg(folder.join("spark-submit"))
            .status()
            .unwrap();
        assert!(written.success());
        Self(folder.to_owned())
    }

    pub fn program(&self) -> PathBuf {
        self.0.join("spark-submit")
    }

    pub fn set(&self, what: &str) {
        fs::write(self.0.join(what), "").unwrap();
    }

    pub fn unset(&self, what: &str) {
        fs::remove_file(self.0.join(what)).unwrap();
    }

    /// What the last attempt was told in secret, and what anybody could see of it.
    pub fn told(&self) -> Option<serde_json::Value> {
        let bytes = fs::read(self.0.join("told")).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    /// How often it began.
    pub fn began(&self) -> usize {
        fs::read_to_string(self.0.join("began")).map_or(0, |text| text.lines().count())
    }
}
