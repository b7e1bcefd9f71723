//! The report for people and for programs: text, one page to print, JSON.

mod agreed;
mod html;
mod json;
mod partial;
mod text;
mod words;

pub use html::render_html;
pub use json::{diff_json, render_json, result_json};
pub use text::{render_diff, render_result, render_text};
