//! A run's result: its files, checked against the attested manifest before anybody reads them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use chancery_commands::api::{self, Attested, Format, Store};
use chancery_commands::usage::ResultView;
use chancery_governance::dataset::ColumnType;
use chancery_ledger::digest::Digest;
use serde_json::json;
use serde_json::value::RawValue;

use super::csv;
use crate::client::http::view;
use crate::client::room::Room;
use crate::client::views::Run;
use crate::failure::{Failure, OrFail as _, Result};
use crate::output;
use crate::text::{Table, evidence, facts, plain};

/// Largest file that is read into memory to be checked: 1 GiB.
const FILE_LEN_MAX: u64 = 1 << 30;

/// What is wanted of a result.
#[derive(Debug)]
pub struct Wanted {
    /// The folder under which stores lie.
    pub data_root: PathBuf,
    /// Where to copy it.
    pub to: Option<PathBuf>,
    /// Rows to show.
    pub rows: usize,
}

/// Checks and shows a result.
///
/// # Errors
///
/// Where there is none, or its files are not those that were attested.
pub async fn show(room: &Room, run: &Run, wanted: &Wanted) -> Result<()> {
    if run.result.is_none() {
        let why = format!("it is {}", run.stage);
        return Err(Failure::refused("no_result", "The run has no result", why));
    }
    // The service says whether the result is for you before a file of it is opened.
    let document = room.document(&format!("/runs/{}/result", run.id)).await?;
    let ResultView { result, owner, descriptor: output, .. } = view(&document)?;
    let attested = &result;
    let Store::Local { path: store } = &output.store;
    let home = Path::new(&room.view.id).join(relative(&owner)?);
    let folder = wanted.data_root.join(home).join(relative(store)?).join(&run.id);
    let files = checked(&folder, attested)?;
    let whole = match (&wanted.to, files.as_slice()) {
        (None, _) => None,
        (Some(to), [(_, bytes)]) => Some((to, bytes.clone())),
        (Some(to), many) => match output.format {
            Format::Csv { .. } => {
                Some((to, csv::joined(many.iter().map(|(_, bytes)| bytes.as_slice()))))
            }
            Format::Json {} => {
                Some((to, many.iter().flat_map(|(_, bytes)| bytes.clone()).collect()))
            }
            Format::Parquet {} => {
                let why = format!("it is {} Parquet files in {}", many.len(), folder.display());
                return Err(Failure::refused("not_one_file", "The result can't be one file", why));
            }
        },
    };
    if let Some((to, bytes)) = &whole {
        copy(to, bytes)?;
    }
    let platform = run.executor.as_ref().map_or("unknown", |executor| executor.platform.as_str());
    let document = json!({
        "run": run.id,
        "verified": true,
        "platform": platform,
        "folder": folder.to_string_lossy(),
        "manifest": attested.manifest,
        "copied_to": wanted.to.as_ref().map(|to| to.to_string_lossy()),
    });
    let table = table(&output.format, &attested.manifest.columns, &files, wanted.rows);
    let mut pairs = vec![
        (
            "rows",
            match attested.manifest.rows {
                rows if rows > wanted.rows as u64 => {
                    format!("{rows}, the first {} shown (--rows for more)", wanted.rows)
                }
                rows => rows.to_string(),
            },
        ),
        ("checked", format!("{} file(s): digests and sizes as attested", files.len())),
        ("platform", evidence(platform)),
    ];
    pairs.extend(wanted.to.as_ref().map(|to| ("copied", to.display().to_string())));
    let text =
        format!("{table}\n{}: result of {}\n{}", plain(&run.query_name), run.id, facts(2, pairs));
    Ok(output::answer(&document, &text)?)
}

/// A path that stays below where it is joined to.
fn relative(path: &str) -> Result<&Path> {
    let below = !path.is_empty()
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    below.then_some(Path::new(path)).ok_or_else(|| {
        let why = format!("{path:?} leads out of its folder");
        Failure::refused("path_unfit", "A path in the log is unfit", why)
    })
}

/// The manifest's files and their bytes, each as attested.
fn checked(folder: &Path, attested: &Attested) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for file in &attested.manifest.files {
        let path = folder.join(relative(&file.path)?);
        let shown = path.display();
        let differs = |why: String| {
            Failure::refused("result_mismatch", format!("{shown} is not what was attested"), why)
        };
        let opened = match File::open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Failure::unreadable(format!("{shown} is missing"), error.to_string())
                    .with_hint("Name the folder that the executor writes to: --data-root DIR"));
            }
            Err(error) => {
                return Err(Failure::unreadable(format!("Can't read {shown}"), error.to_string()));
            }
        };
        if file.bytes > FILE_LEN_MAX {
            return Err(Failure::unreadable(
                format!("{shown} is too large to check"),
                "over 1 GiB",
            ));
        }
        let mut bytes = Vec::new();
        let read = opened.take(file.bytes + 1).read_to_end(&mut bytes);
        read.or_unreadable(|| format!("Can't read {shown}"))?;
        if bytes.len() as u64 != file.bytes {
            return Err(differs(format!("it has not {} bytes", file.bytes)));
        }
        let digest = Digest::of(&bytes).to_string();
        if digest != file.digest {
            return Err(differs(format!(
                "its digest is {digest}, and {} was attested",
                file.digest
            )));
        }
        files.push((file.path.clone(), bytes));
    }
    Ok(files)
}

/// Writes the copy, whole or not at all.
fn copy(to: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("Can't write {}", to.display());
    let mut beside = to.as_os_str().to_owned();
    beside.push(".partial");
    let mut file = File::create(&beside).or_unreadable(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).or_unreadable(failed)?;
    fs::rename(&beside, to).or_unreadable(failed)
}

/// The first rows as a table.
fn table(
    format: &Format,
    columns: &[api::Column],
    files: &[(String, Vec<u8>)],
    limit: usize,
) -> String {
    let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
    let all: Vec<Vec<String>> = match format {
        Format::Csv { .. } => files
            .iter()
            .flat_map(|(_, bytes)| {
                csv::rows(&String::from_utf8_lossy(bytes), limit + 1).into_iter().skip(1)
            })
            .take(limit)
            .collect(),
        Format::Json {} => files
            .iter()
            .flat_map(|(_, bytes)| json_rows(&String::from_utf8_lossy(bytes), &names, limit))
            .take(limit)
            .collect(),
        Format::Parquet {} => {
            return "Parquet is not shown as a table; --to copies it.\n".to_owned();
        }
    };
    let numeric = columns.iter().enumerate().filter(|(_, it)| is_number(&it.r#type));
    let mut table = numeric.fold(Table::new(&names), |table, (index, _)| table.right(index));
    for row in all {
        table.row(row);
    }
    table.render(0)
}

/// Whether a column's type is one of numbers, which stand to the right.
fn is_number(kind: &str) -> bool {
    matches!(kind.parse(), Ok(ColumnType::Long | ColumnType::Double | ColumnType::Decimal(_)))
}

/// Rows of JSON lines, as the columns' values.
fn json_rows(text: &str, names: &[&str], limit: usize) -> Vec<Vec<String>> {
    let lines = text.lines().take(limit).filter_map(|line| serde_json::from_str(line).ok());
    // As the file has it: read as a double, a decimal would lose digits.
    let cell = |value: Option<&Box<RawValue>>| match value.map(|value| value.get()) {
        None | Some("null") => String::new(),
        Some(text) if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
        Some(other) => other.to_owned(),
    };
    lines
        .map(|row: BTreeMap<String, Box<RawValue>>| {
            names.iter().map(|name| cell(row.get(*name))).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests;
