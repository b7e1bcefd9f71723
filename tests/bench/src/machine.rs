//! What the machine says of itself: processor steal, memory, its name (proc(5)).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Ticks of all cores since the machine started.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    steal: u64,
    idle: u64,
    total: u64,
}

impl Ticks {
    /// The ticks so far; zeros where `/proc/stat` can't be read.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
        // user nice system idle iowait irq softirq steal; the guests' time after them is in user's.
        Self { steal: at(7), idle: at(3) + at(4), total: ticks.iter().take(8).sum() }
    }

    /// The share of processor time that the host gave to others since `before`, in percent.
    pub fn steal_percent_since(self, before: Self) -> f64 {
        self.percent_since(before, |ticks| ticks.steal)
    }

    /// The share of processor time that was left idle since `before`, in percent.
    pub fn idle_percent_since(self, before: Self) -> f64 {
        self.percent_since(before, |ticks| ticks.idle)
    }

    #[expect(clippy::cast_precision_loss, reason = "shares to one digit")]
    fn percent_since(self, before: Self, part: impl Fn(Self) -> u64) -> f64 {
        let total = self.total.saturating_sub(before.total).max(1);
        100.0 * part(self).saturating_sub(part(before)) as f64 / total as f64
    }
}

/// Memory that this process holds now, in KiB.
pub fn resident_kib() -> u64 {
    status("VmRSS:")
}

/// The most memory that this process has held since [`forget_peak`], or since it began, in KiB.
pub fn peak_kib() -> u64 {
    status("VmHWM:")
}

/// Lets [`peak_kib`] begin anew; where the kernel refuses, it goes on from the start.
pub fn forget_peak() {
    // 5: the peak resident set size (proc(5), /proc/pid/clear_refs).
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Which machine, and which source, made a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Memory of the machine, in MiB.
    pub memory_mib: u64,
    /// The commit of the source, with `-dirty` where files differ from it.
    pub commit: String,
    /// Whether the compiler optimised.
    pub optimised: bool,
    /// The day, UTC.
    pub date: String,
    /// Processes that ran or waited to run, the mean of the minute before: what else goes on.
    pub load_before: f64,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let named = |line: &str| Some(line.strip_prefix("model name")?.split_once(": ")?.1.into());
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().and_then(|load| load.parse().ok());
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let total = total.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Self {
            cpu: cpuinfo.lines().find_map(named).unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            memory_mib: total.unwrap_or(0) / 1024,
            commit: said("git", &["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]),
            optimised: !cfg!(debug_assertions),
            date: said("date", &["-u", "+%Y-%m-%d"]),
            load_before: load.unwrap_or(0.0),
        }
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// Bytes free on the file system of `folder`; none where `df` doesn't tell.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = folder.to_str()?;
    let text = said("df", &["--output=avail", "-B1", folder]);
    text.lines().last()?.trim().parse().ok()
}

/// Whether two folders lie on one file system, so that their syncs cost the same.
pub fn one_file_system(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    device(one) == device(other)
}
