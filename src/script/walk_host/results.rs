//! What `run_tests` returns.

use mlua::{Lua, Table, Value};

use crate::job::WalkOutcome;
use crate::model::WalkEnd;
use crate::script::api::walk::decode;

/// Makes the table of results.
pub(super) fn table(
    lua: &Lua,
    outcome: &WalkOutcome,
    excluded: &[u64],
    gathers: bool,
    seed: Option<i64>,
) -> mlua::Result<Table> {
    let end = &outcome.end;
    let results = lua.create_table()?;
    results.set("walk_count", end.walk_count)?;
    results.set("error_count", end.failed)?;
    results.set("segment_count", end.segment_count)?;
    results.set("action_count", end.action_count)?;
    results.set("elapsed", end.seconds)?;
    let ids = |wanted: WalkEnd| outcome.ended.iter().filter(move |(_, end)| **end == wanted).map(|(id, _)| *id);
    results.set("failed_tests", lua.create_sequence_from(ids(WalkEnd::Failed))?)?;
    results.set("cancelled_tests", lua.create_sequence_from(ids(WalkEnd::Cancelled))?)?;
    results.set("excluded_tests", lua.create_sequence_from(excluded.iter().copied())?)?;
    results.set("logs", logs(lua, outcome)?)?;
    results.set("seed", seed)?;
    if gathers {
        let (states, errors) = states(lua, outcome)?;
        results.set("states", states)?;
        results.set("state_errors", errors)?;
    }
    if let Some(stopped) = &end.stopped {
        results.set("stopped", stopped.as_str())?;
        results.set("not_run", end.not_run)?;
    }
    if !end.coverage.is_empty() {
        let coverage = lua.create_table()?;
        for (strength, counts) in &end.coverage {
            let row = lua.create_table()?;
            row.set("total", counts.total)?;
            row.set("passed", counts.passed)?;
            row.set("failed", counts.failed)?;
            row.set("not_run", counts.not_run)?;
            row.set("impossible", counts.impossible)?;
            row.set("gaps", counts.gaps.as_slice())?;
            coverage.set(strength.parse::<i64>().unwrap_or_default(), row)?;
        }
        results.set("coverage", coverage)?;
    }
    if !end.causes.is_empty() {
        let row = |cause: &crate::model::WalkCause| -> mlua::Result<Table> {
            let row = lua.create_table()?;
            row.set("options", cause.options.as_str())?;
            row.set("failed", cause.failed)?;
            row.set("passed", cause.passed)?;
            Ok(row)
        };
        let rows: Vec<Table> = end.causes.iter().map(row).collect::<mlua::Result<_>>()?;
        results.set("causes", lua.create_sequence_from(rows)?)?;
    }
    Ok(results)
}

/// Makes the table of states by the ids of their walks; `#` counts them. What could not be handed over is told in a table of
/// its own.
fn states(lua: &Lua, outcome: &WalkOutcome) -> mlua::Result<(Table, Option<Table>)> {
    let (states, errors) = (lua.create_table()?, lua.create_table()?);
    for (id, state) in &outcome.states {
        match state {
            Ok(state) => states.raw_set(*id, decode(lua, state)?)?,
            Err(problem) => errors.raw_set(*id, problem.to_string())?,
        }
    }
    let count = outcome.states.values().filter(|state| state.is_ok()).count();
    let metatable = lua.create_table()?;
    metatable.set("__len", lua.create_function(move |_, _: Value| Ok(count))?)?;
    states.set_metatable(Some(metatable))?;
    let has_errors = count < outcome.states.len();
    Ok((states, has_errors.then_some(errors)))
}

fn logs(lua: &Lua, outcome: &WalkOutcome) -> mlua::Result<Table> {
    let logs = lua.create_table()?;
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    logs.set("master", outcome.master.as_deref().map(text).unwrap_or_default())?;
    let remote = lua.create_table()?;
    for (worker, folder) in &outcome.logs {
        remote.set(*worker, text(folder))?;
    }
    logs.set("remote", remote)?;
    Ok(logs)
}
