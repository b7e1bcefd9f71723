//! `sqlx::migrate!` embeds the folder, but cargo doesn't watch it for new files.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
