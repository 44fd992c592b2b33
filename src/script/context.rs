//! What the functions of a jobfile's modules share: the job, what the jobfile has done so far, and whether it may do more.
//!
//! It runs no file: `host` does. What only a part of the modules needs is theirs.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use mlua::{Function, Lua, MultiValue, Value};

use super::api::Selections;
use super::api::args::Arguments;
use super::api::plugin::{self, Plugins, Stage};
use super::error::{ScriptError, calling_line, plain_text, raise};
use super::time_limit::{Measures, TimeLimit};
use super::vm;
use crate::engine::{self, OnLimit};
use crate::job::{HostCall, Job, WaitError, WalkError, WalkOutcome, WalkRun};
use crate::model::{Answer, Place, RaisedError, Request, TaskNumber, WalkEnded, WalkOrder, WalkSuite};

/// The kind of the error by which `os.exit` ends a jobfile.
pub(super) const EXIT_KIND: &str = "exit";

/// See the module.
pub(super) struct Context {
    pub(super) job: Arc<Job>,
    this: Weak<Context>,
    /// The plugins.
    pub(super) plugins: Plugins,
    time_limit: RefCell<TimeLimit>,
    /// The functions by which tasks choose their sections.
    pub(super) selections: Selections,
    /// The file, or a module of it, wants to define sections.
    asked_for_sections: Cell<bool>,
    /// The arguments that were handed on.
    pub(super) arguments: Rc<Arguments>,
    /// The top level runs: it declares and does not act.
    is_loading: Cell<bool>,
    /// `os.exit` was called with this code.
    exit: Cell<Option<i32>>,
    /// It showed its help.
    gave_help: Cell<bool>,
    /// A task was asked for, and nothing spoke against it.
    has_begun: Cell<bool>,
    /// What was said of a slip in an option of the command line; nothing runs then.
    slip: RefCell<Option<String>>,
    /// Why the parser of the jobfile refused the arguments.
    refused: RefCell<Option<String>>,
}

impl Context {
    /// Makes the context of a jobfile that is about to load. `arguments` makes the arguments of those who hold it.
    pub(super) fn new(job: &Arc<Job>, arguments: impl FnOnce(&Weak<Context>) -> Arguments) -> Rc<Context> {
        Rc::new_cyclic(|this| Context {
            job: Arc::clone(job),
            this: Weak::clone(this),
            plugins: Plugins::default(),
            time_limit: RefCell::default(),
            selections: Selections::default(),
            asked_for_sections: Cell::new(false),
            arguments: Rc::new(arguments(this)),
            is_loading: Cell::new(true),
            exit: Cell::new(None),
            gave_help: Cell::new(false),
            has_begun: Cell::new(false),
            slip: RefCell::default(),
            refused: RefCell::default(),
        })
    }

    /// Returns whether the top level runs.
    pub(super) fn is_loading(&self) -> bool {
        self.is_loading.get()
    }

    /// Notes that the top level has run: from now on the jobfile acts.
    pub(super) fn loaded(&self) {
        self.is_loading.set(false);
    }

    /// Notes that the file, or a module of it, wants to define sections. The error says what does.
    pub(super) fn asks_for_sections(&self, lua: &Lua) -> mlua::Error {
        self.asked_for_sections.set(true);
        let text = "module 'rille.testscript' is for testscripts; a jobfile runs one by run { testscript = \"FILE\" }";
        raise(lua, "usage", text)
    }

    /// Returns whether it has asked so.
    pub(super) fn has_asked_for_sections(&self) -> bool {
        self.asked_for_sections.get()
    }

    /// Returns the code with which `os.exit` was called.
    pub(super) fn exit(&self) -> Option<i32> {
        self.exit.get()
    }

    /// Leaves the jobfile by this code; the error ends what runs.
    pub(super) fn leave(&self, lua: &Lua, code: i32) -> mlua::Error {
        self.exit.set(Some(code));
        exit_error(lua, code)
    }

    /// Leaves the jobfile after its help, which is all that it was asked for.
    pub(super) fn leave_after_help(&self, lua: &Lua) -> mlua::Error {
        self.gave_help.set(true);
        self.leave(lua, 0)
    }

    /// Returns whether the jobfile has shown its help.
    pub(super) fn gave_help(&self) -> bool {
        self.gave_help.get()
    }

    /// Notes why the parser of the jobfile refused the arguments.
    pub(super) fn refuse(&self, text: &str) {
        *self.refused.borrow_mut() = Some(text.to_owned());
    }

    /// Returns what was said of a slip in an option of the command line, if it was; nothing ran then.
    pub(super) fn slip(&self) -> Option<String> {
        self.slip.borrow().clone()
    }

    /// Fails if `what` may not be done now: while the file loads, after `os.exit`, after an interrupt.
    pub(super) fn check(&self, lua: &Lua, what: &str) -> mlua::Result<()> {
        if self.is_loading.get() {
            return Err(raise(lua, "usage", format!("{what} while the file is loading; move it into main()")));
        }
        if self.plugins.is_busy() {
            return Err(raise(lua, "usage", format!("{what} in a plugin; a plugin cannot run tasks")));
        }
        self.check_running(lua)?;
        self.check_slips(lua)?;
        plugin::begin_job(lua, self)
    }

    /// Fails before the first task if a word of the command line, by now read by nobody, looks like a slip in one of rille's
    /// own options: whoever mistypes what chooses tasks does not want all of them.
    fn check_slips(&self, lua: &Lua) -> mlua::Result<()> {
        if self.has_begun.get() {
            return Ok(());
        }
        // Who has asked for the whole list reads it himself.
        let known = self.slip.borrow().clone();
        let slip = known.or_else(|| self.job.ledger().slip().filter(|_| !self.arguments.is_pending.get()));
        let Some(text) = slip else {
            self.has_begun.set(true);
            return Ok(());
        };
        // One complaint is enough.
        self.job.ledger().arguments_read(None);
        *self.slip.borrow_mut() = Some(text.clone());
        Err(raise(lua, "usage", text))
    }

    /// Returns whether main ended by what its parser said of the arguments, before anything ran.
    pub(super) fn is_refusal(&self, error: &RaisedError) -> bool {
        let refused = self.refused.borrow();
        self.job.roster().count() == 0 && refused.as_ref().is_some_and(|text| error.message.ends_with(text.as_str()))
    }

    /// Returns the context as those who share it hold it.
    pub(super) fn this(&self) -> Option<Rc<Context>> {
        self.this.upgrade()
    }

    /// Calls a function of a plugin under the time limit for plugins.
    pub(super) fn call_limited(
        &self,
        lua: &Lua,
        what: &Stage<'_>,
        function: &Function,
        arguments: Vec<Value>,
    ) -> Result<MultiValue, RaisedError> {
        let Some(limit) = self.job.settings().plugin_timeout else { return vm::call(lua, function, arguments) };
        let set = self.time_limit.borrow_mut().set(lua, limit, &what.to_string(), self.measures(what, limit));
        if let Err(error) = set {
            let message = format!("cannot set a time limit: {}", plain_text(&error));
            return Err(RaisedError { kind: "error".to_owned(), message, traceback: None });
        }
        let called = vm::call(lua, function, arguments);
        let is_over = self.time_limit.borrow().lift(lua);
        // What was ended for its time counts as failed, also where it has caught the error.
        called.and_then(|returned| match is_over {
            false => Ok(returned),
            true => {
                let message = format!("{what} has exceeded its time limit of {} s", limit.as_secs_f64());
                Err(RaisedError { kind: "timeout".to_owned(), message, traceback: None })
            }
        })
    }

    fn measures(&self, what: &Stage<'_>, limit: Duration) -> Measures {
        let run = self.job.run().runtime().job.uid;
        let job = Arc::clone(&self.job);
        let (plugin, stage, task) = (what.plugin.to_owned(), what.name, what.task);
        let message = format!("{what} has exceeded its time limit of {} s and does not end", limit.as_secs_f64());
        Measures {
            kill_programs: Box::new(move || engine::kill_own_programs(&run)),
            give_up: Box::new(move || {
                let error = RaisedError { kind: "timeout".to_owned(), message: message.clone(), traceback: None };
                job.plugin_failed(&plugin, stage, task, error);
                job.end_given_up(&message);
            }),
        }
    }

    /// Waits for tasks, and meanwhile answers what the run asks of the jobfile.
    pub(super) fn wait(
        &self,
        lua: &Lua,
        numbers: Vec<TaskNumber>,
        limit: Option<(Duration, OnLimit)>,
    ) -> Result<bool, WaitError> {
        self.job.wait(numbers, limit, &mut |call| self.serve(lua, call))
    }

    /// Does what the jobfile asks of the shared objects, and meanwhile answers what the run asks of it.
    pub(super) fn shared(&self, lua: &Lua, request: Request) -> mlua::Result<Answer> {
        self.check_running(lua)?;
        Ok(self.job.shared(request, &mut |call| self.serve(lua, call)))
    }

    /// Runs walks, and meanwhile answers what the run asks of the jobfile.
    pub(super) fn run_walks(&self, lua: &Lua, run: WalkRun) -> Result<WalkOutcome, WalkError> {
        self.job.run_walks(run, &mut |call| self.serve(lua, call))
    }

    /// Runs one walk, and meanwhile answers what the run asks of the jobfile.
    pub(super) fn replay_walk(
        &self,
        lua: &Lua,
        file: PathBuf,
        suite: WalkSuite,
        order: &WalkOrder,
        place: Option<Place>,
    ) -> Result<WalkEnded, WalkError> {
        self.job.replay_walk(file, suite, order, place, &mut |call| self.serve(lua, call))
    }

    /// Answers what the run asks of the jobfile.
    pub(super) fn serve(&self, lua: &Lua, call: HostCall) {
        match call {
            HostCall::Comes(task) => plugin::task_comes(lua, self, task),
            HostCall::Leaves(task, end, _) => plugin::task_leaves(lua, self, task, &end),
            HostCall::Select { task, sections } => self.job.reply(task, self.selections.answer(lua, task, &sections)),
        }
    }

    /// Fails if the run is on its way to its end. What is asked of the jobfile by now is answered first: a jobfile that
    /// looks at its tasks in a loop never waits.
    pub(super) fn check_running(&self, lua: &Lua) -> mlua::Result<()> {
        self.job.serve_calls(&mut |call| self.serve(lua, call));
        if let Some(code) = self.exit.get() {
            return Err(exit_error(lua, code));
        }
        if self.job.interrupted() {
            return Err(raise(lua, "cancelled", "the run was asked to stop"));
        }
        Ok(())
    }
}

/// Makes the error by which `os.exit` ends a jobfile.
pub(super) fn exit_error(lua: &Lua, code: i32) -> mlua::Error {
    let message = format!("the jobfile called os.exit({code})");
    mlua::Error::external(ScriptError { kind: EXIT_KIND, message, bytes: None, place: calling_line(lua) })
}
