//! `sqlx::migrate!` embeds the folder, but cargo doesn't watch it for new files.

fn main() {
    #[expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]
    {
        println!("cargo:rerun-if-changed=migrations");
    }
}
