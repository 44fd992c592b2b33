//! `results.json` against its own schema.

use serde_json::Value;

use super::Project;

/// Checks the `results.json` of a run against the schema that the program prints.
#[track_caller]
pub(crate) fn check_results(project: &Project, results: &Value) {
    let schema = project.run(&["schema", "results"]).code(0).json();
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let problems: Vec<String> = validator.iter_errors(results).map(|error| format!("{error}")).collect();
    assert!(problems.is_empty(), "{problems:#?}\n{results:#}");
}
