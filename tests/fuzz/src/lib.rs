//! Fuzz targets for every parser of Chancery, on a stable toolchain: see `README.md`.
//!
//! - [`fuzz`]: runs a target for its budget
//! - [`corpus`]: the seeds, all of them committed vectors and texts of this repository
//! - [`mutate`]: what is done to a seed: to its bytes, to its lines, to its CBOR tree

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a corpus that can't be read fails the tests"
)]

pub mod corpus;
pub mod mutate;

pub use arbtest::arbitrary;
use arbtest::arbitrary::{Result, Unstructured};

/// How long a target runs without `CHANCERY_FUZZ_MS`, in milliseconds.
pub const BUDGET_MS: u64 = 1_500;

/// Most random bytes that one case is made of.
pub const ENTROPY_LEN_MAX: u32 = 4 << 10;

/// Runs `target` on cases of growing size until its budget, `CHANCERY_FUZZ_MS`, is spent.
///
/// A case that fails prints its seed. With `CHANCERY_FUZZ_SEED` set to that, the target runs on that
/// case alone; with `CHANCERY_FUZZ_MINIMIZE` beside it, on ever smaller ones that still fail.
///
/// # Panics
///
/// Where the target does, and where one of those variables is no number.
pub fn fuzz(target: impl FnMut(&mut Unstructured<'_>) -> Result<()>) {
    let set = |name| std::env::var(name).ok();
    let budget = set("CHANCERY_FUZZ_MS").map_or(BUDGET_MS, |text| text.parse().unwrap());
    let mut test = arbtest::arbtest(target).budget_ms(budget).size_max(ENTROPY_LEN_MAX);
    if let Some(seed) = set("CHANCERY_FUZZ_SEED") {
        test = test.seed(u64::from_str_radix(seed.trim_start_matches("0x"), 16).unwrap());
    }
    if set("CHANCERY_FUZZ_MINIMIZE").is_some() {
        test = test.minimize();
    }
    test.run();
}
