//! Lists the Spark application's files, so that the executor embeds exactly those it measures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("spark");
    let package = root.join("chancery_app");
    let mut files = vec!["main.py".to_owned()];
    for entry in fs::read_dir(&package)? {
        let name =
            entry?.file_name().into_string().map_err(|_| io::Error::other("a file's name"))?;
        if Path::new(&name).extension().is_some_and(|extension| extension == "py") {
            files.push(format!("chancery_app/{name}"));
        }
    }
    files.sort_unstable();
    let mut list = String::from("&[\n");
    for file in files {
        let path = root.join(&file);
        let path = path.to_str().ok_or_else(|| io::Error::other("the path of the sources"))?;
        writeln!(list, "    ({file:?}, include_bytes!({path:?})),")?;
        rerun_if_changed(path);
    }
    list.push_str("]\n");
    rerun_if_changed(&package.display().to_string());
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("application.rs"), list)?;
    Ok(())
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

fn rerun_if_changed(path: &str) {
    println!("cargo::rerun-if-changed={path}");
}
