//! Readers under inputs that nobody wrote: documents of a corpus with bytes changed, left out, doubled and mixed.
//!
//! In a usual run of the tests a reader gets some hundred. `RILLE_FUZZ=SECONDS cargo test --release fuzz` has each read for
//! so long, and looks at its memory; a seed that fails is told, and `RILLE_FUZZ_SEED=N` begins with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// How many inputs a reader gets in a usual run.
const USUALLY: u64 = 500;

/// More memory than a reader of small documents may ever take, in KiB.
const MOST_MEMORY: u64 = 512 << 10;

/// Pieces that mean something to one reader or another.
const PIECES: [&[u8]; 16] = [
    b"{",
    b"[",
    b"\"",
    b"\\u0000",
    b"\xff\xfe",
    b"\0\0\0\0",
    b"9999999999999999999",
    b"-1",
    b"1e999",
    b"\n",
    b"\r\n",
    b"not ok",
    b": ",
    b"- &a *a",
    b"PK\x01\x02",
    b"../../",
];

/// Has `read` take in changed documents. It may refuse them, and must not panic.
#[track_caller]
pub(crate) fn fuzz(corpus: &[&[u8]], mut read: impl FnMut(&[u8])) {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let until = setting("RILLE_FUZZ").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let first = setting("RILLE_FUZZ_SEED").unwrap_or(0);
    for seed in first.. {
        if until.map_or(seed >= first + USUALLY, |until| Instant::now() >= until) {
            break;
        }
        let input = changed(corpus, seed);
        let done = catch_unwind(AssertUnwindSafe(|| read(&input)));
        assert!(done.is_ok(), "seed {seed} (RILLE_FUZZ_SEED={seed}) panics: {}", input.escape_ascii());
    }
    if until.is_some() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        assert!(peak.is_none_or(|peak: u64| peak < MOST_MEMORY), "{peak:?} KiB were taken");
    }
}

fn changed(corpus: &[&[u8]], seed: u64) -> Vec<u8> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut below = |count: usize| usize::try_from(random.next_u64() % count.max(1) as u64).unwrap_or_default();
    let mut input = corpus[below(corpus.len())].to_vec();
    for _ in 0..=below(6) {
        let at = below(input.len() + 1);
        let length = below(1 + (input.len() - at).min(64));
        match below(8) {
            0 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] = u8::try_from(below(256)).unwrap_or_default();
            }
            1 => drop(input.drain(at..at + length)),
            2 => {
                let piece = input[at..at + length].to_vec();
                let count = 1 + below(40);
                input.splice(at..at, piece.repeat(count));
            }
            3 => input.truncate(at),
            4 => {
                let other = corpus[below(corpus.len())];
                let from = below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
            5 => {
                let piece = PIECES[below(PIECES.len())].repeat(1 + below(300));
                input.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[below(PIECES.len())];
                input.splice(at..at + length, piece.iter().copied());
            }
        }
    }
    input
}
