//! The sink without an engine: what is kept, who is waited for, and what a failure does.

use std::fs;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::store::tfevents::read_scalars;

fn run() -> tempfile::TempDir {
    let run = tempfile::tempdir().unwrap();
    fs::create_dir(run.path().join(".guild")).unwrap();
    run
}

#[test]
fn output_is_kept_and_its_scalars_are_in_an_event_file() {
    let run = run();
    let patterns = ScalarPatterns::read(None, ["lr"]).unwrap();
    let Recorder { mut sink, recording } = Recorder::new(run.path(), patterns, false, &Masks::default());
    sink.connect(Box::new(|| ()));
    assert_eq!(fs::read_dir(run.path().join(".guild")).unwrap().count(), 0, "nothing is made before the start");
    sink.begin().unwrap();
    sink.begin().unwrap();
    for (stream, bytes) in
        [(Stream::Stdout, &b"loss: 0.5 (step 1)\nlo"[..]), (Stream::Stderr, b"lr: 1\n"), (Stream::Stdout, b"ss: 0.25")]
    {
        sink.write(stream, bytes).unwrap();
    }
    sink.finish().unwrap();
    sink.finish().unwrap();
    recording.finish(None).unwrap();
    assert_eq!(fs::read(run.path().join(".guild/output")).unwrap(), b"loss: 0.5 (step 1)\nlolr: 1\nss: 0.25");
    let summaries = read_scalars(run.path());
    let found: Vec<_> = summaries.scalars.iter().map(|((_, tag), scalar)| (tag.as_str(), scalar.last.value)).collect();
    assert_eq!(found, [("loss", 0.25)]);
}

/// Looks again and again until there is something, within a time that ends a test which hangs.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_scalar_is_there_while_the_operation_runs() {
    let run = run();
    let patterns = ScalarPatterns::read(None, []).unwrap();
    let Recorder { mut sink, recording } = Recorder::new(run.path(), patterns, false, &Masks::default());
    sink.begin().unwrap();
    sink.write(Stream::Stdout, b"loss: 1\n").unwrap();
    until(|| (!read_scalars(run.path()).scalars.is_empty()).then_some(()));
    // It was never started, or is still running: its end is not needed for this.
    recording.finish(None).unwrap();
    drop(sink);
}

/// Takes a piece each time it is told to.
struct Slow(mpsc::Receiver<()>);

impl Follow for Slow {
    fn take(&mut self, _: Stream, _: &[u8], _: bool) -> Result<(), queue::WriteError> {
        // Nobody tells it any more: it is fast.
        let _ = self.0.recv();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), queue::WriteError> {
        Ok(())
    }
}

#[test]
fn a_full_queue_says_so_and_wakes_who_waits() {
    let (go, wait) = mpsc::channel();
    let (awake, woken) = mpsc::channel();
    let waker: SinkWaker = Box::new(move || awake.send(()).unwrap());
    let follower = Follower::start("slow", Box::new(Slow(wait)), Some(Arc::new(waker))).unwrap();
    let piece: Arc<[u8]> = vec![0; 1 << 20].into();
    let mut pieces = 0;
    while follower.has_room() {
        follower.take(Stream::Stdout, Arc::clone(&piece)).unwrap();
        pieces += 1;
    }
    assert_eq!(pieces, 4);
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    assert!(woken.recv_timeout(Duration::from_millis(20)).is_err(), "half full is not yet room");
    go.send(()).unwrap();
    woken.recv().unwrap();
    assert!(follower.has_room());
    drop(go);
    follower.finish(None).unwrap();
}

/// Fails with the first piece.
struct Broken;

impl Follow for Broken {
    fn take(&mut self, _: Stream, _: &[u8], _: bool) -> Result<(), queue::WriteError> {
        Err((PathBuf::from("events"), io::ErrorKind::StorageFull.into()))
    }

    fn finish(&mut self) -> Result<(), queue::WriteError> {
        Ok(())
    }
}

#[test]
fn what_cannot_be_written_is_told_once_and_nobody_waits_for_it() {
    let follower = Follower::start("broken", Box::new(Broken), None).unwrap();
    let piece: Arc<[u8]> = vec![0; 8 << 20].into();
    let (path, error) = until(|| follower.take(Stream::Stdout, Arc::clone(&piece)).err());
    assert_eq!(path, PathBuf::from("events"));
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(follower.has_room());
    follower.take(Stream::Stdout, piece).unwrap();
    follower.finish(None).unwrap();
}
