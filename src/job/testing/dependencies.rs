//! What tests depend on: runnables that are run once for all who want them, files, and other tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::cache::{self, Cache};
use super::{TestPlan, test_id};
use crate::engine::Submission;
use crate::job::Job;
use crate::model::{Outcome, Runnable, TaskNumber, nearest};
use crate::testing::{Test, TestId};

/// The folder of dependencies, in a run directory.
const FOLDER: &str = "dependencies";

/// The type of a dependency that is a file, which has to be there.
const FILE: &str = "file";

/// The type of a dependency that is another test of the run.
const TEST: &str = "test";

/// Why a dependency passes without being run.
const FROM_CACHE: &str = "fulfilled in an earlier run, and as it was then";

/// What the dependencies of the tests come to. Each list has one entry a test.
#[derive(Default)]
pub(super) struct Prepared {
    /// The tasks that fulfil them.
    pub(super) submissions: Vec<Submission>,
    /// The ids of the tasks that a test needs.
    pub(super) needs: Vec<Vec<String>>,
    /// Links in the folder of a test: a name, and the folder of a dependency relative to that of the link.
    pub(super) links: Vec<Vec<(String, PathBuf)>>,
    /// Why a test cannot run.
    pub(super) problems: Vec<Option<String>>,
}

/// A dependency that may be remembered once it is fulfilled.
pub(super) struct DependencyKey {
    /// By what it is known.
    pub(super) key: String,
    /// Its task.
    pub(super) task: TaskNumber,
    /// What it is.
    pub(super) runnable: Runnable,
    /// The folder of the task.
    pub(super) folder: PathBuf,
}

/// A dependency that is a task.
struct Known {
    id: String,
    folder: String,
    /// What links to its folder are called; without one it was fulfilled in an earlier run and has none.
    link: Option<String>,
}

impl Job {
    /// Makes a task of each dependency, once for all tests that want it.
    pub(super) fn prepare_dependencies(&self, plan: &TestPlan, keys: &mut Vec<DependencyKey>) -> Prepared {
        let cache = if plan.use_cache { Cache::read(&self.settings.home) } else { Cache::default() };
        let mut prepared = Prepared::default();
        let mut known: HashMap<String, Known> = HashMap::new();
        let names = Names::of(&plan.tests);
        for test in &plan.tests {
            let (mut needs, mut links, mut problem) = (Vec::new(), Vec::new(), None);
            // Nothing is prepared for tests that do not run.
            let wanted = if plan.is_dry { Vec::new() } else { required(test, plan) };
            for wanted in wanted {
                match wanted.kind.as_str() {
                    FILE => problem = problem.or(self.missing_file(&wanted)),
                    TEST => match names.find(&wanted, test) {
                        Ok(id) => needs.push(id),
                        Err(reason) => problem = problem.or(Some(reason.to_string())),
                    },
                    _ => {
                        let key = serde_json::Value::from(wanted.clone()).to_string();
                        if !known.contains_key(&key) {
                            let made = self.dependency(&wanted, test, &cache, &mut prepared.submissions, keys);
                            known.insert(key.clone(), made);
                        }
                        let Known { id, folder, link } = &known[&key];
                        needs.push(id.clone());
                        links.extend(link.clone().map(|link| (link, Path::new("../../..").join(folder))));
                    }
                }
            }
            prepared.needs.push(needs);
            prepared.links.push(links);
            prepared.problems.push(problem);
        }
        prepared
    }

    /// Returns what is wrong with a file that a test depends on.
    fn missing_file(&self, wanted: &Runnable) -> Option<String> {
        let named = wanted.uri.as_deref().or_else(|| wanted.kwargs.get("name")?.as_str());
        let Some(path) = named else { return Some("Dependency was not fulfilled: a file needs a uri".to_owned()) };
        let is_there = self.settings.started_in.join(path).exists();
        (!is_there).then(|| format!("Dependency was not fulfilled: there is no file {path}"))
    }

    fn dependency(
        &self,
        wanted: &Runnable,
        test: &Test,
        cache: &Cache,
        submissions: &mut Vec<Submission>,
        keys: &mut Vec<DependencyKey>,
    ) -> Known {
        let number = TaskNumber::try_from(submissions.len() + 1).unwrap_or(TaskNumber::MAX);
        let name = wanted.kwargs.get("name").and_then(|name| name.as_str()).or(wanted.uri.as_deref());
        let what = [wanted.kind.as_str()].into_iter().chain(name).collect::<Vec<_>>().join("-");
        // Avocado names it after the test that wanted it first; by the number no two have the same.
        let id = TestId { uid: format!("{}-{number}", test.id.uid), name: what.clone(), variant: None };
        let folder = format!("{FOLDER}/{}", self.run.masks().mask_text(&id.folder()));
        let mut task = self.task_of(wanted.clone(), id.to_string(), &self.run.directory().join(&folder));
        task.prepares = true;
        let problem = self.assign_runner(&mut task);
        let key = cache::key(wanted);
        let decided = match (problem, &key) {
            (Some(reason), _) => Some((Outcome::Errored, reason)),
            (None, Some(key)) if cache.holds(key) => Some((Outcome::Passed, FROM_CACHE.to_owned())),
            (None, key) => {
                let folder = self.run.directory().join(&folder);
                keys.extend(key.clone().map(|key| DependencyKey {
                    key,
                    task: number,
                    runnable: wanted.clone(),
                    folder,
                }));
                None
            }
        };
        let link = TestId { uid: number.to_string(), name: what, variant: None }.folder();
        let link = decided.is_none().then_some(link);
        let known = Known { id: task.id.clone(), folder: folder.clone(), link };
        self.history.note_secrets(&task);
        submissions.push(Submission { number, folder, task: Box::new(task), decided, reused: None });
        known
    }
}

/// Returns what a test depends on, what all depend on first.
fn required(test: &Test, plan: &TestPlan) -> Vec<Runnable> {
    let of_all = Runnable { dependencies: plan.dependencies.clone(), ..Runnable::default() }.required();
    let own = test.runnable.required();
    let own = own.into_iter().filter(|wanted| !of_all.contains(wanted));
    of_all.iter().cloned().chain(own).collect()
}

/// Why a dependency on another test cannot be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unfulfilled {
    /// It is not said which.
    #[error("Dependency was not fulfilled: a test needs a name")]
    NoName,
    /// There is none of this name in the run.
    #[error("Dependency was not fulfilled: no test '{name}' is run{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean '{near}'?")))]
    NoTest {
        /// The name.
        name: String,
        /// A test whose name is much like it.
        near: Option<String>,
    },
}

/// The tests of a run by what they may be called.
struct Names<'a> {
    ids: HashMap<&'a str, Vec<&'a Test>>,
}

impl<'a> Names<'a> {
    fn of(tests: &'a [Test]) -> Self {
        let mut ids: HashMap<&str, Vec<&Test>> = HashMap::new();
        for test in tests {
            ids.entry(&test.id.name).or_default().push(test);
        }
        Self { ids }
    }

    /// Returns the id of the test that another depends on; of several variants that of the same.
    fn find(&self, wanted: &Runnable, of: &Test) -> Result<String, Unfulfilled> {
        let name = wanted.kwargs.get("name").and_then(|name| name.as_str()).or(wanted.uri.as_deref());
        let name = name.ok_or(Unfulfilled::NoName)?;
        let tests = self.ids.get(name).map_or(&[][..], Vec::as_slice);
        let same = tests.iter().find(|test| test.id.variant == of.id.variant).or(tests.first());
        match same {
            Some(test) => Ok(test_id(test)),
            None => {
                let near = nearest(name, self.ids.keys().copied()).map(str::to_owned);
                Err(Unfulfilled::NoTest { name: name.to_owned(), near })
            }
        }
    }
}
