//! `sqlx::migrate!` embeds the folders, but cargo doesn't watch them for new files.

fn main() {
    println!("cargo:rerun-if-changed=src/sqlite/migrations");
    println!("cargo:rerun-if-changed=src/postgres/migrations");
}
