//! Plots as SVG (1.1), by hand: logarithmic across, from zero up, readable on light and dark.

use std::fmt::Write as _;

/// The file in which a benchmark leaves its plots.
pub const FILE: &str = "append-cost.svg";

const WIDTH: f64 = 640.0;
/// Of each plot.
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;
/// Lines across a plot, at round values.
const STEPS: u32 = 4;

/// Some points in order.
#[derive(Debug, Clone)]
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// How many, and how much.
    pub points: Vec<(u64, f64)>,
}

/// Curves over one pair of axes.
#[derive(Debug, Clone)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// The unit of the axis upwards.
    pub unit: String,
    /// What the axis across counts.
    pub across: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// The plots, one below the other.
pub fn svg(plots: &[Plot]) -> String {
    let height = HEIGHT * f64::from(u32::try_from(plots.len()).unwrap_or(1));
    let titles: Vec<_> = plots.iter().map(|plot| escaped(&plot.title)).collect();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-label=\"{}\">\n<style>\n\
         text {{ font: 12px system-ui, sans-serif; fill: #24292f; }}\n\
         .title {{ font-size: 14px; font-weight: 600; }}\n\
         .grid {{ stroke: #8c959f; stroke-width: .5; stroke-dasharray: 2 3; }}\n\
         .axis {{ stroke: #57606a; stroke-width: 1; }}\n\
         .curve {{ fill: none; stroke: #0969da; stroke-width: 2; }}\n\
         .point {{ fill: #0969da; }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         text {{ fill: #e6edf3; }} .axis {{ stroke: #9da7b1; }}\n\
         .curve {{ stroke: #58a6ff; }} .point {{ fill: #58a6ff; }}\n}}\n</style>\n",
        titles.join("; ")
    );
    let mut top = 0.0;
    for plot in plots {
        draw(&mut out, plot, top);
        top += HEIGHT;
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, plot: &Plot, top: f64) {
    let points = || plot.curves.iter().flat_map(|curve| &curve.points);
    let first = points().map(|(size, _)| (*size).max(1)).min().unwrap_or(1);
    let last = points().map(|(size, _)| (*size).max(1)).max().unwrap_or(1);
    let (low, high) = (first.ilog10(), last.ilog10() + u32::from(!is_power_of_ten(last)));
    let high = high.max(low + 1);
    let step = round_step(points().map(|(_, value)| *value).fold(0.0, f64::max));
    let (right, bottom) = (WIDTH - RIGHT, top + HEIGHT - BOTTOM);
    let x = |size: f64| {
        LEFT + (right - LEFT) * (size.max(1.0).log10() - f64::from(low)) / f64::from(high - low)
    };
    let y = |value: f64| bottom - (bottom - top - TOP) * value / (step * f64::from(STEPS));
    // Writing into a String does not fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    let title = escaped(&plot.title);
    line(format!("<text class=\"title\" x=\"{LEFT}\" y=\"{:.0}\">{title}</text>", top + 22.0));
    for number in 0..=STEPS {
        let value = step * f64::from(number);
        let at = y(value);
        let class = if number == 0 { "axis" } else { "grid" };
        line(format!(
            "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>"
        ));
        let digits = usize::from(step.fract() != 0.0);
        let (x, y) = (LEFT - 8.0, at + 4.0);
        line(format!("<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{value:.digits$}</text>"));
    }
    line(format!(
        "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{:.1}\" x2=\"{LEFT}\" y2=\"{bottom:.1}\"/>",
        top + TOP
    ));
    for power in low..=high {
        let at = x(10_f64.powi(i32::try_from(power).unwrap_or(0)));
        line(format!(
            "<line class=\"axis\" x1=\"{at:.1}\" y1=\"{bottom:.1}\" x2=\"{at:.1}\" y2=\"{:.1}\"/>",
            bottom + 5.0
        ));
        let (y, name) = (bottom + 19.0, power_name(power));
        line(format!("<text x=\"{at:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{name}</text>"));
    }
    let (middle, y_unit, y_across) = (f64::midpoint(LEFT, right), top + TOP - 6.0, bottom + 38.0);
    let (unit, across) = (escaped(&plot.unit), escaped(&plot.across));
    line(format!(
        "<text x=\"{:.0}\" y=\"{y_unit:.0}\" text-anchor=\"end\">{unit}</text>",
        LEFT - 8.0
    ));
    line(format!(
        "<text x=\"{middle:.0}\" y=\"{y_across:.0}\" text-anchor=\"middle\">{across}</text>"
    ));
    for curve in &plot.curves {
        #[expect(clippy::cast_precision_loss, reason = "a place on a plot")]
        let at = |(size, value): &(u64, f64)| (x(*size as f64), y(*value));
        let places: Vec<_> = curve.points.iter().map(at).collect();
        let joined: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        line(format!("<polyline class=\"curve\" points=\"{}\"/>", joined.join(" ")));
        for ((size, value), (x, y)) in curve.points.iter().zip(places) {
            let name = escaped(&curve.name);
            line(format!(
                "<circle class=\"point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"><title>{name}: \
                 {value:.1} {unit} at {size}</title></circle>"
            ));
            line(format!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.1}</text>",
                y - 9.0
            ));
        }
    }
}

const fn is_power_of_ten(number: u64) -> bool {
    10_u64.pow(number.ilog10()) == number
}

/// A round step, [`STEPS`] of which go beyond `most` by a little at least.
fn round_step(most: f64) -> f64 {
    let least = (most * 1.15).max(f64::MIN_POSITIVE) / f64::from(STEPS);
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .map(|round| round * power)
        .into_iter()
        .find(|it| *it >= least)
        .unwrap_or(10.0 * power)
}

fn power_name(power: u32) -> String {
    let (value, unit) = match power {
        0..3 => (power, ""),
        3..6 => (power - 3, " thousand"),
        6..9 => (power - 6, " million"),
        _ => return format!("10^{power}"),
    };
    format!("{}{unit}", 10_u32.pow(value))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_shows_its_points_inside_its_axes() {
        let points = vec![(10_000, 11.0), (1_000_000, 12.5), (10_000_000, 12.0)];
        let plot = Plot {
            title: "Cost & <more>".into(),
            unit: "µs".into(),
            across: "entries".into(),
            curves: vec![Curve { name: "append".into(), points }],
        };
        let svg = svg(&[plot]);
        assert!(svg.contains("Cost &amp; &lt;more>") && !svg.contains("NaN"), "{svg}");
        for name in ["10 thousand", "100 thousand", "10 million", "12.5"] {
            assert!(svg.contains(name), "{name}: {svg}");
        }
        let circles: Vec<f64> = svg
            .split("cy=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(circles.len(), 3);
        assert!(circles.iter().all(|y| (TOP..HEIGHT - BOTTOM).contains(y)), "{circles:?}");
        // More is higher.
        assert!(circles[0] > circles[1]);
    }

    #[test]
    fn steps_are_round() {
        let steps = [12.5, 3.0, 100.0].map(|most| round_step(most).to_string());
        assert_eq!(steps, ["5", "1", "50"]);
    }
}
