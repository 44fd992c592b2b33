//! A time limit for Lua code of the host: a plugin that hangs must not hold up the run for ever.
//!
//! While a limit is set, a hook looks at the clock every few thousand instructions and raises `timeout`. A program that
//! the code waits for is killed. Code that does not end even so is given up, together with the run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mlua::{HookTriggers, Lua, VmState};
use parking_lot::{Condvar, Mutex};

use super::error::raise;

/// Instructions between two looks at the clock.
const INSTRUCTIONS: u32 = 10_000;

/// How long code that is past its limit may take to come to its end.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often programs that it waits for are killed meanwhile.
const INTERVAL: Duration = Duration::from_millis(20);

/// What is done about code that is past its limit.
pub(super) struct Measures {
    /// Kills the programs that it waits for.
    pub(super) kill_programs: Box<dyn Fn() + Send>,
    /// Gives up the run; ends the process.
    pub(super) give_up: Box<dyn Fn() + Send>,
}

/// Watches one piece of code after the other, on a thread that is started with the first.
#[derive(Default)]
pub(super) struct TimeLimit {
    watch: Option<Arc<Watch>>,
}

#[derive(Default)]
struct Watch {
    watched: Mutex<Option<Watched>>,
    changed: Condvar,
}

struct Watched {
    deadline: Instant,
    measures: Measures,
}

impl TimeLimit {
    /// Sets the limit for the code that runs next, until [`TimeLimit::lift`].
    pub(super) fn set(&mut self, lua: &Lua, limit: Duration, what: &str, measures: Measures) -> mlua::Result<()> {
        let deadline = Instant::now() + limit;
        let watch = match &self.watch {
            Some(watch) => Arc::clone(watch),
            None => {
                let watch = Arc::new(Watch::default());
                let watching = Arc::clone(&watch);
                std::thread::Builder::new().name("time limit".to_owned()).spawn(move || watching.run())?;
                self.watch = Some(Arc::clone(&watch));
                watch
            }
        };
        *watch.watched.lock() = Some(Watched { deadline, measures });
        watch.changed.notify_one();
        let text = format!("{what} has exceeded its time limit of {} s and was ended", limit.as_secs_f64());
        let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
        lua.set_global_hook(triggers, move |lua, _| match Instant::now() >= deadline {
            true => Err(raise(lua, "timeout", text.clone())),
            false => Ok(VmState::Continue),
        })
    }

    /// Takes the limit away. Returns whether it was exceeded.
    pub(super) fn lift(&self, lua: &Lua) -> bool {
        lua.remove_global_hook();
        let Some(watch) = &self.watch else { return false };
        let watched = watch.watched.lock().take();
        watch.changed.notify_one();
        watched.is_some_and(|watched| Instant::now() >= watched.deadline)
    }
}

impl Watch {
    fn run(&self) {
        let mut watched = self.watched.lock();
        loop {
            let now = Instant::now();
            match &*watched {
                None => self.changed.wait(&mut watched),
                Some(Watched { deadline, .. }) if now < *deadline => {
                    let deadline = *deadline;
                    let _ = self.changed.wait_until(&mut watched, deadline);
                }
                Some(Watched { deadline, .. }) if now >= *deadline + PATIENCE => {
                    if let Some(Watched { measures, .. }) = watched.take() {
                        drop(watched);
                        (measures.give_up)();
                    }
                    return;
                }
                Some(Watched { measures, .. }) => {
                    (measures.kill_programs)();
                    let _ = self.changed.wait_for(&mut watched, INTERVAL);
                }
            }
        }
    }
}
