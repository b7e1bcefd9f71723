//! How long a signature takes to check, alone and in batches.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "an example measures and prints"
)]

use std::time::Instant;

use chancery_ledger::batch::{Check, Seed, verify_each};
use chancery_ledger::key::SigningKey;

fn main() {
    let keys: Vec<_> = (0..8).map(|seed| SigningKey::from_seed(&[seed; 32]).unwrap()).collect();
    let signed: Vec<_> = (0..8192_usize)
        .map(|at| {
            let mut message = vec![7_u8; 700];
            message[..8].copy_from_slice(&at.to_le_bytes());
            let key = &keys[at % keys.len()];
            let signature = key.sign(&message);
            (key.public(), message, signature)
        })
        .collect();
    let checks: Vec<_> =
        signed.iter().map(|(key, message, signature)| Check { key, message, signature }).collect();
    for size in [1, 32, 64, 96, 128, 256, 512, 1024] {
        let start = Instant::now();
        for part in checks.chunks(size) {
            assert!(verify_each(part, &Seed::new([5; 32])).iter().all(|stands| *stands));
        }
        let each = start.elapsed().as_secs_f64() * 1e6 / checks.len() as f64;
        println!("batches of {size:5}: {each:6.1} us a signature");
    }
}
