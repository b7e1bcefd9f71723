//! Bytes from asynchronous work to a reader on a thread of its own, a few chunks ahead at most.

use std::io::{self, Read};

use tokio::sync::mpsc;

/// Chunks on the way, at most.
const AHEAD_MAX: usize = 4;

/// Where the bytes go in.
pub type Sender = mpsc::Sender<Vec<u8>>;

/// Where they come out, in order; the end is where the sender is dropped. Reading blocks.
pub struct Chunks {
    rest: mpsc::Receiver<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
}

/// Both ends.
pub fn channel() -> (Sender, Chunks) {
    let (sender, rest) = mpsc::channel(AHEAD_MAX);
    (sender, Chunks { rest, current: Vec::new(), at: 0 })
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.current.len() {
            match self.rest.blocking_recv() {
                Some(chunk) => (self.current, self.at) = (chunk, 0),
                None => return Ok(0),
            }
        }
        let left = &self.current[self.at..];
        let len = left.len().min(out.len());
        out[..len].copy_from_slice(&left[..len]);
        self.at += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_in_comes_out_and_ends() {
        let (sender, mut chunks) = channel();
        let reader = tokio::task::spawn_blocking(move || {
            let mut read = Vec::new();
            chunks.read_to_end(&mut read).unwrap();
            read
        });
        let mut sent = Vec::new();
        for n in 0..100_u8 {
            let chunk = vec![n; usize::from(n) * 100];
            sent.extend_from_slice(&chunk);
            sender.send(chunk).await.unwrap();
        }
        drop(sender);
        assert_eq!(reader.await.unwrap(), sent);
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_told_to_the_sender() {
        let (sender, chunks) = channel();
        drop(chunks);
        assert!(sender.send(vec![1]).await.is_err());
    }
}
