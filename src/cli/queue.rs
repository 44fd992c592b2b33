//! `rille queue`: starts staged runs, the oldest first, each as `rille run --start` would.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;

use super::Failure;
use super::output::one_line;
use crate::engine::{SideEvent, SideRuns, explain};
use crate::job::{Became, Next, PassedOver, Queue, Startable};
use crate::model::{Stream, exit_code};
use crate::store::{self, Home};

/// How long new entries among the runs are left to gather: many of them may come at once.
const GATHER: Duration = Duration::from_millis(250);

/// After this time what is being staged is there.
const SOON: Duration = Duration::from_millis(50);

/// How a queue works; what it does is said where it stands among the commands.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit code: 0 if all that it has started has completed, 1 if something has not, 7 if a run could not be \
                        recorded\n\nAsked to end, by Ctrl-C or SIGTERM, a queue starts no other run, ends those that run as \
                        'rille run' would, and waits for them; asked twice, it ends them at once."
)]
pub(crate) struct QueueArgs {
    /// Look for staged runs every so many seconds; new ones of this machine are noticed at once
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    poll: Duration,
    /// End when there is nothing left that could be started
    #[arg(long)]
    run_once: bool,
    /// Let the runs see only these GPUs, and pass over those that were staged for others
    #[arg(long, value_name = "LIST")]
    gpus: Option<String>,
    /// How many runs go on at once; the lines that they write have their runs in front where there are several
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("it is no number of seconds over 0".to_owned()),
    }
}

/// Runs the queue and returns its exit code.
pub(crate) fn main(args: &QueueArgs, home: Home) -> Result<i32, Failure> {
    let runs = home.runs_dir();
    fs::create_dir_all(&runs).map_err(store::Error::io("create", &runs))?;
    let side = SideRuns::new(&runs)
        .map_err(|error| Failure::no_result(format!("cannot start the queue: {}", explain(&error))))?;
    let now = Instant::now();
    Shift {
        args,
        queue: Queue::new(home, args.gpus.clone()),
        side,
        started: BTreeMap::new(),
        number: 0,
        code: exit_code::PASSED,
        look: Some(now),
        poll: now + args.poll,
        signals: 0,
        is_idle: false,
    }
    .work()
}

/// A queue at work.
struct Shift<'a> {
    args: &'a QueueArgs,
    queue: Queue,
    side: SideRuns,
    /// Those that run, by the number of each.
    started: BTreeMap<u64, (Box<Startable>, Instant)>,
    number: u64,
    code: i32,
    /// When the home is looked at again for a reason.
    look: Option<Instant>,
    /// When it is without one.
    poll: Instant,
    /// How often it was asked to end.
    signals: u32,
    /// It was said that there is nothing to start.
    is_idle: bool,
}

impl Shift<'_> {
    fn work(mut self) -> Result<i32, Failure> {
        loop {
            if self.signals == 0 {
                self.fill()?;
            }
            if self.started.is_empty() && (self.signals > 0 || self.args.run_once && self.look.is_none()) {
                return Ok(self.code);
            }
            let events = self.side.wait(self.until()).map_err(|error| lost(&error))?;
            for event in events {
                self.hear(event);
            }
        }
    }

    /// Returns when there is something to do that nobody tells of.
    fn until(&self) -> Instant {
        match self.signals {
            // A look is of use only where there is room for what it finds.
            0 if self.has_room() => self.look.map_or(self.poll, |look| look.min(self.poll)),
            0 => self.poll,
            _ => Instant::now() + self.args.poll,
        }
    }

    fn has_room(&self) -> bool {
        self.side.count() < usize::try_from(self.args.jobs).unwrap_or(usize::MAX)
    }

    /// Starts what there is to start and room for.
    fn fill(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if self.poll <= now {
            self.poll = now + self.args.poll;
            self.look = Some(now);
            self.queue.forget_put_back();
        }
        while self.has_room() {
            match self.queue.next() {
                Next::Start(run) => self.start(run)?,
                Next::Soon => self.look_at(Instant::now() + SOON),
                Next::Nothing if self.look.is_some_and(|look| look <= Instant::now()) => {
                    self.look = None;
                    for run in self.queue.look()? {
                        let PassedOver { id, operation, why } = run;
                        say(&id, &operation, &format!("passed over: {why}"));
                    }
                }
                Next::Nothing => {
                    self.say_idle();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn look_at(&mut self, time: Instant) {
        self.look = Some(self.look.map_or(time, |look| look.min(time)));
    }

    fn start(&mut self, run: Box<Startable>) -> Result<(), Failure> {
        self.number += 1;
        self.is_idle = false;
        say(&run.id, &run.operation, "started");
        if let Err(error) = self.side.start(self.number, &run.words, self.args.jobs > 1) {
            // It is as it was. What runs is waited for.
            self.side.signal(libc::SIGTERM);
            return Err(Failure::no_result(format!("cannot start run {}: {}", run.id, explain(&error))));
        }
        self.started.insert(self.number, (run, Instant::now()));
        Ok(())
    }

    fn say_idle(&mut self) {
        if self.started.is_empty() && !self.args.run_once && !self.is_idle {
            self.is_idle = true;
            let waiting = match self.queue.passed_over() {
                0 => String::new(),
                1 => "; 1 run is passed over".to_owned(),
                count => format!("; {count} runs are passed over"),
            };
            say_aside(&format!("Waiting for staged runs{waiting}"));
        }
    }

    fn hear(&mut self, event: SideEvent) {
        match event {
            SideEvent::Line(number, stream, line) => {
                if let Some((run, _)) = self.started.get(&number) {
                    pass_on(&run.id, stream, &line);
                }
            }
            SideEvent::Entry => self.look_at(Instant::now() + GATHER),
            SideEvent::Signal(signal) => {
                self.signals += 1;
                if self.signals == 1 && !self.started.is_empty() {
                    let count = self.started.len();
                    let what = if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
                    say_aside(&format!("Ending {what}, and starting no other; once more ends at once"));
                }
                self.side.signal(signal);
            }
            SideEvent::Ended(number, code) => {
                if let Some((run, since)) = self.started.remove(&number) {
                    self.end(&run, code, since.elapsed());
                }
                // Others may have waited for it.
                self.look_at(Instant::now());
            }
        }
    }

    fn end(&mut self, run: &Startable, code: i32, time: Duration) {
        let seconds = time.as_secs_f64();
        let text = match self.queue.ended(run, code) {
            Became::Completed => format!("completed ({seconds:.1} s)"),
            Became::Failed(code) => {
                self.code = self.code.max(exit_code::FAILED);
                format!("failed with exit code {code} ({seconds:.1} s)")
            }
            Became::Waits(why) => format!("stays staged and waits: {why}"),
            Became::Elsewhere => "was started or removed by somebody else".to_owned(),
            Became::PutBack(exit_code::NO_RESULT) => {
                // So it will be with the next one.
                self.queue.rest();
                self.code = exit_code::NO_RESULT;
                "could not be recorded, and stays staged".to_owned()
            }
            Became::PutBack(_) => "was not begun, and stays staged".to_owned(),
        };
        say(&run.id, &run.operation, &text);
    }
}

fn lost(error: &io::Error) -> Failure {
    Failure::no_result(format!("the queue cannot watch its runs any more: {}", explain(error)))
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Says what happens to a run. With a closed terminal there is nobody to tell.
fn say(id: &str, operation: &str, text: &str) {
    let _ = writeln!(io::stdout(), "[{}] {}: {}", short(id), one_line(operation), one_line(text));
}

fn say_aside(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Passes on a line that a run wrote, with the run in front.
fn pass_on(id: &str, stream: Stream, line: &[u8]) {
    let mut text = format!("[{}] ", short(id)).into_bytes();
    text.extend_from_slice(line);
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let _ = match stream {
        Stream::Stderr => io::stderr().write_all(&text),
        Stream::Stdout => io::stdout().write_all(&text),
    };
}
