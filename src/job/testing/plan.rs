//! The tests of a run as its directory keeps them, so that they can be run again: one JSON list of recipes with ids.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::job::{Settings, secrets};
use crate::model::{Masks, Runnable};
use crate::store::{self, RunDir};
use crate::testing::{Test, TestId};

/// The file of the tests of a run, in its directory.
const SUITE_FILE: &str = "jobdata/suite.json";

/// The folder of what a run was started by.
const FOLDER: &str = "jobdata";

/// Who found tests that are run again.
const RESOLVER: &str = "replay";

/// One test in the file.
#[derive(Debug, Serialize, Deserialize)]
struct PlannedTest {
    /// The parts of the id.
    id: PlannedId,
    /// The reference that it was found for.
    reference: String,
    /// What is run.
    runnable: Runnable,
}

/// The parts of a test's id.
#[derive(Debug, Serialize, Deserialize)]
struct PlannedId {
    uid: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

/// Returns the tests as the file holds them.
pub(crate) fn suite_text(tests: &[Test]) -> Vec<u8> {
    let planned = tests.iter().map(|test| PlannedTest {
        id: PlannedId { uid: test.id.uid.clone(), name: test.id.name.clone(), variant: test.id.variant.clone() },
        reference: test.reference.clone(),
        runnable: test.runnable.clone(),
    });
    let planned: Vec<PlannedTest> = planned.collect();
    // Plain data: there is nothing in it that JSON cannot hold.
    serde_json::to_vec(&planned).unwrap_or_default()
}

/// Writes the tests into a run directory, and what they were started by as Avocado keeps it.
pub(crate) fn write_suite(run: &RunDir, settings: &Settings, masks: &Masks) -> store::Result<()> {
    let folder = run.place().join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(store::Error::io("create", &folder))?;
    run.write_file(SUITE_FILE, &settings.source)?;
    let words: Vec<_> = settings.command.iter().map(|word| masks.mask_text(word)).collect();
    run.write_file("jobdata/cmdline", format!("{words:?}\n").as_bytes())?;
    run.write_file("jobdata/pwd", settings.started_in.as_os_str().as_encoded_bytes())
}

/// Returns a warning for each test that a secret is given to: the file of the tests keeps what they are run with.
pub(crate) fn kept_secrets(settings: &Settings) -> Vec<String> {
    if settings.secrets.variable_in(&settings.source).is_none() {
        return Vec::new();
    }
    let tests: Vec<PlannedTest> = serde_json::from_slice(&settings.source).unwrap_or_default();
    let kept = |test: &PlannedTest| {
        let value = serde_json::to_value(&test.runnable).unwrap_or_default();
        let name = settings.secrets.masks().mask_text(&test.id.name).into_owned();
        secrets::kept_value(&settings.secrets, &format!("what the test '{name}' is run with"), &value)
    };
    tests.iter().filter_map(kept).collect()
}

/// Returns the tests of the run in the directory `run`.
pub(crate) fn read_suite(run: &Path) -> store::Result<Vec<Test>> {
    let path = run.join(SUITE_FILE);
    let bytes = std::fs::read(&path).map_err(store::Error::io("read the tests in", &path))?;
    let suite: Vec<PlannedTest> =
        serde_json::from_slice(&bytes).map_err(|error| store::Error::corrupt(&path, error.to_string()))?;
    let test = |PlannedTest { id: PlannedId { uid, name, variant }, reference, runnable }| Test {
        id: TestId { uid, name, variant },
        runnable,
        resolver: RESOLVER,
        reference,
    };
    Ok(suite.into_iter().map(test).collect())
}
