//! The report for people and for programs.

mod json;
mod partial;
mod text;

pub use json::render_json;
pub use text::render_text;
