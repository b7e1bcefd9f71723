//! What the application tells: `status.json` at its end, `progress.json` before.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use chancery_governance::dataset::Column;
use chancery_governance::privacy::{Drawn, Mechanism, Noised};
use chancery_governance::run::{Engine, InputRows, Manifest, SegmentRows, Statistics};
use chancery_ledger::digest::Digest;
use serde::Deserialize;

use crate::backend::Progress;

const STATUS_LEN_MAX: u64 = 4 << 20;
const PROGRESS_LEN_MAX: u64 = 64 << 10;
const VERSION: u64 = 1;
/// As the rules have it.
const CODE_LEN_MAX: usize = 64;
/// Below what the rules allow, in characters.
const DETAIL_LEN_MAX: usize = 400;

/// How the application says that it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With a result, which is to be checked yet.
    Succeeded(Box<Told>),
    /// Without.
    Failed {
        /// A stable code.
        code: String,
        /// One line, without data.
        detail: String,
    },
}

/// What the application tells of its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The run.
    pub run: String,
    /// The query.
    pub query_digest: Digest,
    /// The job spec that it worked by.
    pub job_spec: Digest,
    /// The files that it wrote.
    pub manifest: Manifest,
    /// Rows and times.
    pub statistics: Statistics,
    /// The engine.
    pub engine: Engine,
    /// The noise, where it drew any.
    pub privacy: Option<Noised>,
}

/// The ending in a file; none where there is no such file.
pub fn read(path: &Path) -> io::Result<Option<Ending>> {
    Ok(limited(path, STATUS_LEN_MAX)?.map(|bytes| parse(&bytes)))
}

/// The progress in a file, if it holds one.
pub fn progress(path: &Path) -> Option<Progress> {
    serde_json::from_slice(&limited(path, PROGRESS_LEN_MAX).ok()??).ok()
}

fn limited(path: &Path, len_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    // One byte more shows that it is longer; it parses as nothing then.
    file.take(len_max + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn parse(bytes: &[u8]) -> Ending {
    let unreadable = || Ending::Failed {
        code: "status_unreadable".to_owned(),
        detail: "the application's status.json is not of a known form".to_owned(),
    };
    if bytes.len() as u64 > STATUS_LEN_MAX {
        return unreadable();
    }
    match serde_json::from_slice::<Wire>(bytes) {
        Ok(Wire::Succeeded(told)) if told.v == VERSION => {
            told.into_told().map_or_else(unreadable, |told| Ending::Succeeded(Box::new(told)))
        }
        Ok(Wire::Failed { v: VERSION, code, detail, .. }) if is_code(&code) => {
            Ending::Failed { code, detail: one_line(&detail) }
        }
        Ok(_) | Err(_) => unreadable(),
    }
}

fn is_code(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !code.is_empty() && code.len() <= CODE_LEN_MAX && code.bytes().all(plain)
}

/// `text` as the rules take it: one line, not blank, within their bound.
pub fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(DETAIL_LEN_MAX)
        .collect();
    match plain.trim() {
        "" => "no detail".to_owned(),
        plain => plain.to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum Wire {
    Succeeded(WireTold),
    Failed {
        v: u64,
        code: String,
        detail: String,
        #[expect(
            dead_code,
            reason = "null where the spec did not verify; the job is known anyway"
        )]
        run: Option<String>,
    },
}

#[derive(Deserialize)]
struct WireTold {
    v: u64,
    run: String,
    query_digest: String,
    spec_digest: String,
    manifest: WireManifest,
    statistics: WireStatistics,
    engine: WireEngine,
    #[serde(default)]
    privacy: Option<WireNoised>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireNoised {
    epsilon_micro: u64,
    delta_pico: u64,
    mechanisms: Vec<WireMechanism>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMechanism {
    column: String,
    of: String,
    mechanism: String,
    epsilon_micro: u64,
    sensitivity: u64,
    scale_milli: u64,
    threshold: Option<u64>,
}

impl WireNoised {
    fn into_noised(self) -> Option<Noised> {
        let one = |told: WireMechanism| {
            Some(Mechanism {
                of: Drawn::ALL.into_iter().find(|drawn| drawn.as_str() == told.of)?,
                column: told.column,
                mechanism: told.mechanism,
                epsilon_micro: told.epsilon_micro,
                sensitivity: told.sensitivity,
                scale_milli: told.scale_milli,
                threshold: told.threshold,
            })
        };
        Some(Noised {
            epsilon_micro: self.epsilon_micro,
            delta_pico: self.delta_pico,
            mechanisms: self.mechanisms.into_iter().map(one).collect::<Option<_>>()?,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireManifest {
    files: Vec<WireFile>,
    rows: u64,
    columns: Vec<WireColumn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    path: String,
    digest: String,
    bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireColumn {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStatistics {
    inputs: Vec<WireInput>,
    segments: Vec<WireSegment>,
    rows_written: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireInput {
    alias: String,
    rows: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSegment {
    view: String,
    rows: u64,
    duration_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEngine {
    name: String,
    version: String,
}

impl WireTold {
    fn into_told(self) -> Option<Told> {
        let file = |file: WireFile| {
            let digest = file.digest.parse().ok()?;
            Some(chancery_governance::run::File { path: file.path, digest, bytes: file.bytes })
        };
        let column = |column: WireColumn| {
            Some(Column { kind: column.kind.parse().ok()?, name: column.name })
        };
        let mut files: Vec<_> = self.manifest.files.into_iter().map(file).collect::<Option<_>>()?;
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let columns = self.manifest.columns.into_iter().map(column).collect::<Option<_>>()?;
        let inputs = self.statistics.inputs.into_iter();
        let segments = self.statistics.segments.into_iter();
        let privacy = match self.privacy {
            Some(noised) => Some(noised.into_noised()?),
            None => None,
        };
        Some(Told {
            privacy,
            run: self.run,
            query_digest: self.query_digest.parse().ok()?,
            job_spec: self.spec_digest.parse().ok()?,
            manifest: Manifest { files, rows: self.manifest.rows, columns },
            statistics: Statistics {
                inputs: inputs
                    .map(|input| InputRows { alias: input.alias, rows: input.rows })
                    .collect(),
                segments: segments
                    .map(|segment| SegmentRows {
                        view: segment.view,
                        rows: segment.rows,
                        duration_ms: segment.duration_ms,
                    })
                    .collect(),
                rows_written: self.statistics.rows_written,
            },
            engine: Engine { name: self.engine.name, version: self.engine.version },
        })
    }
}

#[cfg(test)]
mod tests {
    use chancery_governance::dataset::ColumnType;

    use super::*;

    #[test]
    fn a_success_is_read_whole() {
        let digest = Digest::of(b"x");
        let text = format!(
            r#"{{"v":1,"outcome":"succeeded","run":"r","query_digest":"{digest}",
            "spec_digest":"{digest}","manifest":{{"files":[{{"path":"part-00000.csv",
            "digest":"{digest}","bytes":3}}],"rows":1,"columns":[{{"name":"a","type":"long"}}]}},
            "statistics":{{"inputs":[{{"alias":"i","rows":9}}],"segments":[{{"view":"s","rows":1,
            "duration_ms":5}}],"rows_written":1}},"engine":{{"name":"apache-spark",
            "version":"4.3.0"}}}}"#
        );
        let Ending::Succeeded(told) = parse(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(told.manifest.columns[0].kind, ColumnType::Long);
        assert_eq!(told.statistics.segments[0].duration_ms, 5);
        assert_eq!(told.privacy, None);
        let noise = r#","privacy":{"epsilon_micro":5,"delta_pico":7,"mechanisms":[{"column":"n","of":
            "count","mechanism":"discrete_laplace","epsilon_micro":5,"sensitivity":2,"scale_milli":9,
            "threshold":null}]}}"#;
        let noised = format!("{}{noise}", text.strip_suffix('}').unwrap());
        let Ending::Succeeded(told) = parse(noised.as_bytes()) else { panic!("{noised}") };
        let told = told.privacy.unwrap();
        assert_eq!((told.delta_pico, told.mechanisms[0].of), (7, Drawn::Count));
        let odd = noised.replace("\"count\"", "\"guess\"");
        assert!(matches!(parse(odd.as_bytes()), Ending::Failed { .. }));
        let odd = text.replace("\"long\"", "\"decimal\"");
        assert!(matches!(parse(odd.as_bytes()), Ending::Failed { .. }));
    }

    #[test]
    fn a_failure_is_kept_within_what_the_rules_take() {
        let text = r#"{"v":1,"outcome":"failed","run":null,"code":"spec_expired","detail":"a\nb"}"#;
        let Ending::Failed { code, detail } = parse(text.as_bytes()) else { panic!() };
        assert_eq!((code.as_str(), detail.as_str()), ("spec_expired", "a b"));
        for bad in
            ["", "{}", "{", &text.replace("spec_expired", "Nope!"), &text.replace(":1", ":2")]
        {
            let Ending::Failed { code, .. } = parse(bad.as_bytes()) else { panic!() };
            assert_eq!(code, "status_unreadable", "{bad}");
        }
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), DETAIL_LEN_MAX);
        assert_eq!(one_line(" \n"), "no detail");
    }
}
