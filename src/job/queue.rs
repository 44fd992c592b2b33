//! A queue: the staged runs of a home, which of them can be started now, and what became of those that were.
//!
//! Any number of queues may work on one home. A queue reserves a run before it has it started, so that the others turn to
//! other runs; that nobody else starts it is seen to by the run's own lock, under which it is looked whether it still is
//! staged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use super::operation::waits_still;
use crate::model::exit_code;
use crate::store::{self, Home, NotReserved, Reserved, RunInfo, Status};

/// See the module.
pub(crate) struct Queue {
    home: Home,
    gpus: Option<String>,
    /// Those that can be started, the oldest first.
    line: VecDeque<RunInfo>,
    /// Why others are passed over, by their ids.
    passed_over: BTreeMap<String, String>,
    /// Those that this queue has started.
    under_way: BTreeSet<String>,
    /// Those that could not be started for no reason of their own, and are left alone for a while.
    put_back: BTreeSet<String>,
}

/// A run that is to be started.
#[derive(Debug)]
pub(crate) struct Startable {
    /// Its id.
    pub(crate) id: String,
    /// What it is of.
    pub(crate) operation: String,
    /// The command line, without the program.
    pub(crate) words: Vec<OsString>,
    path: PathBuf,
    _reserved: Reserved,
}

/// What there was to start.
#[derive(Debug)]
pub(crate) enum Next {
    /// This one.
    Start(Box<Startable>),
    /// One that will be there in a moment.
    Soon,
    /// Nothing.
    Nothing,
}

/// A run that is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PassedOver {
    /// Its id.
    pub(crate) id: String,
    /// What it is of.
    pub(crate) operation: String,
    /// Why, in words.
    pub(crate) why: String,
}

/// What became of a run that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Became {
    /// It has completed.
    Completed,
    /// It has failed, with this exit code.
    Failed(i32),
    /// A dependency is not met, for this reason; it is staged as it was.
    Waits(String),
    /// Somebody else has started or removed it.
    Elsewhere,
    /// It is staged as it was, since it was not begun, or could not be recorded; with this exit code.
    PutBack(i32),
}

impl Queue {
    /// Makes a queue of a home; `gpus` are those that its runs see.
    pub(crate) fn new(home: Home, gpus: Option<String>) -> Queue {
        Queue {
            home,
            gpus,
            line: VecDeque::new(),
            passed_over: BTreeMap::new(),
            under_way: BTreeSet::new(),
            put_back: BTreeSet::new(),
        }
    }

    /// Looks at the home, and returns which runs are passed over that were not before, or were for another reason.
    pub(crate) fn look(&mut self) -> store::Result<Vec<PassedOver>> {
        let runs = store::list(&self.home)?;
        let is_there = |run: &&RunInfo| {
            run.status == Status::Staged && !self.under_way.contains(&run.id) && !self.put_back.contains(&run.id)
        };
        let mut staged: Vec<&RunInfo> = runs.iter().filter(is_there).collect();
        staged.sort_by_key(|run| (run.started.or(run.initialized), &run.id));
        self.line.clear();
        let before = std::mem::take(&mut self.passed_over);
        let mut fresh = Vec::new();
        for run in staged {
            let why = self.other_gpus(run).or_else(|| waits_still(run, &runs).map(|why| waits(&why)));
            let Some(why) = why else {
                self.line.push_back(run.clone());
                continue;
            };
            if before.get(&run.id) != Some(&why) {
                fresh.push(PassedOver { id: run.id.clone(), operation: operation(run), why: why.clone() });
            }
            self.passed_over.insert(run.id.clone(), why);
        }
        Ok(fresh)
    }

    /// Returns how many runs are passed over.
    pub(crate) fn passed_over(&self) -> usize {
        self.passed_over.len()
    }

    /// Lets runs be tried again that were put back.
    pub(crate) fn forget_put_back(&mut self) {
        self.put_back.clear();
    }

    /// Starts no other run before the home was looked at again.
    pub(crate) fn rest(&mut self) {
        self.put_back.extend(self.line.drain(..).map(|run| run.id));
    }

    /// Returns why a run needs another queue. It does if it was staged for certain GPUs, and this one has others, as in
    /// Guild.
    fn other_gpus(&self, run: &RunInfo) -> Option<String> {
        let own = self.gpus.as_deref()?;
        let options = store::attribute(&run.path, "run_params")?;
        let asked = text(options.get("gpus").filter(|gpus| !gpus.is_null())?);
        (gpus(&asked) != gpus(own)).then(|| format!("it was staged for the GPUs '{asked}', and this queue has '{own}'"))
    }

    /// Returns the oldest run that can be started, as far as is known since the last look. It is reserved.
    pub(crate) fn next(&mut self) -> Next {
        let mut is_soon = false;
        while let Some(run) = self.line.pop_front() {
            match store::reserve(&run.path) {
                Ok(reserved) if store::summarise(&run.path).status == Status::Staged => {
                    self.under_way.insert(run.id.clone());
                    let words = self.words(&run);
                    let operation = operation(&run);
                    let RunInfo { id, path, .. } = run;
                    return Next::Start(Box::new(Startable { id, operation, words, path, _reserved: reserved }));
                }
                Err(NotReserved::BeingStaged) => is_soon = true,
                Ok(_) | Err(NotReserved::Gone) => {}
            }
        }
        if is_soon { Next::Soon } else { Next::Nothing }
    }

    /// Returns the command line that starts a run, with the options that it was staged with.
    fn words(&self, run: &RunInfo) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["run", "-y", "--home"].map(OsString::from).into();
        words.extend([self.home.path().into(), "--if-staged".into(), "--start".into(), run.path.clone().into()]);
        let options = store::attribute(&run.path, "run_params").unwrap_or_default();
        words.extend(recorded(&options, self.gpus.as_deref()).into_iter().map(OsString::from));
        words
    }

    /// Takes note that a run that was started has ended, with this exit code, and returns what became of it.
    pub(crate) fn ended(&mut self, run: &Startable, code: i32) -> Became {
        self.under_way.remove(&run.id);
        let became = became(run, code);
        match &became {
            Became::PutBack(_) => drop(self.put_back.insert(run.id.clone())),
            // It is told already.
            Became::Waits(why) => drop(self.passed_over.insert(run.id.clone(), waits(why))),
            _ => {}
        }
        became
    }
}

fn became(run: &Startable, code: i32) -> Became {
    if !run.path.join(".guild").exists() {
        // Some operations leave no run when they succeed.
        return if code == exit_code::PASSED { Became::Completed } else { Became::Elsewhere };
    }
    let now = store::summarise(&run.path);
    let status = now.exit_status.map(|status| i32::try_from(status).unwrap_or(exit_code::FAILED));
    let recorded = status.map(|status| if status < 0 { exit_code::of_signal(-status) } else { status });
    match now.status {
        Status::Staged => match store::attribute(&run.path, store::WAITS) {
            Some(Value::String(why)) if code == exit_code::FAILED => Became::Waits(why),
            _ => Became::PutBack(code),
        },
        Status::Running | Status::Pending => Became::Elsewhere,
        // The exit code of who starts a run is its status; another one is of somebody else's.
        _ if recorded.is_some_and(|recorded| recorded != code) => Became::Elsewhere,
        _ if code == exit_code::PASSED => Became::Completed,
        _ => Became::Failed(code),
    }
}

fn waits(why: &str) -> String {
    format!("it waits: {why}")
}

fn operation(run: &RunInfo) -> String {
    run.operation.clone().unwrap_or_else(|| "a run".to_owned())
}

/// Returns a value as it is written on a command line.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the GPUs of a list.
fn gpus(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|gpu| !gpu.is_empty()).collect()
}

/// Returns the words for the options that a run was staged with and that are about how it runs. The GPUs of the queue come
/// before those of the run.
fn recorded(options: &Value, gpus: Option<&str>) -> Vec<String> {
    let mut words = Vec::new();
    let given = |name: &str| options.get(name).filter(|value| !value.is_null());
    let is_set = |name: &str| given(name).and_then(Value::as_bool).unwrap_or(false);
    match (is_set("no_gpus"), gpus.map(str::to_owned).or_else(|| given("gpus").map(text))) {
        (true, _) => words.push("--no-gpus".to_owned()),
        (false, Some(gpus)) => words.push(format!("--gpus={gpus}")),
        (false, None) => {}
    }
    let with_values = [("stop_after", "--stop-after"), ("grace", "--grace"), ("jobs", "--jobs")];
    words.extend(with_values.iter().filter_map(|(name, option)| Some(format!("{option}={}", text(given(name)?)))));
    let switches =
        [("keep_run", "--keep-run"), ("force_deps", "--force-deps"), ("fail_on_trial_error", "--fail-on-trial-error")];
    words.extend(switches.iter().filter(|(name, _)| is_set(name)).map(|(_, option)| (*option).to_owned()));
    let needs = given("trial_needs").and_then(Value::as_object).into_iter().flatten();
    words.extend(needs.map(|(name, amount)| format!("--trial-needs={name}={amount}")));
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_started_with_the_options_that_it_was_staged_with() {
        let cases = [
            (json!({}), None, ""),
            (json!({"gpus": null, "stop_after": null, "quiet": true}), None, ""),
            (json!({"gpus": "1"}), None, "--gpus=1"),
            (json!({"gpus": "1, 2"}), Some("1,2"), "--gpus=1,2"),
            (json!({"gpus": null}), Some("0"), "--gpus=0"),
            (json!({"no_gpus": true}), Some("0"), "--no-gpus"),
            (json!({"gpus": 1}), None, "--gpus=1"),
            (json!({"stop_after": 1.5, "grace": 3, "keep_run": true}), None, "--stop-after=1.5 --grace=3 --keep-run"),
            (
                json!({"jobs": 4, "fail_on_trial_error": true, "trial_needs": {"gpus": 1, "memory": 8}}),
                None,
                "--jobs=4 --fail-on-trial-error --trial-needs=gpus=1 --trial-needs=memory=8",
            ),
        ];
        for (options, gpus, expected) in cases {
            assert_eq!(recorded(&options, gpus).join(" "), expected, "{options}");
        }
    }

    #[test]
    fn gpus_are_compared_and_not_their_spelling() {
        assert_eq!(gpus(" 0, 1"), gpus("0,1"));
        assert_ne!(gpus("0"), gpus("0,1"));
    }
}
