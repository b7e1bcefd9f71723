//! What an executor has to be told.

use std::fmt;
use std::path::{Path, PathBuf};

use chancery_ledger::key::KeyId;

/// What an executor has to be told. One executor serves one service; two must not share a state
/// folder, and the state folder's lock holds that.
#[derive(Debug, Clone)]
pub struct Config {
    /// The service's base URL, without `/v1`, as in `http://127.0.0.1:8080`.
    pub service: String,
    /// The ids of the keys that began the service's logs: after a rotation, those of before too.
    /// They are never taken from the service itself.
    pub service_keys: Vec<KeyId>,
    /// Who the executor is to the service.
    pub credentials: Credentials,
    /// The folder that the paths of local datasets are relative to.
    pub data_root: PathBuf,
    /// The folder for the executor's key, the jobs under way and the application that it runs.
    pub state_dir: PathBuf,
    /// The engine.
    pub spark: Spark,
}

/// OAuth 2.0 client credentials (RFC 6749 section 4.4), sent in the form body.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The issuer's token endpoint.
    pub token_endpoint: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// The scope, where the issuer asks for one, as Entra ID does.
    pub scope: Option<String>,
}

/// A text that no log shows.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The local Spark.
#[derive(Debug, Clone)]
pub struct Spark {
    /// The `spark-submit` program.
    pub submit: PathBuf,
    /// The Python that has pyspark and what the application needs.
    pub python: PathBuf,
    /// The heap of the driver, which in local mode is the whole engine, in MiB.
    pub driver_memory_mib: u32,
}

impl Spark {
    /// The Spark of a Python virtual environment in which `executor/spark/requirements.txt` is
    /// installed.
    pub fn in_venv(folder: &Path, driver_memory_mib: u32) -> Self {
        let programs = folder.join("bin");
        Self {
            submit: programs.join("spark-submit"),
            python: programs.join("python3"),
            driver_memory_mib,
        }
    }

    /// The same with absolute paths. A bare name stays one, to be looked up in `PATH`.
    pub(crate) fn absolute(&self) -> std::io::Result<Self> {
        let absolute = |path: &Path| {
            if path.components().count() > 1 { std::path::absolute(path) } else { Ok(path.into()) }
        };
        Ok(Self {
            submit: absolute(&self.submit)?,
            python: absolute(&self.python)?,
            driver_memory_mib: self.driver_memory_mib,
        })
    }
}
