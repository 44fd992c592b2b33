//! From what a jobfile wrote down to a task: which file, which runner, which sections, and whether it is run at all.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{Draft, DraftDatafile, Testscript};
use super::resolve::{self, Unresolved};
use super::roster::{Decided, is_default};
use super::run::Run;
use super::{Settings, variant};
use crate::engine::{NoRunner, Runners};
use crate::model::{Kind, Outcome, Place, QUARANTINE, Runnable, Runner, SectionChoice, Task};

/// What a task is made with beside what the jobfile says of it.
pub(super) struct Preparation<'a> {
    pub(super) settings: &'a Settings,
    pub(super) run: &'a Run,
    pub(super) runners: &'a Runners,
    /// Nobody waits any longer for an answer of a runner.
    pub(super) is_interrupted: &'a dyn Fn() -> bool,
}

impl Preparation<'_> {
    /// Makes a task of a draft, with the outcome it has already if it is not to be run.
    pub(super) fn task(&self, id: String, mut draft: Draft, decided: Option<Decided>) -> (Task, Option<Decided>) {
        // Who named his task has said what it is.
        let variant = is_default(&id).then(|| variant::variant(&draft, self.run.masks())).flatten();
        let (mut runnable, problem) = self.runnable(&mut draft);
        runnable.args.append(&mut draft.args);
        if let Some(testbed) = &self.settings.testbed
            && !runnable.kwargs.contains_key("testbed")
        {
            runnable.kwargs.insert("testbed".to_owned(), testbed.clone());
        }
        let parameters = std::mem::take(&mut draft.parameters);
        runnable.kwargs.extend(parameters.into_iter().map(|(name, value)| (name, value.into())));
        let (choice, datafile_problem) = self.choice(&runnable, &mut draft);
        let problem = problem.or(datafile_problem);
        if runnable.is(Kind::Lua) {
            runnable.kwargs.extend(self.settings.parameters.clone());
        }
        let (runner, problem) = match problem {
            Some(problem) => (None, Some(problem)),
            None => match self.runner(&mut runnable) {
                Ok(runner) => (runner, None),
                Err(problem) => (None, Some(problem.to_string())),
            },
        };
        let absolute = |path: PathBuf| self.beside().join(path);
        let task = Task {
            id,
            runnable,
            runner,
            cwd: draft.cwd.map(absolute),
            env: draft.env,
            stdin: draft.stdin.map(absolute),
            max_runtime: draft.max_runtime,
            retries: draft.retries.unwrap_or(self.settings.retries),
            needs: draft.needs.iter().map(|need| self.run.masks().mask_text(need).replace('/', "_")).collect(),
            resources: draft.resources,
            // Nobody puts himself into quarantine.
            tags: draft.tags.into_iter().filter(|tag| !tag.starts_with(QUARANTINE)).collect(),
            prepares: false,
            every_code_fails: false,
            choice,
            walk: draft.walk,
            inputs: None,
            variant,
            place: draft.place,
        };
        let decided = self.decided(&task, decided, problem.map(|problem| (Outcome::Errored, problem)));
        (task, decided)
    }

    /// Returns the folder of the jobfile.
    fn beside(&self) -> &Path {
        self.settings.jobfile.parent().unwrap_or(Path::new("/"))
    }

    /// Finds what a draft is to run; where that cannot be found, returns what it names, and why.
    fn runnable(&self, draft: &mut Draft) -> (Runnable, Option<String>) {
        let path = match draft.env.get("PATH") {
            Some(path) => path.as_ref().map(|path| AsRef::<OsStr>::as_ref(path).to_owned()),
            None => std::env::var_os("PATH"),
        };
        let found = match &draft.testscript {
            Some(testscript) => {
                let folders = [self.beside(), &self.settings.started_in];
                resolve::resolve(testscript, draft.kind.as_deref(), &folders, path.as_deref())
            }
            None => Err(Unresolved::Nothing),
        };
        match found {
            Ok(runnable) => (runnable, None),
            Err(problem) => {
                let uri = match draft.testscript.take() {
                    Some(Testscript::Path(path)) => Some(path),
                    Some(Testscript::Recipe(recipe)) => recipe.uri,
                    None => None,
                };
                let kind = draft.kind.take().unwrap_or_default();
                (Runnable { kind, uri, ..Runnable::default() }, Some(problem.to_string()))
            }
        }
    }

    /// Returns which sections of a script run, and what is wrong with its datafile.
    fn choice(&self, runnable: &Runnable, draft: &mut Draft) -> (SectionChoice, Option<String>) {
        if !runnable.is(Kind::Lua) && draft.sections.is_set() {
            let text = "'uids' and 'groups' choose sections of a testscript; they have no effect on kind";
            self.run.warn(format!("{text} '{}'", runnable.kind), draft.place.clone());
        }
        let mut choice = std::mem::take(&mut draft.sections).choice(&self.settings.choice);
        let problem = draft
            .datafile
            .as_ref()
            .and_then(|given| self.set_datafile(given, runnable, &mut choice, draft.place.as_ref()));
        (choice, problem)
    }

    /// Adds the datafile that a task was given to the choice of its sections, unless the command line has one. Returns why it
    /// cannot be used.
    fn set_datafile(
        &self,
        given: &DraftDatafile,
        runnable: &Runnable,
        choice: &mut SectionChoice,
        place: Option<&Place>,
    ) -> Option<String> {
        if !runnable.is(Kind::Lua) {
            let text = format!("'datafile' is for testscripts; it has no effect on kind '{}'", runnable.kind);
            self.run.warn(text, place.cloned());
            return None;
        }
        if choice.datafile.is_some() {
            return None;
        }
        match given.read(&[self.beside(), &self.settings.started_in]) {
            Ok((datafile, remarks)) => {
                choice.datafile = Some(Box::new(datafile));
                choice.has_own_datafile = true;
                for remark in remarks {
                    self.run.warn(remark.problem, remark.place);
                }
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Finds who runs a runnable.
    fn runner(&self, runnable: &mut Runnable) -> Result<Option<Arc<Runner>>, NoRunner> {
        let runner = self.runners.find(runnable, self.is_interrupted)?;
        // A runner finds the testbed by its variable; Avocado's own take no parameters but texts.
        if runner.is_some() && runnable.kwargs.get("testbed") == self.settings.testbed.as_ref() {
            runnable.kwargs.shift_remove("testbed");
        }
        Ok(runner)
    }

    /// Returns the outcome of a task that is not to be run: what stood before, that it was not chosen, what is wrong with it.
    fn decided(&self, task: &Task, before: Option<Decided>, problem: Option<Decided>) -> Option<Decided> {
        let left_out = || {
            // Workers are there for the walks, which are not chosen by the names of tasks.
            let chosen = Some(task).filter(|task| task.walk.is_none())?;
            self.settings.selection.leaves_out(chosen).map(|reason| (Outcome::Skipped, reason))
        };
        // What is wrong with a task is told with the line that it stands in.
        let placed = |(outcome, reason): Decided| match &task.place {
            Some(place) => (outcome, format!("{place}: {reason}")),
            None => (outcome, reason),
        };
        before.map(placed).or_else(left_out).or_else(|| problem.map(placed))
    }
}
