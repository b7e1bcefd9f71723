//! A clean room with its three organisations, on a server of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::is_open;
use crate::{Background, Person, chancery, free_port, root, venv, wait_until};

/// How long a process may take to come up.
const UP: Duration = Duration::from_secs(30);
/// How long a run may take, on a busy machine.
const RUN: Duration = Duration::from_mins(4);
/// The name of the query that every room has.
pub const QUERY: &str = "Totals by kind";

/// Which processes a room has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Server, NATS and executor, each in a process of its own.
    Apart,
    /// One process: `chancery dev --embedded`.
    Embedded,
    /// A server and no executor.
    ServerOnly,
}

/// A deployment on this machine, gone when dropped.
pub struct Room {
    /// Its folder.
    pub folder: TempDir,
    shape: Shape,
    /// Options of the server besides the usual.
    options: Vec<String>,
    port: u16,
    nats_port: u16,
    nats: Option<Background>,
    server: Option<Background>,
    executor: Option<Background>,
    /// Olivia of Litware, the owner.
    pub litware: Person,
    /// Carlos of Contosso, a provider.
    pub contosso: Person,
    /// Fatima of Fabrikam, the analyst.
    pub fabrikam: Person,
}

impl Room {
    /// Starts the processes; nobody signed in yet.
    pub fn start(shape: Shape) -> Self {
        Self::start_with(shape, Vec::new(), |_| ())
    }

    /// The same with more options of the server, whose data folder `prepare` may fill beforehand.
    pub fn start_with(shape: Shape, options: Vec<String>, prepare: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = free_port();
        let person = |name: &str| Person {
            profile: folder.path().join("profiles").join(name),
            server: format!("http://127.0.0.1:{port}"),
            collaboration: None,
        };
        let mut room = Self {
            litware: person("litware"),
            contosso: person("contosso"),
            fabrikam: person("fabrikam"),
            folder,
            shape,
            options,
            port,
            nats_port: free_port(),
            nats: None,
            server: None,
            executor: None,
        };
        std::fs::create_dir_all(room.data_root()).expect("a folder");
        prepare(&room.server_dir());
        if shape == Shape::Apart {
            room.start_nats();
        }
        room.start_server();
        if shape == Shape::Apart {
            room.start_executor();
        }
        room
    }

    /// The folder under which datasets lie.
    pub fn data_root(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The server's data folder.
    pub fn server_dir(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// Starts NATS.
    pub fn start_nats(&mut self) {
        let program = ["/usr/sbin/nats-server", "/usr/bin/nats-server"]
            .into_iter()
            .find(|path| Path::new(path).is_file())
            .expect("nats-server is installed: ./test does that");
        let mut command = Command::new(program);
        command.args(["-a", "127.0.0.1", "-js", "-p", &self.nats_port.to_string(), "-sd"]);
        command.arg(self.folder.path().join("nats"));
        self.nats = Some(Background::start(&mut command, &self.log("nats")));
        wait_until("NATS is up", UP, || is_open(self.nats_port).then_some(()));
    }

    /// Starts the server.
    pub fn start_server(&mut self) {
        let mut command = Command::new(chancery());
        command.args(["dev", "--listen", &format!("127.0.0.1:{}", self.port), "--data-dir"]);
        command.arg(self.server_dir());
        match self.shape {
            Shape::Apart => {
                command.args(["--nats", &self.nats_url()]);
            }
            Shape::Embedded => {
                command.arg("--embedded").arg("--data-root").arg(self.data_root());
                command.arg("--venv").arg(venv());
            }
            Shape::ServerOnly => {}
        }
        command.args(&self.options);
        self.server = Some(Background::start(&mut command, &self.log("server")));
        wait_until("the server is up", UP, || is_open(self.port).then_some(()));
    }

    fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.nats_port)
    }

    /// Starts the executor in a process of its own.
    pub fn start_executor(&mut self) {
        let mut command = Command::new(chancery());
        command.args(["executor", "run", "--server", &self.litware.server]);
        command.args(["--issuer", &format!("{}/dev/issuer", self.litware.server)]);
        command.arg("--client-secret-file").arg(self.server_dir().join("executor.secret"));
        command.args(["--service-key", &self.service_key(), "--nats", &self.nats_url()]);
        command.arg("--data-root").arg(self.data_root());
        command.arg("--state-dir").arg(self.folder.path().join("executor"));
        command.arg("--venv").arg(venv());
        self.executor = Some(Background::start(&mut command, &self.log("executor")));
    }

    /// The id of the service's key.
    pub fn service_key(&self) -> String {
        text(&self.litware.does(&["service"])["key_id"])
    }

    /// `kill -9` of the server, and of the executor in it if it is embedded.
    pub fn kill_server(&mut self) {
        self.server.take().expect("the server is up").kill();
    }

    /// `kill -9` of the executor in its own process.
    pub fn kill_executor(&mut self) {
        self.executor.take().expect("the executor is up").kill();
    }

    /// `kill -9` of NATS.
    pub fn kill_nats(&mut self) {
        self.nats.take().expect("NATS is up").kill();
    }

    /// What server and executor said, for the message of a failure.
    pub fn said(&self) -> String {
        let processes = [&self.server, &self.executor].into_iter().flatten();
        processes.map(Background::said).collect::<Vec<_>>().join("\n")
    }

    /// Signs the three in, with keys, and makes them members.
    pub fn gather(&mut self) {
        self.litware.does(&["login", "--as", "olivia@litware.example"]);
        self.litware.does(&["key", "generate"]);
        let created = self.litware.does(&[
            "collaboration",
            "create",
            "--name",
            "Test room",
            "--organisation",
            "Litware",
            "--member-signed",
            "votes,consents,runs",
            "--allow-insecure-virtual",
        ]);
        let id = text(&created["collaboration"]);
        for person in [&mut self.litware, &mut self.contosso, &mut self.fabrikam] {
            person.collaboration = Some(id.clone());
        }
        // Carlos tells his key's id beforehand, Fatima does not: both ways work.
        let carlos = text(&self.contosso.does(&["key", "generate"])["id"]);
        self.fabrikam.does(&["key", "generate"]);
        let measurement = Command::new(chancery()).args(["executor", "measurement"]).output();
        let measurement = String::from_utf8(measurement.expect("it runs").stdout).expect("text");
        for arguments in [
            &["register-key"][..],
            &["enable-workload", "spark-sql"],
            &["set-policy", "--application", measurement.trim()],
            &[
                "invite",
                "carlos@contosso.example",
                "--organisation",
                "Contosso",
                "--ability",
                "data_provider",
                "--key",
                &carlos,
            ],
            &[
                "invite",
                "fatima@fabrikam.example",
                "--organisation",
                "Fabrikam",
                "--ability",
                "analyst,runner,result_receiver",
            ],
        ] {
            self.litware.does(&[&["collaboration"], arguments].concat());
        }
        for (person, email) in [
            (&self.contosso, "carlos@contosso.example"),
            (&self.fabrikam, "fatima@fabrikam.example"),
        ] {
            person.does(&["login", "--as", email]);
            person.does(&["collaboration", "accept"]);
            person.does(&["collaboration", "register-key"]);
        }
    }

    /// Publishes two small inputs and an output, and brings a query over them to `accepted`.
    pub fn agree(&self) {
        write(&self.home(&self.litware).join("sales/sales.csv"), &sales(200));
        write(&self.home(&self.contosso).join("kinds/kinds.csv"), "kind,label\n0,even\n1,odd\n");
        let dataset = |name: &str, mode: &str, columns: Value, floor: Value| {
            let names: Vec<_> =
                columns.as_array().expect("a list").iter().map(|it| it["name"].clone()).collect();
            self.file(
                &format!("{name}.json"),
                &json!({
                    "name": name,
                    "format": {"kind": "csv", "null_value": ""},
                    "columns": columns,
                    "store": {"kind": "local", "path": name},
                    "access_mode": mode,
                    "policy": {"allowed_columns": names, "minimum_group": floor},
                }),
            )
        };
        let floor = json!({"identity": {"kind": "row"}, "count": 10});
        let sales = json!([{"name": "kind", "type": "long"}, {"name": "amount", "type": "long"}]);
        let kinds = json!([{"name": "kind", "type": "long"}, {"name": "label", "type": "string"}]);
        let totals = json!([
            {"name": "label", "type": "string"}, {"name": "sales", "type": "long"},
            {"name": "total", "type": "long"}
        ]);
        let published = [
            (&self.litware, dataset("sales", "read", sales, floor)),
            (&self.contosso, dataset("kinds", "read", kinds, Value::Null)),
            (&self.fabrikam, dataset("totals", "write", totals, Value::Null)),
        ];
        for (owner, file) in published {
            owner.does(&["dataset", "publish", &file]);
        }
        let query = self.file(
            "query.json",
            &json!({
                "name": QUERY,
                "segments": [{
                    "order": 1,
                    "view": "totals",
                    "sql": "SELECT k.label AS label, COUNT(*) AS sales, SUM(s.amount) AS total \
                            FROM sales s JOIN kinds k ON s.kind = k.kind GROUP BY k.label ORDER BY label",
                    "pre_conditions": [],
                    "post_filters": [],
                }],
                "inputs": [{"alias": "sales", "dataset": "sales"}, {"alias": "kinds", "dataset": "kinds"}],
                "output": "totals",
                "parameters": [],
            }),
        );
        self.fabrikam.does(&["query", "draft", &query]);
        self.fabrikam.does(&["query", "propose", QUERY]);
        for person in [&self.fabrikam, &self.litware, &self.contosso] {
            person.does(&["query", "approve", QUERY]);
        }
    }

    /// Writes a document to a file and gives its path.
    pub fn file(&self, name: &str, document: &Value) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, document.to_string()).expect("a file");
        path.to_string_lossy().into_owned()
    }

    /// A person's own folder under the data root.
    pub fn home(&self, person: &Person) -> PathBuf {
        self.data_root().join(text(&person.does(&["dataset", "folder"])["folder"]))
    }

    /// Asks for a run and gives its id.
    pub fn request(&self) -> String {
        let reply = self.fabrikam.does(&["run", "start", QUERY]);
        text(&reply["subject"]).strip_prefix("run/").expect("a run").to_owned()
    }

    /// The run's view.
    pub fn run(&self, id: &str) -> Value {
        self.fabrikam.does(&["run", "show", id])
    }

    /// Waits until a run is at one of `stages`.
    pub fn wait_for_stage(&self, id: &str, stages: &[&str]) -> Value {
        wait_until(&format!("run {id} is {stages:?}"), RUN, || {
            let run = self.run(id);
            let stage = text(&run["stage"]);
            let ended = ["succeeded", "failed", "refused", "cancelled"].contains(&stage.as_str());
            assert!(
                !ended || stages.contains(&stage.as_str()),
                "the run ended otherwise: {run:#}\n{}",
                self.said()
            );
            stages.contains(&stage.as_str()).then_some(run)
        })
    }

    /// Exports the log and gives the bundle's path.
    pub fn export(&self, name: &str) -> String {
        let path = self.folder.path().join(name).to_string_lossy().into_owned();
        self.contosso.does(&["audit", "export", &path]);
        path
    }
}

/// Writes a file and the folders on the way.
pub fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}

/// Sales of two kinds, in CSV: `kind` is the parity of the row, `amount` its number.
pub fn sales(rows: u32) -> String {
    let lines = (0..rows).map(|row| format!("{},{row}\n", row % 2));
    std::iter::once("kind,amount\n".to_owned()).chain(lines).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// The demo's data, made by the demo's own script.
pub fn demo_data(to: &Path) {
    let script = root().join("deploy/demo/prepare_data.py");
    let status = Command::new(venv().join("bin/python")).arg(script).arg(to).status();
    assert!(status.expect("python runs").success(), "the demo data can't be made");
}
