//! What the end-to-end tests share: a whole deployment on this machine, driven as its users would,
//! by the `chancery` program. The tests themselves are in `tests/tests`.
//!
//! Everything is real: NATS, SQLite, the development issuer, Spark. `./test` installs what these
//! need and names the Python in `CHANCERY_TEST_PYTHON`.

#![expect(clippy::expect_used, reason = "a test that can't go on says why")]
#![expect(clippy::missing_panics_doc, reason = "everything here panics: that is how a test fails")]

mod person;
mod process;
mod room;
mod served;

use std::path::PathBuf;

pub use person::{Outcome, Person};
pub use process::{Background, free_port, is_open, wait_until};
pub use room::{QUERY, Room, Shape, demo_data, sales, write};
pub use served::{NAME, Served, offline};

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The `chancery` program, beside the test programs. `cargo build` makes it.
pub fn chancery() -> PathBuf {
    let deps = std::env::current_exe().expect("this test has a path");
    let built = deps.parent().and_then(std::path::Path::parent).expect("target/debug/deps");
    let program = built.join("chancery");
    assert!(program.is_file(), "{} is missing: cargo build --bin chancery", program.display());
    program
}

/// The Python environment with `PySpark`.
pub fn venv() -> PathBuf {
    let python = std::env::var_os("CHANCERY_TEST_PYTHON")
        .map_or_else(|| root().join(".venv/bin/python"), PathBuf::from);
    assert!(python.exists(), "{} is missing: run ./test, which installs it", python.display());
    python.parent().and_then(std::path::Path::parent).expect("bin/python").to_owned()
}
