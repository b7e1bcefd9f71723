//! Latency under an open load: commands arrive by a schedule, whether those before them are
//! answered or not, and each is timed from the moment at which it was to arrive.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chancery_store::Store;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::Setup;
use crate::append::{CALLERS, ROOMS};
use crate::report::{Part, Sample, Timer, median};
use crate::service::{Ready, Service};

/// The name on the command line.
pub const NAME: &str = "latency";
/// Shares of the capacity that the load is, in percent.
const LOADS: [u32; 3] = [25, 50, 75];
/// Points of the distribution.
const POINTS: [(&str, f64); 3] = [("p50", 0.50), ("p99", 0.99), ("p99.9", 0.999)];
/// How long the schedule sleeps at a time, at most: arrivals are late by about that at worst.
const NAP: Duration = Duration::from_micros(200);

struct Sizes {
    rounds: usize,
    /// Events by which the capacity is found, each time.
    events: u64,
    /// How long each load lasts.
    time: Duration,
}

/// Measures.
///
/// # Errors
///
/// Where a command is refused.
pub async fn run(setup: &Setup) -> Result<Part> {
    let mut part = Part::new(NAME, "latency of appends under an open load");
    let sizes = setup.size(
        Sizes { rounds: 1, events: 1500, time: Duration::from_millis(500) },
        Sizes { rounds: 3, events: 20_000, time: Duration::from_secs(5) },
        Sizes { rounds: 5, events: 80_000, time: Duration::from_secs(20) },
    );
    let folder = tempfile::tempdir_in(&setup.folder)?;
    for rooms in [1, ROOMS] {
        let path = folder.path().join(rooms.to_string());
        std::fs::create_dir(&path)?;
        let store = Store::open(&path.join("log.db")).await?;
        let mut service = Service::begin(store, &path, rooms, CALLERS).await?;
        measure(setup, &mut part, &mut service, &sizes, rooms).await?;
    }
    part.note(
        "Capacity is what the same callers reach when each waits for its reply; it is measured \
         anew in each round. Latency is from the scheduled arrival to the reply, after the sync. \
         The arrivals come from a thread of the same process; how late it was counts as latency, \
         and is told for all loads together.",
    );
    Ok(part)
}

async fn measure(
    setup: &Setup,
    part: &mut Part,
    service: &mut Service,
    sizes: &Sizes,
    rooms: u64,
) -> Result<()> {
    let warm_up = service.sign(sizes.events / 2)?;
    service.send_all(warm_up).await?;
    for round in 0..sizes.rounds {
        setup.progress(NAME, round + 1, sizes.rounds);
        let commands = service.sign(sizes.events)?;
        let capacity = service.send_all(commands).await?;
        let name = format!("capacity, {}", rooms_named(rooms));
        part.push(&name, "events/s", &[("collaborations", rooms)], capacity);
        for load in LOADS {
            let rate = capacity.value * f64::from(load) / 100.0;
            let (latencies, timer, late) = offer(service, rate, sizes.time).await?;
            for (point, share) in POINTS {
                let value = quantile(&latencies, share).context("no reply was timed")?;
                let name = format!("{point} at {load} %, {}", rooms_named(rooms));
                let named = [("events", latencies.len() as u64), ("collaborations", rooms)];
                part.push(&name, "ms", &named, Sample { value, ..timer });
            }
            let name = format!("arrivals late, p99, {}", rooms_named(rooms));
            part.push(&name, "ms", &[], Sample { value: late, ..timer });
        }
    }
    Ok(())
}

fn rooms_named(rooms: u64) -> String {
    if rooms == 1 { "1 collaboration".to_owned() } else { format!("{rooms} collaborations") }
}

/// Commands of one lane that wait for their arrival. Whoever holds it sends the next: a lane's
/// commands must reach the service in their order.
type Line = Arc<Mutex<VecDeque<Ready>>>;

/// Offers `rate` commands a second for `time`. Gives the latencies in ms, sorted, the interval's
/// steal, and by how many ms the arrivals were late at their 99th percentile.
async fn offer(
    service: &mut Service,
    rate: f64,
    time: Duration,
) -> Result<(Vec<f64>, Sample, f64)> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let count = (rate * time.as_secs_f64()) as u64;
    let lanes = service.sign(count)?;
    let count: usize = lanes.iter().map(Vec::len).sum();
    let lines: Vec<Line> =
        lanes.into_iter().map(|lane| Arc::new(Mutex::new(lane.into()))).collect();
    let (app, runtime) = (service.app.clone(), Handle::current());
    let timer = Timer::start();
    let schedule = std::thread::spawn(move || {
        let mut replies = JoinSet::new();
        let mut late = Vec::with_capacity(count);
        let begun = Instant::now();
        let mut next = 0_u32;
        let total = u32::try_from(count).unwrap_or(u32::MAX);
        while next < total {
            let due = begun + Duration::from_secs_f64(f64::from(next) / rate);
            let wait = due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                std::thread::sleep(wait.min(NAP));
                continue;
            }
            late.push(due.elapsed().as_secs_f64() * 1000.0);
            let line = Arc::clone(&lines[next as usize % lines.len()]);
            let app = app.clone();
            replies.spawn_on(
                async move {
                    let mut line = line.lock().await;
                    let ready = line.pop_front().context("a command for each arrival")?;
                    ready.send(&app).await?;
                    anyhow::Ok(due.elapsed().as_secs_f64() * 1000.0)
                },
                &runtime,
            );
            next += 1;
        }
        (replies, late)
    });
    let joined = tokio::task::spawn_blocking(move || schedule.join()).await?;
    let (mut replies, mut late) =
        joined.map_err(|_| anyhow::anyhow!("the schedule's thread died"))?;
    let mut latencies = Vec::with_capacity(count);
    while let Some(latency) = replies.join_next().await {
        latencies.push(latency??);
    }
    latencies.sort_by(f64::total_cmp);
    late.sort_by(f64::total_cmp);
    let sample = timer.sample(median(&latencies));
    Ok((latencies, sample, quantile(&late, 0.99).unwrap_or(0.0)))
}

/// The smallest value that `share` of all are not above; `sorted` is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let values: Vec<_> = (1..=1000).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), Some(500.0));
        assert_eq!(quantile(&values, 0.999), Some(999.0));
        assert_eq!(quantile(&values[..3], 0.999), Some(3.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
