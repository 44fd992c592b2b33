//! `rille run OPERATION` of steps: from the definition to a pipeline that the job carries out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Parser;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::batch::Surroundings;
use super::choose::{self, Chosen};
use super::options::{OperationArgs, OperationCli, OperationCommand};
use super::{again, audience, new_seed, prompt};
use crate::cli::Failure;
use crate::cli::begin::{Subject, begin, run_settings};
use crate::cli::output::write_out;
use crate::job::flags::import as import_flags;
use crate::job::operation::batch::BatchKind;
use crate::job::operation::pipeline::{Pipeline, PlannedStep};
use crate::job::operation::{self as job, RecordedRun};
use crate::job::{Door, MainEnd, Settings};
use crate::model::exit_code;
use crate::operation::steps::{self, Parent};
use crate::operation::{self, Body, FlagValues, Notice, OpRecord, Operation};
use crate::script;
use crate::store::{self, Opref, Status};

/// From the request to end a step until it is killed, beyond what its operation has: it has an end of its own to write.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Takes flags for a step, `STEP:FLAG`, that the pipeline does not define out of what the user gave.
pub(super) fn part(
    operation: &Operation,
    given: Vec<(String, String)>,
) -> (Vec<(String, String)>, BTreeMap<String, String>) {
    if !matches!(operation.body, Body::Steps(_)) {
        return (given, BTreeMap::new());
    }
    let is_for_step = |name: &String| name.contains(':') && !operation.flags.contains_key(name);
    let (steps, own): (Vec<_>, Vec<_>) = given.into_iter().partition(|(name, _)| is_for_step(name));
    (own, steps.into_iter().collect())
}

/// What a pipeline is made from.
pub(super) struct Wanted {
    steps: Vec<Value>,
    opref: Opref,
    values: FlagValues,
    user_flags: FlagValues,
    /// Flags for its steps that the pipeline does not define.
    given: BTreeMap<String, String>,
    label: Option<String>,
    tags: Vec<String>,
    project: std::path::PathBuf,
    record: OpRecord,
    attributes: Map<String, Value>,
}

/// Returns the pipeline, where that is what was chosen.
pub(super) fn wanted(args: &OperationArgs, chosen: &Chosen) -> Option<Wanted> {
    let operation = chosen.operation.as_ref()?;
    let Body::Steps(steps) = &operation.body else { return None };
    Some(Wanted {
        steps: steps.clone(),
        opref: chosen.opref.clone(),
        values: chosen.values.clone(),
        user_flags: chosen.user_flags.clone(),
        given: chosen.for_steps.clone(),
        label: args.label.clone(),
        tags: args.tag.clone(),
        project: operation.project.clone(),
        record: chosen.record.clone(),
        attributes: chosen.attributes.clone(),
    })
}

/// Returns the steps as they would be run. What is wrong with one is told before any of them runs.
fn plan(args: &OperationArgs, wanted: &Wanted, around: &Surroundings<'_>) -> Result<(Vec<PlannedStep>, bool), Failure> {
    let parent = Parent {
        model: &wanted.opref.model,
        flags: &wanted.values,
        given: &wanted.given,
        label: wanted.label.as_deref(),
        tags: &wanted.tags,
    };
    let name = wanted.opref.operation();
    let wrong = |what: String| Failure::usage(format!("operation '{name}': {what}"));
    let steps::Pipeline { steps, is_graph, remarks } =
        steps::plan(&wanted.steps, parent).map_err(|error| wrong(error.to_string()))?;
    for remark in remarks {
        audience::show(&Notice::Warning(format!("operation '{name}': {remark}")));
    }
    if steps.is_empty() {
        return Err(wrong("it has no steps".to_owned()));
    }
    if let Some(failure) = unused(&wanted.given, &steps) {
        return Err(failure);
    }
    let project = script::load_project(&wanted.project);
    let mut planned = Vec::with_capacity(steps.len());
    let mut known: BTreeMap<String, Operation> = BTreeMap::new();
    for mut step in steps {
        let words = ["rille", "run"].into_iter().chain(step.words.iter().map(String::as_str));
        let parsed = OperationCli::try_parse_from(words)
            .map_err(|error| wrong(format!("step '{}': {}", step.name, error.to_string().trim_end())))?;
        let OperationCommand::Run(step_args) = parsed.command;
        let meant = step_args.parted().0.unwrap_or_default().to_owned();
        if !known.contains_key(&meant) {
            let found = project.find(Some(&meant));
            let mut found = found.map_err(|error| wrong(format!("step '{}': {error}", step.name)))?;
            import_flags(&mut found, Some(&around.home), &mut |notice| audience::show(&notice));
            known.insert(meant.clone(), found);
        }
        let operation = &known[&meant];
        if operation.full_name() == name {
            return Err(wrong(format!("step '{}' is the pipeline itself", step.name)));
        }
        let wrong_step = |what: String| wrong(format!("step '{}': {what}", step.name));
        check_flags(&step_args, operation, &wrong_step)?;
        let each_flag = match &step.for_each {
            Some(each) => Some(each_flag(operation, each, &planned, &wrong_step)?),
            None => None,
        };
        if args.needed && !step_args.needed {
            step.words.insert(0, "--needed".to_owned());
        }
        planned.push(PlannedStep { step, id: Uuid::new_v4().simple().to_string(), each_flag });
    }
    Ok((planned, is_graph))
}

/// Returns what is wrong with flags that were given for steps that there are not.
fn unused(given: &BTreeMap<String, String>, steps: &[steps::Step]) -> Option<Failure> {
    let is_used = |name: &str| {
        steps.iter().any(|step| {
            let operation = step.operation.rsplit(':').next().unwrap_or_default();
            [step.name.as_str(), step.operation.as_str(), operation]
                .iter()
                .any(|prefix| name.starts_with(&format!("{prefix}:")))
        })
    };
    let name = given.keys().find(|name| !is_used(name))?;
    let step = name.split(':').next().unwrap_or_default();
    let failure = Failure::general(format!("unsupported flag '{name}': there is no step '{step}'"));
    let meant = crate::model::nearest(step, steps.iter().map(|step| step.name.as_str()));
    Some(match meant {
        Some(meant) => failure.hint(format!("did you mean '{meant}'?")),
        None => failure,
    })
}

/// Looks whether the operation of a step has the flags that it is given.
fn check_flags(args: &OperationArgs, operation: &Operation, wrong: &dyn Fn(String) -> Failure) -> Result<(), Failure> {
    let assigned = operation::flags::assignments(args.parted().1).map_err(|error| wrong(error.to_string()))?;
    if args.force_flags || matches!(operation.body, Body::Steps(_)) {
        return Ok(());
    }
    let mut known: BTreeSet<String> = operation.flags.keys().cloned().collect();
    known.extend(operation::flags::resource_flags(&operation.requires));
    known.extend(operation.flags.values().filter_map(|flag| flag.alias.clone()));
    match assigned.flags.iter().find(|(name, _)| !known.contains(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let meant = crate::model::nearest(name, known.iter().map(String::as_str));
            let meant = meant.map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
            Err(wrong(format!("unsupported flag '{name}' of operation '{}'{meant}", operation.full_name())))
        }
    }
}

/// Returns the flag by which a step is given the trials of another.
fn each_flag(
    operation: &Operation,
    each: &str,
    before: &[PlannedStep],
    wrong: &dyn Fn(String) -> Failure,
) -> Result<String, Failure> {
    let source = before.iter().find(|planned| planned.step.link == each).map(|planned| planned.step.operation.clone());
    let record = OpRecord::new(operation).map_err(wrong)?;
    let flags: Vec<String> = record.upstream_flags().into_iter().collect();
    let is_meant = |flag: &&String| {
        source.as_ref().is_some_and(|source| **flag == *source || Some(flag.as_str()) == source.rsplit(':').next())
    };
    match (flags.iter().find(is_meant), flags.as_slice()) {
        (Some(flag), _) => Ok(flag.clone()),
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            let name = operation.full_name();
            Err(wrong(format!(
                "'{name}' requires no operation of '{each}', so it cannot be run for each of its trials"
            )))
        }
    }
}

/// Runs the pipeline, or shows what it would run; returns the exit code.
pub(super) fn run(args: &OperationArgs, wanted: &Wanted, around: Surroundings<'_>) -> Result<i32, Failure> {
    if args.stage || args.batch.stage_trials {
        return Err(Failure::usage("a pipeline cannot be staged").hint("stage its steps, each for itself."));
    }
    let (steps, is_graph) = plan(args, wanted, &around)?;
    if args.print_cmd {
        for planned in &steps {
            write_out(&format!("rille run {}\n", operation::join(&planned.step.words)))?;
        }
        return Ok(0);
    }
    if args.explain {
        return explain(wanted, &steps, &around);
    }
    let operation = wanted.opref.operation();
    if !prompt::confirm(args.yes, &format!("run {operation} ({} steps)", steps.len()), &wanted.values)? {
        return Ok(exit_code::FAILED);
    }
    let settings = settings(args, wanted, around, is_graph);
    carry(settings, wanted, steps)
}

/// Runs the steps of a pipeline that have not completed.
pub(super) fn start_again(
    args: &OperationArgs,
    path: &Path,
    steps: Vec<Value>,
    around: Surroundings<'_>,
) -> Result<i32, Failure> {
    let run: RecordedRun = again::read(path)?;
    if run.status == Status::Running {
        return Err(Failure::general(job::CannotStart::Running(run.id).to_string()));
    }
    if !args.parted().1.is_empty() {
        return Err(Failure::usage(format!(
            "the steps of pipeline {} keep their flags when it is started again",
            run.id
        )));
    }
    let opref = run.opref.clone().ok_or_else(|| Failure::general(format!("run {} has no operation", run.id)))?;
    let project = choose::defined(&opref, &around.home)
        .map_or_else(|| around.started_in.to_owned(), |operation| operation.project);
    let given = store::attribute(path, "step_flags").and_then(|given| serde_json::from_value(given).ok());
    let wanted = Wanted {
        steps,
        values: run.values.clone(),
        user_flags: run.user_flags.clone(),
        given: given.unwrap_or_default(),
        label: args.label.clone(),
        tags: args.tag.clone(),
        project,
        record: run.record.clone(),
        attributes: Map::new(),
        opref,
    };
    let (steps, is_graph) = plan(args, &wanted, &around)?;
    if !prompt::confirm(args.yes, &format!("start {} ({})", run.id, wanted.opref.operation()), &wanted.values)? {
        return Ok(exit_code::FAILED);
    }
    let mut settings = settings(args, &wanted, around, is_graph);
    settings.resume = Some(path.to_owned());
    settings.claim = args.if_staged;
    carry(settings, &wanted, steps)
}

/// Returns the steps of a run that is a pipeline.
pub(super) fn steps_of(path: &Path) -> Option<Vec<Value>> {
    store::attribute(path, "steps")?.as_array().cloned()
}

fn settings(args: &OperationArgs, wanted: &Wanted, around: Surroundings<'_>, is_graph: bool) -> Settings {
    let Surroundings { home, loaded, started_in: _, words } = around;
    let grace = super::grace(&loaded, args);
    let operation = wanted.opref.operation();
    let subject = Subject { door: Door::Pipeline, file: wanted.project.join(&operation), source: Vec::new() };
    let mut settings = run_settings(loaded.config, home, subject, words);
    let mut attributes = wanted.attributes.clone();
    attributes.insert("op".to_owned(), json!(wanted.record));
    attributes.insert("steps".to_owned(), json!(wanted.steps));
    attributes.insert("user_flags".to_owned(), json!(wanted.user_flags));
    attributes.insert("random_seed".to_owned(), json!(args.random_seed.unwrap_or_else(new_seed)));
    if !wanted.given.is_empty() {
        attributes.insert("step_flags".to_owned(), json!(wanted.given));
    }
    settings.batch =
        Some(BatchKind { name: operation, opref: wanted.opref.clone(), attributes, flags: wanted.values.clone() });
    let (label, _) = job::label(&wanted.record, &wanted.values, &wanted.tags, None, &crate::model::Masks::default());
    settings.label = args.label.clone().or(label);
    settings.run_tags.clone_from(&wanted.tags);
    settings.run_dir.clone_from(&args.run_dir);
    settings.id.clone_from(&args.run_id);
    // What says nothing of what it needs runs alone anyway.
    let given = args.batch.jobs.and_then(|jobs| usize::try_from(jobs).ok());
    settings.jobs = given.or(Some(if is_graph { settings.cpus } else { 1 }));
    settings.grace = grace + MARGIN;
    settings.options = args.recorded();
    settings.retries = 0;
    settings
}

fn carry(settings: Settings, wanted: &Wanted, steps: Vec<PlannedStep>) -> Result<i32, Failure> {
    let pipeline = Pipeline { home: settings.home.path().to_owned(), project: wanted.project.clone(), steps };
    let job = begin(settings)?;
    let code = job.run_pipeline(&pipeline);
    Ok(job.end(&MainEnd { code, ..MainEnd::default() }))
}

/// Says of each step what would run, and why.
fn explain(wanted: &Wanted, steps: &[PlannedStep], around: &Surroundings<'_>) -> Result<i32, Failure> {
    let project = script::load_project(&wanted.project);
    let mut fresh: BTreeSet<&str> = BTreeSet::new();
    for planned in steps {
        let step = &planned.step;
        let runs_before = step.needs.iter().find(|need| fresh.contains(need.as_str()));
        let why = match runs_before {
            Some(need) => format!("would run, since '{need}' runs before it"),
            None => {
                let done = project.find(Some(&step.operation)).ok().and_then(|operation| latest(&operation, around));
                match done {
                    None => "would run: no run of it has completed yet".to_owned(),
                    Some(id) => format!(
                        "run {} has completed; with --needed it would run only if it differs from that",
                        &id[..id.len().min(8)]
                    ),
                }
            }
        };
        if why.starts_with("would") {
            fresh.insert(&step.link);
        }
        write_out(&format!("{}: rille run {}\n  {why}\n", step.link, operation::join(&step.words)))?;
    }
    Ok(0)
}

fn latest(operation: &Operation, around: &Surroundings<'_>) -> Option<String> {
    let runs = store::list(&around.home).ok()?;
    let name = operation.full_name();
    let is_meant = |run: &&store::RunInfo| run.operation.as_ref() == Some(&name) && run.status == Status::Completed;
    runs.iter().find(is_meant).map(|run| run.id.clone())
}
