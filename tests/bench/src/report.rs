//! What a benchmark found: figures with the value of every round, ratios, plain statements.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::machine::{Machine, Ticks};

/// One timed interval.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Sample {
    /// What was measured, in the figure's unit.
    pub value: f64,
    /// Processor time that the host gave to others meanwhile, in percent of all cores'.
    pub steal_percent: f64,
    /// Processor time that nobody used meanwhile, in percent of all cores'.
    pub idle_percent: f64,
}

/// Something measured in every round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The unit of its values, as in `entries/s`.
    pub unit: String,
    /// How large things were, as in `entries: 1000000`.
    pub sizes: BTreeMap<String, u64>,
    /// One for each round, in order.
    pub rounds: Vec<Sample>,
    /// The median of the rounds' values.
    pub median: f64,
}

/// One figure to another, round by round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ratio {
    /// What it says.
    pub name: String,
    /// One for each round, in order.
    pub rounds: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// The least of them.
    pub least: f64,
    /// The greatest of them.
    pub greatest: f64,
    /// What it should be, if a goal was set.
    pub goal: Option<Goal>,
}

/// What a ratio or a figure should be.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Goal {
    /// That much or more.
    AtLeast(f64),
    /// That much or less.
    AtMost(f64),
}

/// What one benchmark found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Part {
    /// Its name on the command line.
    pub name: String,
    /// What it measures, in a line.
    pub title: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The ratios.
    pub ratios: Vec<Ratio>,
    /// How it was measured, what was left out and why.
    pub notes: Vec<String>,
}

/// Everything that one run of `./bench` found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The sizes: `quick`, `usual` or `full`.
    pub mode: String,
    /// Where.
    pub machine: Machine,
    /// The benchmarks that ran.
    pub parts: Vec<Part>,
    /// The benchmarks that failed, with why.
    pub failed: BTreeMap<String, String>,
}

impl Goal {
    /// Whether `value` meets it.
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Ratio {
    /// The ratio `of` to `to`, each round by its own.
    pub fn of(name: &str, of: &Figure, to: &Figure) -> Self {
        let rounds = of.rounds.iter().zip(&to.rounds);
        Self::from_rounds(name, rounds.map(|(of, to)| of.value / to.value).collect())
    }

    /// The ratio with these values.
    pub fn from_rounds(name: &str, rounds: Vec<f64>) -> Self {
        let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let median = median(&rounds);
        Self { name: name.to_owned(), rounds, median, least, greatest, goal: None }
    }

    /// The same, with what it should be.
    #[must_use]
    pub const fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }
}

impl Part {
    /// A benchmark that has found nothing yet.
    pub fn new(name: &str, title: &str) -> Self {
        Self { name: name.to_owned(), title: title.to_owned(), ..Self::default() }
    }

    /// Adds a statement.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a round's sample to the figure `name`, which begins with its first.
    pub fn push(&mut self, name: &str, unit: &str, sizes: &[(&str, u64)], sample: Sample) {
        let at = self.figures.iter().position(|figure| figure.name == name);
        let at = at.unwrap_or_else(|| {
            let sizes = sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
            let (name, unit) = (name.to_owned(), unit.to_owned());
            self.figures.push(Figure { name, unit, sizes, rounds: Vec::new(), median: 0.0 });
            self.figures.len() - 1
        });
        let figure = &mut self.figures[at];
        figure.rounds.push(sample);
        let values: Vec<_> = figure.rounds.iter().map(|sample| sample.value).collect();
        figure.median = median(&values);
    }

    /// A figure by its name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// Adds the ratio of two figures, if both were measured.
    pub fn compare(&mut self, name: &str, of: &str, to: &str, goal: Option<Goal>) {
        if let (Some(of), Some(to)) = (self.figure(of), self.figure(to)) {
            let ratio = Ratio { goal, ..Ratio::of(name, of, to) };
            self.ratios.push(ratio);
        }
    }
}

/// The middle value, of an even number the mean of the middle two; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (_, None) => 0.0,
        (1, Some(value)) => *value,
        (_, Some(value)) => f64::midpoint(values[middle - 1], *value),
    }
}

/// A timed interval that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    begun: Instant,
    ticks: Ticks,
}

impl Timer {
    /// Begins now.
    pub fn start() -> Self {
        Self { ticks: Ticks::now(), begun: Instant::now() }
    }

    /// `count` things a second, since it began.
    #[expect(clippy::cast_precision_loss, reason = "rates to three digits")]
    pub fn rate(&self, count: u64) -> Sample {
        let seconds = self.seconds();
        self.sample(count as f64 / seconds.max(f64::EPSILON))
    }

    /// A value measured since it began.
    pub fn sample(&self, value: f64) -> Sample {
        let now = Ticks::now();
        Sample {
            value,
            steal_percent: now.steal_percent_since(self.ticks),
            idle_percent: now.idle_percent_since(self.ticks),
        }
    }

    /// Seconds since it began.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn sample(value: f64) -> Sample {
        Sample { value, steal_percent: 0.0, idle_percent: 0.0 }
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let mut part = Part::new("part", "a part");
        for (ours, theirs) in [(10.0, 5.0), (30.0, 10.0), (10.0, 10.0)] {
            part.push("ours", "1/s", &[], sample(ours));
            part.push("theirs", "1/s", &[("clients", 8)], sample(theirs));
        }
        part.compare("ours to theirs", "ours", "theirs", Some(Goal::AtLeast(2.0)));
        part.compare("ours to nothing", "ours", "nothing", None);
        let [ratio] = &part.ratios[..] else { panic!("{:?}", part.ratios) };
        assert_eq!(ratio.rounds, [2.0, 3.0, 1.0]);
        assert_eq!((ratio.median, ratio.least, ratio.greatest), (2.0, 1.0, 3.0));
        assert!(ratio.goal.is_some_and(|goal| goal.is_met_by(ratio.median)));
        assert!(!Goal::AtMost(1.9).is_met_by(ratio.median));
    }

    #[test]
    fn the_median_is_the_middle() {
        let medians =
            [&[][..], &[3.0, 1.0, 2.0], &[4.0, 1.0, 2.0, 3.0]].map(|all| median(all).to_string());
        assert_eq!(medians, ["0", "2", "2.5"]);
    }
}
