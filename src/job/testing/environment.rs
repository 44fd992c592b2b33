//! What an executable test finds in its environment: what Avocado gives it, and the parameters of its variant.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::model::{Cleared, Kind, Runnable};

/// The version of Avocado whose behaviour tests can count on.
const AVOCADO_VERSION: &str = "113.0";

/// Returns whether the engine itself runs such a test, and gives it what Avocado's runner would.
pub(super) fn has_workdir(runnable: &Runnable) -> bool {
    runnable.own_kind().is_some_and(Kind::is_program)
}

/// Returns the variables of a test on top of those of the run; `None` takes one away. `workdir` is the test's own folder
/// for what it makes on its way.
pub(super) fn variables(
    runnable: &Runnable,
    folder: &Path,
    cwd: &Path,
    workdir: &Path,
) -> BTreeMap<String, Option<String>> {
    let mut variables = BTreeMap::new();
    if !has_workdir(runnable) {
        return variables;
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let file = cwd.join(runnable.uri.as_deref().unwrap_or_default());
    let mut set = |name: &str, value: String| variables.insert(name.to_owned(), Some(value));
    if !runnable.is(Kind::ExecTest) || Cleared::of(runnable) != Ok(Some(Cleared::All)) {
        set("AVOCADO_VERSION", AVOCADO_VERSION.to_owned());
        set("AVOCADO_TEST_WORKDIR", text(workdir));
        set("AVOCADO_TESTS_COMMON_TMPDIR", text(workdir.parent().unwrap_or(workdir)));
        set("AVOCADO_TEST_BASEDIR", text(file.parent().unwrap_or(cwd)));
        set("AVOCADO_TEST_LOGDIR", text(folder));
        set("AVOCADO_TEST_OUTPUTDIR", text(folder));
        set("AVOCADO_TEST_LOGFILE", text(&folder.join("debug.log")));
    }
    for (name, value) in runnable.variant_parameters() {
        let value = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        set(&name, value);
    }
    // A parameter that is null takes the variable away; the others become variables where the process is started.
    let removed = runnable.kwargs.iter().filter(|(_, value)| value.is_null());
    variables.extend(removed.map(|(name, _)| (name.clone(), None)));
    variables
}
