//! `rille run OPERATION` with more than one value for a flag: from the command line to a batch that the job carries out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::choose::Chosen;
use super::options::OperationArgs;
use super::{Around, audience, new_seed, prompt, recipe, secrets};
use crate::cli::begin::{Subject, begin, run_settings};
use crate::cli::config::Loaded;
use crate::cli::output::write_out;
use crate::cli::{Failure, FailureKind};
use crate::job::operation::batch::{
    Batch, BatchKind, Listed, find_existing, read_trials, stage, stage_trials, wait_for_runs,
};
use crate::job::operation::{self as job, Recipe, SourceCode};
use crate::job::{Door, MainEnd, Settings};
use crate::model::exit_code;
use crate::operation::batch::{self, BatchError, TableForm};
use crate::operation::flags;
use crate::operation::{self, FlagValues, Notice};
use crate::store::{self, Home, Status};

/// The trials of a batch, and what they are of.
pub(super) struct Wanted {
    optimizer: String,
    optimizer_flags: FlagValues,
    trials: Vec<FlagValues>,
    /// The names of the flags in which they differ.
    own: BTreeSet<String>,
    seed: u32,
}

/// Returns the trials that are to be run; `None` where it is one run, and no batch.
pub(super) fn wanted(args: &OperationArgs, chosen: &Chosen) -> Result<Option<Wanted>, Failure> {
    let options = &args.batch;
    let optimizer_flags = flags::assignments(&options.opt_flags)
        .map_err(|error| Failure::usage(error.to_string().replace("argument(s)", "optimizer flag(s)")))?;
    let recorded = chosen.recorded.as_ref().and_then(|run| run.random_seed);
    let seed = args.random_seed.or(recorded).unwrap_or_else(new_seed);
    let resolved = &chosen.several.resolved;
    let found = batch::choose(&batch::Wanted {
        operation: chosen.operation.as_ref(),
        resolved,
        rows: &chosen.several.rows,
        optimizer: options.optimizer.as_deref(),
        optimize: options.optimize,
        optimizer_flags: &optimizer_flags.flags,
        force: args.force_flags,
        max_trials: options.max_trials.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        seed: seed.into(),
    })
    .map_err(|error| failure(&error))?;
    let Some(batch::Choice { name, flags: optimizer_flags, mut optimizer }) = found else {
        return only_one(args).map(|()| None);
    };
    let mut own = BTreeSet::new();
    let trials = std::iter::from_fn(|| optimizer.next()).map(|values| {
        own.extend(values.keys().cloned());
        flags::trial(chosen.operation.as_ref(), resolved, &values)
    });
    let trials: Vec<FlagValues> = trials.collect();
    Ok(Some(Wanted { optimizer: name.to_owned(), optimizer_flags, trials, own, seed }))
}

/// Says which options have no effect where there is no batch.
fn only_one(args: &OperationArgs) -> Result<(), Failure> {
    let options = &args.batch;
    if options.print_trials || options.stage_trials {
        let what = if options.print_trials { "print" } else { "stage" };
        return Err(Failure::general(format!("cannot {what} trials for a non-batch operation")));
    }
    if options.save_trials.is_some() {
        return Err(Failure::general("cannot save trials for a non-batch operation"));
    }
    match options.given() {
        Some("--batch-comment") => {
            audience::show(&Notice::Warning("operation is not a batch - ignoring batch comment".to_owned()));
        }
        Some(name) => audience::show(&Notice::Warning(format!("not a batch run - ignoring {name}"))),
        None => {}
    }
    Ok(())
}

/// Shows or keeps the trials where that was asked for; returns the exit code.
pub(super) fn only_shown(args: &OperationArgs, chosen: &Chosen, wanted: &Wanted) -> Result<Option<i32>, Failure> {
    if args.batch.print_trials {
        write_out(&batch::table(&wanted.trials))?;
        return Ok(Some(0));
    }
    if let Some(path) = &args.batch.save_trials {
        save(path, &wanted.trials)?;
        return Ok(Some(0));
    }
    if args.print_cmd {
        for trial in &wanted.trials {
            let words = job::command_words(&chosen.record, trial).map_err(Failure::general)?;
            write_out(&format!("{}\n", operation::join(&words)))?;
        }
        return Ok(Some(0));
    }
    Ok(None)
}

fn save(path: &Path, trials: &[FlagValues]) -> Result<(), Failure> {
    let Some(form) = batch::table_form(path) else {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        return Err(Failure::general(format!(
            "Unsupported extension '.{extension}' - use '.csv', '.json', or no extension"
        )));
    };
    let failed = |error: String| Failure::general(format!("cannot save trials to {}: {error}", path.display()));
    let bytes = match form {
        TableForm::Csv => batch::as_csv(trials).map_err(|error| failed(error.to_string()))?,
        TableForm::Json => batch::as_json(trials).into_bytes(),
    };
    std::fs::write(path, bytes).map_err(|error| failed(crate::model::os_text(&error)))?;
    write_out(&format!("Saving trials to {}\n", path.display()))
}

/// What a batch is run with beside the options.
pub(super) struct Surroundings<'a> {
    pub(super) home: Home,
    pub(super) loaded: Loaded,
    pub(super) started_in: &'a Path,
    pub(super) words: &'a [OsString],
}

/// Runs the batch, or makes it ready, and returns the exit code.
pub(super) fn run(
    args: &OperationArgs,
    mut chosen: Chosen,
    wanted: Wanted,
    around: Surroundings<'_>,
) -> Result<i32, Failure> {
    if args.explain {
        return Err(Failure::usage("--explain looks at one run, and this is a batch")
            .hint("give each flag one value; --print-trials shows the trials."));
    }
    let operation = chosen.opref.operation();
    let count = match wanted.trials.len() {
        1 => "1 trial".to_owned(),
        count => format!("{count} trials"),
    };
    let verb = if args.stage {
        "stage"
    } else if args.batch.stage_trials {
        "stage trials for"
    } else {
        "run"
    };
    let how = match wanted.optimizer.as_str() {
        "+" => " as a batch".to_owned(),
        name => format!(" with {name} optimizer"),
    };
    if !prompt::confirm(args.yes, &format!("{verb} {operation}{how} ({count})"), &chosen.values)? {
        return Ok(exit_code::FAILED);
    }
    let attributes = attributes(args, &chosen, &wanted);
    let kind = BatchKind::new(&operation, &wanted.optimizer, wanted.optimizer_flags.clone(), attributes);
    let own: Vec<String> = wanted.own.into_iter().collect();
    let listed = |flags: FlagValues| Listed {
        id: Uuid::new_v4().simple().to_string(),
        flags,
        own: own.clone(),
        is_found: false,
    };
    let trials: Vec<Listed> = wanted.trials.into_iter().map(listed).collect();
    let source = Arc::new(std::mem::replace(&mut chosen.source, SourceCode::Kept));
    let mut batch = assemble(args, &mut chosen, &around, wanted.seed, trials, Some(source))?;
    let mut settings = settings(args, around, &batch.recipe, kind);
    settings.label.clone_from(&args.batch.batch_label);
    settings.run_tags.clone_from(&args.batch.batch_tag);
    if args.needed {
        batch = find_existing(&settings, batch).map_err(super::failure)?;
        if !audience::say_existing(&operation, &batch.trials) {
            return Ok(0);
        }
    }
    if args.stage {
        let name = settings.batch.as_ref().map(|kind| kind.name.clone()).unwrap_or_default();
        let id = stage(&settings, batch, &mut audience::Terminal { is_background: false }).map_err(super::failure)?;
        write_out(&format!("{name} staged as {id}\nTo start the operation, use 'rille run --start {id}'\n"))?;
        return Ok(0);
    }
    if args.batch.stage_trials {
        for trial in batch.trials.iter().filter(|trial| !trial.is_found) {
            let flags = operation::label(None, &trial.flags, &BTreeSet::new()).0;
            write_out(&format!("Staging trial {}: {operation} ({flags})\n", trial.id))?;
        }
        let mut terminal = audience::Terminal { is_background: false };
        stage_trials(&settings, batch, &mut terminal, &mut |notice| audience::show(&notice)).map_err(super::failure)?;
        return Ok(0);
    }
    carry(settings, batch)
}

/// Runs a batch again that was staged, broken off, or has failed trials; what has completed stays.
pub(super) fn again(args: &OperationArgs, path: &Path, proto: &Path, around: Surroundings<'_>) -> Result<i32, Failure> {
    let info = store::summarise(path);
    if info.status == Status::Running {
        return Err(Failure::general(job::CannotStart::Running(info.id).to_string()));
    }
    if !args.parted().1.is_empty() {
        return Err(Failure::usage(format!(
            "the trials of batch {} keep their flags when it is started again",
            info.id
        ))
        .hint("--proto RUN makes a new batch with others."));
    }
    let mut chosen = super::choose::of_proto(proto)?;
    let seed = chosen.recorded.as_ref().and_then(|run| run.random_seed).unwrap_or_else(new_seed);
    let trials = match read_trials(path)? {
        Some(trials) => trials,
        None => of_guild(&chosen, path, seed)?,
    };
    let optimizer = store::read_opref(path).ok().flatten().map_or_else(|| "+".to_owned(), |opref| opref.op);
    let kind = BatchKind::new(&chosen.opref.operation(), &optimizer, FlagValues::new(), Map::new());
    if !prompt::confirm(args.yes, &format!("start {} ({})", info.id, kind.name), &chosen.values)? {
        return Ok(exit_code::FAILED);
    }
    let batch = assemble(args, &mut chosen, &around, seed, trials, None)?;
    if args.if_staged && wait_for_runs(&batch, path).map_err(super::failure)? {
        // It is told by the queue that has started this.
        return Ok(exit_code::FAILED);
    }
    let mut settings = settings(args, around, &batch.recipe, kind);
    settings.resume = Some(path.to_owned());
    settings.claim = args.if_staged;
    carry(settings, batch)
}

/// Returns the trials of a batch that Guild has made, which keeps no list of them.
fn of_guild(chosen: &Chosen, path: &Path, seed: u32) -> Result<Vec<Listed>, Failure> {
    let spread = chosen.values.iter().filter_map(|(name, value)| Some((name.clone(), flags::spread_of(value)?)));
    let resolved = flags::Resolved {
        values: chosen.values.clone(),
        user: chosen.user_flags.clone(),
        spread: spread.collect(),
        ..flags::Resolved::default()
    };
    let most = store::attribute(path, "max_trials").and_then(|most| most.as_u64());
    let found = batch::choose(&batch::Wanted {
        operation: None,
        resolved: &resolved,
        rows: &[],
        optimizer: None,
        optimize: false,
        optimizer_flags: &[],
        force: true,
        max_trials: most.and_then(|most| usize::try_from(most).ok()),
        seed: seed.into(),
    });
    let Some(batch::Choice { mut optimizer, .. }) = found.map_err(|error| failure(&error))? else {
        return Err(Failure::general(format!("the batch in {} has no trials", path.display())));
    };
    let trial = |own: FlagValues| {
        let mut flags = resolved.values.clone();
        let names = own.keys().cloned().collect();
        flags.extend(own);
        Listed { id: Uuid::new_v4().simple().to_string(), flags, own: names, is_found: false }
    };
    Ok(std::iter::from_fn(|| optimizer.next()).map(trial).collect())
}

fn assemble(
    args: &OperationArgs,
    chosen: &mut Chosen,
    around: &Surroundings<'_>,
    random_seed: u32,
    trials: Vec<Listed>,
    source: Option<Arc<SourceCode>>,
) -> Result<Batch, Failure> {
    let typed = around.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(template) = args.label.as_ref().or(around.loaded.config.label.as_ref()) {
        chosen.record.label_template = Some(template.clone());
    }
    let secrets = secrets(chosen, &around.loaded);
    let with = Around { home: around.home.clone(), loaded: &around.loaded, started_in: around.started_in, typed };
    let mut recipe = recipe(args, chosen, with)?;
    // The trials of a batch share one standard input, which nobody can part.
    recipe.stdin = None;
    if args.batch.needs().contains_key("gpus") {
        // Each trial sees its own.
        recipe.gpus = None;
    }
    recipe.wants.staging = args.batch.stage_trials;
    // It is the batch that is claimed.
    recipe.wants.claim = false;
    Ok(Batch {
        recipe: Arc::new(recipe),
        source,
        record: chosen.record.clone(),
        values: chosen.values.clone(),
        user_flags: chosen.user_flags.clone(),
        resolved: Map::new(),
        secrets,
        random_seed,
        trials,
        is_staging: args.batch.stage_trials,
        resources: args.batch.needs(),
    })
}

/// Returns the attributes of the batch's run that Guild's have as well.
fn attributes(args: &OperationArgs, chosen: &Chosen, wanted: &Wanted) -> Map<String, Value> {
    let options = &args.batch;
    let objective = match (&options.minimize, &options.maximize) {
        (Some(scalar), _) => json!(scalar),
        (None, Some(scalar)) => json!(format!("-{scalar}")),
        (None, None) => chosen.attributes.get("objective").cloned().unwrap_or_else(|| json!("loss")),
    };
    let mut attributes = Map::new();
    attributes.insert("objective".to_owned(), objective);
    attributes.insert("random_seed".to_owned(), json!(wanted.seed));
    attributes.insert("user_flags".to_owned(), json!({}));
    if let Some(most) = options.max_trials {
        attributes.insert("max_trials".to_owned(), json!(most));
    }
    if options.stage_trials {
        attributes.insert("stage_trials".to_owned(), json!(true));
    }
    if let Some(text) = &options.batch_comment {
        let comment = store::Comment {
            body: text.clone(),
            host: store::host(),
            time: store::now_micros(),
            user: store::user(),
            ..Default::default()
        };
        attributes.insert("comments".to_owned(), json!([comment]));
    }
    attributes
}

/// Returns the settings of the batch's run.
fn settings(args: &OperationArgs, around: Surroundings<'_>, recipe: &Recipe, kind: BatchKind) -> Settings {
    let Surroundings { home, loaded, started_in: _, words } = around;
    let subject =
        Subject { door: Door::Batch, file: recipe.project.join(recipe.opref.operation()), source: Vec::new() };
    let grace = recipe.grace;
    let mut settings = run_settings(loaded.config, home, subject, words);
    settings.batch = Some(kind);
    settings.run_dir.clone_from(&args.run_dir);
    settings.id.clone_from(&args.run_id);
    settings.jobs = Some(args.batch.jobs.and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or(1));
    settings.max_failures = args.batch.fail_on_trial_error.then_some(1);
    settings.grace = grace;
    settings.options = args.recorded();
    settings.retries = 0;
    settings.label = None;
    settings.run_tags = Vec::new();
    if args.batch.needs().contains_key("gpus")
        && let Some(list) = &args.gpus
    {
        let count = list.split(',').filter(|gpu| !gpu.trim().is_empty()).count();
        settings.capacity.insert("gpus".to_owned(), u64::try_from(count).unwrap_or_default());
        settings.visible_gpus = Some(list.clone());
    }
    settings
}

fn carry(settings: Settings, batch: Batch) -> Result<i32, Failure> {
    let job = begin(settings)?;
    job.run_batch(batch);
    Ok(job.end(&MainEnd::default()))
}

fn failure(error: &BatchError) -> Failure {
    Failure { kind: FailureKind::General, message: error.to_string(), hints: error.hints() }
}
