//! A profile: the folder with who you are, where, and with which key.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, OrFail as _, Result};
use crate::private_file;

/// The server that is meant where nothing says another: that of `chancery dev`.
pub const SERVER_DEFAULT: &str = "http://127.0.0.1:8787";
/// The client id that is meant where nothing says another.
pub const CLIENT_ID_DEFAULT: &str = "chancery-cli";

const CONFIG: &str = "config.json";
const TOKEN: &str = "token.json";
const KEY: &str = "key.pk8";

/// What a profile remembers. No secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Config {
    /// The server.
    pub server: Option<String>,
    /// The issuer that signs you in.
    pub issuer: Option<String>,
    /// The client that you sign in with.
    pub client_id: Option<String>,
    /// The id of the service's key, pinned when it was first seen.
    pub service_key: Option<String>,
}

/// An access token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The token itself.
    #[serde(rename = "access_token")]
    pub bearer: String,
    /// When it ends: milliseconds since the Unix epoch; none where the issuer did not say.
    pub expires_ms: Option<u64>,
    /// The one server that it is sent to.
    pub server: String,
}

/// A profile's folder.
#[derive(Debug, Clone)]
pub struct Profile {
    folder: PathBuf,
}

impl Profile {
    /// The profile in `folder`, or the default one. Nothing is read or made yet.
    ///
    /// # Errors
    ///
    /// Where there is no home folder to have the default one in.
    pub fn new(folder: Option<&Path>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => std::env::home_dir().map(|home| home.join(".chancery")).ok_or_else(|| {
                Failure::usage("no_home", "There is no profile", "no home folder is known")
                    .with_hint("Name one by --profile DIR, or by CHANCERY_PROFILE.")
            })?,
        };
        Ok(Self { folder })
    }

    /// Where the key is.
    pub fn key_path(&self) -> PathBuf {
        self.folder.join(KEY)
    }

    /// Where the configuration is.
    pub fn config_path(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// What it remembers; empty where it is new.
    ///
    /// # Errors
    ///
    /// Where the file can't be read or understood.
    pub fn config(&self) -> Result<Config> {
        Ok(self.read(CONFIG)?.unwrap_or_default())
    }

    /// Remembers.
    ///
    /// # Errors
    ///
    /// Where the file can't be written.
    pub fn set_config(&self, config: &Config) -> Result<()> {
        self.write(CONFIG, config)
    }

    /// The token, if there is one.
    ///
    /// # Errors
    ///
    /// Where the file can't be read or understood.
    pub fn token(&self) -> Result<Option<Token>> {
        self.read(TOKEN)
    }

    /// Keeps a token.
    ///
    /// # Errors
    ///
    /// Where the file can't be written.
    pub fn set_token(&self, token: &Token) -> Result<()> {
        self.write(TOKEN, token)
    }

    /// Forgets the token; false where there is none.
    ///
    /// # Errors
    ///
    /// Where the file can't be removed.
    pub fn forget_token(&self) -> Result<bool> {
        let path = self.folder.join(TOKEN);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::unreadable(
                format!("Can't remove {}", path.display()),
                error.to_string(),
            )),
        }
    }

    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    ///
    /// Where it can't be made, or is open to others.
    pub fn make(&self) -> Result<()> {
        private_file::folder(&self.folder)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.folder.join(name);
        let Some(bytes) = private_file::read(&path)? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).or_unreadable(|| format!("{} is damaged", path.display()))
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.make()?;
        let path = self.folder.join(name);
        let mut bytes = serde_json::to_vec_pretty(value)
            .or_unreadable(|| format!("Can't write {}", path.display()))?;
        bytes.push(b'\n');
        private_file::replace(&path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_profile_keeps_its_secrets_to_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("profile");
        let profile = Profile::new(Some(&folder)).unwrap();
        assert_eq!(profile.config().unwrap(), Config::default());
        assert!(!folder.exists(), "reading makes nothing");
        let config = Config { server: Some(SERVER_DEFAULT.into()), ..Config::default() };
        profile.set_config(&config).unwrap();
        let token =
            Token { bearer: "t".into(), expires_ms: Some(1), server: SERVER_DEFAULT.into() };
        profile.set_token(&token).unwrap();
        assert_eq!(profile.config().unwrap(), config);
        assert!(profile.token().unwrap() == Some(token));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for file in [CONFIG, TOKEN] {
            assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
        }
        assert!(profile.forget_token().unwrap());
        assert!(!profile.forget_token().unwrap());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let profile = Profile::new(Some(&dir.path().join("p"))).unwrap();
        profile.make().unwrap();
        private_file::create(&profile.config_path(), b"{").unwrap();
        assert!(profile.config().unwrap_err().text().contains("config.json"));
    }
}
