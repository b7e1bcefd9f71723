mod story;
use chancery_audit::{Options, verify, Verdict};
use chancery_audit::render::*;
#[test]
fn show() {
    let b = story::Story::whole().bundle();
    println!("len {}", b.len());
    let r = verify(&b[..], &Options::default());
    println!("{}", render_text(&r, 80));
    println!("{}", &render_json(&r)[..600]);
    let t = std::time::Instant::now();
    for _ in 0..10 { verify(&b[..], &Options::default()); }
    println!("{:?} each", t.elapsed()/10);
}
