//! A loop that stood still, or stands still now: a stopped or starved process, a disk that takes nothing. What was due
//! meanwhile is told afterwards, and by a watchdog that it is so while it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How late a loop may be before it is told.
pub(super) const STALL: Duration = Duration::from_secs(5);

/// How long a run is watched by nobody: a short one needs no watchdog.
const UNWATCHED: Duration = Duration::from_secs(1);

/// How often the watchdog looks.
const LOOK: Duration = Duration::from_millis(500);

/// Hears from the watchdog, on its thread.
pub(crate) type OnStall = Box<dyn Fn(&str) + Send>;

/// When the loop has rested and woken, and who watches it.
pub(super) struct Stalls {
    beat: Arc<Beat>,
    watchdog: Option<OnStall>,
    /// When it is to wake at the latest.
    wakes_by: Option<Duration>,
    woke: Duration,
}

/// What the loop shows the watchdog.
struct Beat {
    started: Instant,
    /// Since when the loop is at work, in milliseconds after `started`, and one more; 0 while it rests.
    works_since: AtomicU64,
    is_over: AtomicBool,
}

impl Stalls {
    pub(super) fn new(watchdog: OnStall) -> Self {
        let beat = Beat { started: Instant::now(), works_since: AtomicU64::new(0), is_over: AtomicBool::new(false) };
        Self { beat: Arc::new(beat), watchdog: Some(watchdog), wakes_by: None, woke: Duration::ZERO }
    }

    /// The loop is going to rest, for `timeout` at most. Returns for how long it was at work, if that is a stall.
    pub(super) fn rests(&mut self, now: Duration, timeout: Option<Duration>) -> Option<Duration> {
        self.beat.rest();
        self.wakes_by = timeout.map(|timeout| now + timeout);
        if now >= UNWATCHED
            && let Some(watchdog) = self.watchdog.take()
        {
            let beat = Arc::clone(&self.beat);
            // Where there is no thread to be had, it is told afterwards only.
            let _ = thread::Builder::new().name("watchdog".to_owned()).spawn(move || beat.watch(STALL, &watchdog));
        }
        self.works(now)
    }

    /// The loop is at work. Returns for how long it has been, if that is a stall that was not told.
    pub(super) fn works(&mut self, now: Duration) -> Option<Duration> {
        let worked = now.saturating_sub(self.woke);
        let is_stall = worked >= STALL;
        if is_stall {
            self.woke = now;
        }
        is_stall.then_some(worked)
    }

    /// The loop has woken. Returns how late that is, if it is a stall.
    pub(super) fn wakes(&mut self, now: Duration) -> Option<Duration> {
        self.beat.work();
        self.woke = now;
        let late = now.saturating_sub(self.wakes_by?);
        (late >= STALL).then_some(late)
    }

    /// The process is to stand still on purpose, or goes on after that.
    pub(super) fn pauses(&self, is_paused: bool) {
        match is_paused {
            true => self.beat.rest(),
            false => self.beat.work(),
        }
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.beat.is_over.store(true, Ordering::Relaxed);
    }
}

impl Beat {
    fn rest(&self) {
        self.works_since.store(0, Ordering::Relaxed);
    }

    fn work(&self) {
        self.works_since.store(self.millis() + 1, Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells of each stall once, until the loop is over.
    fn watch(&self, stall: Duration, on_stall: &OnStall) {
        let mut told = 0;
        let mut looked = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(LOOK.min(stall / 4));
            // Where this thread stood still as well the loop is told to be late by itself.
            let stood_still = looked.elapsed() > stall;
            looked = Instant::now();
            let since = self.works_since.load(Ordering::Relaxed);
            let works = Duration::from_millis((self.millis() + 1).saturating_sub(since));
            if since != 0 && since != told && works >= stall && !stood_still {
                told = since;
                on_stall(&format!(
                    "the engine has been at work for {:.1} s without looking at its tasks: a disk or a console may take \
                     nothing; time limits are judged when it goes on",
                    works.as_secs_f64()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn only_what_is_late_by_more_than_a_stall_is_told() {
        let seconds = Duration::from_secs;
        let mut stalls = Stalls::new(Box::new(|_| ()));
        assert_eq!(stalls.rests(seconds(0), Some(seconds(1))), None);
        assert_eq!(stalls.wakes(seconds(1)), None);
        assert_eq!(stalls.rests(seconds(2), Some(seconds(1))), None);
        assert_eq!(stalls.wakes(seconds(12)), Some(seconds(9)), "stopped while it rested");
        assert_eq!(stalls.works(seconds(16)), None);
        assert_eq!(stalls.works(seconds(18)), Some(seconds(6)), "held up while it worked");
        assert_eq!(stalls.rests(seconds(19), None), None, "told once");
        assert_eq!(stalls.wakes(seconds(20)), None);
        assert_eq!(stalls.rests(seconds(28), None), Some(seconds(8)), "held up while it worked");
        assert_eq!(stalls.wakes(seconds(100)), None, "nothing was due");
    }

    #[test]
    fn a_watchdog_tells_of_each_stall_once_while_it_lasts() {
        let beat =
            Arc::new(Beat { started: Instant::now(), works_since: AtomicU64::new(0), is_over: AtomicBool::new(false) });
        let (tell, told) = mpsc::channel();
        let on_stall: OnStall = Box::new(move |text| tell.send(text.to_owned()).unwrap());
        let theirs = Arc::clone(&beat);
        let watchdog = thread::spawn(move || theirs.watch(Duration::from_millis(40), &on_stall));
        assert!(told.recv_timeout(Duration::from_millis(150)).is_err(), "it rests");
        for _ in 0..2 {
            beat.work();
            let text = told.recv_timeout(Duration::from_mins(1)).unwrap();
            assert!(text.starts_with("the engine has been at work for 0."), "{text}");
            assert!(told.recv_timeout(Duration::from_millis(150)).is_err(), "told twice");
            beat.rest();
        }
        beat.is_over.store(true, Ordering::Relaxed);
        watchdog.join().unwrap();
    }
}
