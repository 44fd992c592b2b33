//! What is run: the definition, or what another run has recorded, and the values of its flags.

use std::collections::BTreeMap;
use std::path::Path;

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::again;
use super::audience::show;
use super::options::OperationArgs;
use super::pipeline;
use crate::cli::Failure;
use crate::job::flags::import as import_flags;
use crate::job::operation::{self as job, RecordedRun, SourceCode};
use crate::operation::batch;
use crate::operation::dependency::is_resolved_flag;
use crate::operation::flags::{self, Context, FlagError, Row};
use crate::operation::{FlagValues, Notice, Objective, OpRecord, Operation, Origin};
use crate::script;
use crate::store::{Home, Opref};

/// What is run.
pub(super) struct Chosen {
    /// The run that is started again, or repeated.
    pub(super) recorded: Option<RecordedRun>,
    /// The definition, where it was needed.
    pub(super) operation: Option<Operation>,
    pub(super) opref: Opref,
    pub(super) record: OpRecord,
    pub(super) values: FlagValues,
    pub(super) user_flags: FlagValues,
    pub(super) source: SourceCode,
    /// Tags of the definition, or of the run.
    pub(super) tags: Vec<String>,
    /// More attributes of the run.
    pub(super) attributes: Map<String, Value>,
    /// What makes it a batch.
    pub(super) several: Several,
    /// Flags that were given for the steps of a pipeline.
    pub(super) for_steps: BTreeMap<String, String>,
}

/// Flags with more than one value, and files of trials.
#[derive(Default)]
pub(super) struct Several {
    /// The flags, as they were resolved.
    pub(super) resolved: flags::Resolved,
    /// What files say of trials.
    pub(super) rows: Vec<Row>,
}

/// Chooses by the command line.
pub(super) fn choose(args: &OperationArgs, home: &Home, started_in: &Path) -> Result<Chosen, Failure> {
    let (name, words) = args.parted();
    let flags::Assignments { flags: given, files } = flags::assignments(words).map_err(failure)?;
    if let Some(run) = &args.start {
        return start_again(args, &again::find(home, run)?, &given, home, started_in);
    }
    if let Some(run) = &args.proto {
        return by_prototype(args, &again::find(home, run)?, name, &given, home, started_in);
    }
    let operation = find(started_in, name, args.strict, home)?;
    let (given, for_steps) = pipeline::part(&operation, given);
    let mut record = OpRecord::new(&operation).map_err(|what| unusable(&operation, &what))?;
    let mut resolved = resolve(&operation, &given, None, args, started_in)?;
    let rows = rows(&operation, &files, &mut resolved, args, started_in)?;
    record.accept_flags(&resolved.forced);
    for row in &rows {
        record.accept_flags(&row.forced);
    }
    record.add_dependencies(&args.deps, started_in);
    // The runs that are newest now are those that this run stands for, whenever it is started.
    let upstreams = job::upstream_flags(&record, &resolved.values, home, &mut |notice| show(&notice));
    resolved.values.extend(upstreams);
    record.configure(&resolved.values);
    Ok(Chosen {
        recorded: None,
        opref: opref(&operation)?,
        source: source_of(&operation),
        tags: operation.tags.clone(),
        attributes: attributes(&operation),
        record,
        values: resolved.values.clone(),
        user_flags: resolved.user.clone(),
        operation: Some(operation),
        several: Several { resolved, rows },
        for_steps,
    })
}

/// Reads files of trials. A single trial is an ordinary run, whose flags it gives where the command line does not.
fn rows(
    operation: &Operation,
    files: &[String],
    resolved: &mut flags::Resolved,
    args: &OperationArgs,
    started_in: &Path,
) -> Result<Vec<Row>, Failure> {
    let user_home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let context =
        Context { operation, stored: None, force: args.force_flags, cwd: started_in, home: user_home.as_deref() };
    let mut rows = Vec::new();
    for file in files {
        let path = match (file.strip_prefix("~/"), &user_home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => started_in.join(file),
        };
        let trials = batch::read_file(&path, file).map_err(|error| Failure::general(error.to_string()))?;
        for (at, cells) in trials.into_iter().enumerate() {
            let row = flags::row(context, cells).map_err(|error| {
                let mut failure = failure(error);
                failure.message = format!("{file}: trial {}: {}", at + 1, failure.message);
                failure
            })?;
            rows.push(row);
        }
    }
    if !files.is_empty() && rows.is_empty() {
        return Err(Failure::general(format!("there are no trials in {}", files.join(" and "))));
    }
    let is_batch = args.batch.optimizer.is_some() || args.batch.optimize || !resolved.spread.is_empty();
    match rows.as_slice() {
        [row] if row.spread.is_empty() && !is_batch => {
            let given = row.values.iter().filter(|(name, _)| !resolved.user.contains_key(*name));
            let given: FlagValues = given.map(|(name, value)| (name.clone(), value.clone())).collect();
            resolved.values = flags::trial(Some(operation), resolved, &given);
            resolved.user.extend(given);
            resolved.forced.extend(row.forced.iter().cloned());
            Ok(Vec::new())
        }
        _ => Ok(rows),
    }
}

/// Returns the operation that is meant by a name, after showing what is worth saying of its definition.
/// With `strict` that is a failure.
pub(super) fn find(started_in: &Path, name: Option<&str>, strict: bool, home: &Home) -> Result<Operation, Failure> {
    let project = script::load_project(started_in);
    let mut operation = project.find(name)?;
    let mut remarks: Vec<String> = project.remarks_on(&operation).map(ToString::to_string).collect();
    import_flags(&mut operation, Some(home), &mut |notice| match notice {
        Notice::Warning(text) => remarks.push(text),
        info @ Notice::Info(_) => show(&info),
    });
    if strict && !remarks.is_empty() {
        return Err(Failure::usage(remarks.join("\n")).hint("without --strict it would be run all the same."));
    }
    for remark in remarks {
        show(&Notice::Warning(remark));
    }
    Ok(operation)
}

/// Chooses what the operation of a run would do now with the flags that the run's user gave.
pub(super) fn as_now(
    run: &RecordedRun,
    args: &OperationArgs,
    home: &Home,
    started_in: &Path,
) -> Result<Chosen, Failure> {
    let opref = run.opref.as_ref().ok_or_else(|| Failure::general(format!("run {} has no operation", run.id)))?;
    let operation = defined(opref, home).ok_or_else(|| no_definition(opref, &run.id))?;
    let mut record = OpRecord::new(&operation).map_err(|what| unusable(&operation, &what))?;
    let resources = flags::resource_flags(&operation.requires);
    let is_there = |name: &String| operation.flags.contains_key(name) || resources.contains(name);
    let given: FlagValues = run.user_flags.clone().into_iter().filter(|(name, _)| is_there(name)).collect();
    let mut resolved = resolve(&operation, &[], Some(&given), args, started_in)?;
    let upstreams = job::upstream_flags(&record, &resolved.values, home, &mut |_| {});
    resolved.values.extend(upstreams);
    record.configure(&resolved.values);
    Ok(Chosen {
        recorded: None,
        opref: self::opref(&operation)?,
        source: source_of(&operation),
        tags: Vec::new(),
        attributes: Map::new(),
        record,
        values: resolved.values,
        user_flags: given,
        operation: Some(operation),
        several: Several::default(),
        for_steps: BTreeMap::new(),
    })
}

/// Chooses what the trials of a batch are, by its prototype.
pub(super) fn of_proto(proto: &Path) -> Result<Chosen, Failure> {
    let run = again::read(proto)?;
    let opref = run.opref.clone().ok_or_else(|| {
        Failure::general(format!("cannot restart run in {}: missing op configuration", proto.display()))
    })?;
    Ok(Chosen {
        operation: None,
        opref,
        record: run.record.clone(),
        values: run.values.clone(),
        user_flags: run.user_flags.clone(),
        source: SourceCode::Kept,
        tags: run.tags.clone(),
        attributes: run.attributes.clone(),
        several: Several::default(),
        for_steps: BTreeMap::new(),
        recorded: Some(run),
    })
}

fn start_again(
    args: &OperationArgs,
    path: &Path,
    given: &[(String, String)],
    home: &Home,
    started_in: &Path,
) -> Result<Chosen, Failure> {
    let run = again::read(path)?;
    run.check_startable().map_err(|error| Failure::general(error.to_string()))?;
    let opref = run.opref.clone().ok_or_else(|| {
        Failure::general(format!("cannot restart run in {}: missing op configuration", path.display()))
    })?;
    let mut record = run.record.clone();
    let (operation, values, user_flags) = if given.is_empty() {
        let operation = match args.force_sourcecode {
            true => Some(defined(&opref, home).ok_or_else(|| no_definition(&opref, &run.id))?),
            false => None,
        };
        (operation, run.values.clone(), run.user_flags.clone())
    } else {
        refuse_resolved(&run, given)?;
        let operation = defined(&opref, home).ok_or_else(|| no_definition(&opref, &run.id))?;
        let resolved = resolve(&operation, given, Some(&run.values), args, started_in)?;
        if let Some(name) = resolved.spread.keys().next() {
            return Err(Failure::usage(format!(
                "run {} has one value for each flag, and '{name}' has several",
                run.id
            ))
            .hint("--proto RUN makes a batch of new runs."));
        }
        record.accept_flags(&resolved.forced);
        let mut user_flags = run.user_flags.clone();
        user_flags.extend(resolved.user);
        (Some(operation), resolved.values, user_flags)
    };
    record.add_dependencies(&args.deps, started_in);
    let source = match operation.as_ref().filter(|_| args.force_sourcecode) {
        Some(operation) => source_of(operation),
        None => SourceCode::Kept,
    };
    Ok(Chosen {
        operation,
        opref,
        record,
        values,
        user_flags,
        source,
        tags: run.tags.clone(),
        attributes: Map::new(),
        several: Several::default(),
        for_steps: BTreeMap::new(),
        recorded: Some(run),
    })
}

/// A new run with what another one was made of, but for what the user says otherwise.
fn by_prototype(
    args: &OperationArgs,
    path: &Path,
    name: Option<&str>,
    given: &[(String, String)],
    home: &Home,
    started_in: &Path,
) -> Result<Chosen, Failure> {
    // Of a batch it is what its trials have in common, lists of values included.
    let proto = job::batch::proto_of(path);
    let is_batch = proto.is_some();
    let path = proto.as_deref().unwrap_or(path);
    let run = again::read(path)?;
    let opref = run.opref.clone();
    let operation = match (name, &opref) {
        (Some(name), _) => Some(find(started_in, Some(name), args.strict, home)?),
        (None, Some(opref)) if !given.is_empty() || args.force_sourcecode => {
            Some(defined(opref, home).ok_or_else(|| no_definition(opref, &run.id))?)
        }
        (None, _) => None,
    };
    let mut resolved = match &operation {
        Some(operation) => resolve(operation, given, Some(&run.values), args, started_in)?,
        None => {
            flags::Resolved { values: run.values.clone(), user: run.user_flags.clone(), ..flags::Resolved::default() }
        }
    };
    if is_batch {
        let kept = run.values.iter().filter(|(name, _)| !given.iter().any(|(given, _)| given == *name));
        let many = kept.filter_map(|(name, value)| Some((name.clone(), flags::spread_of(value)?)));
        resolved.spread.extend(many);
    }
    // Another operation brings its own command; the source code is the prototype's all the same.
    let is_other = name.is_some();
    let mut record = match &operation {
        Some(operation) if is_other => OpRecord::new(operation).map_err(|what| unusable(operation, &what))?,
        _ => run.record.clone(),
    };
    record.accept_flags(&resolved.forced);
    record.add_dependencies(&args.deps, started_in);
    record.configure(&resolved.values);
    let opref = match &operation {
        Some(operation) if is_other => self::opref(operation)?,
        _ => opref.ok_or_else(|| Failure::general(format!("the run {} does not know its operation", run.id)))?,
    };
    let attributes = match &operation {
        Some(operation) if is_other => attributes(operation),
        _ => run.attributes.clone(),
    };
    Ok(Chosen {
        tags: run.tags.clone(),
        source: match operation.as_ref().filter(|_| args.force_sourcecode) {
            Some(operation) => source_of(operation),
            None => SourceCode::Run(path.to_owned()),
        },
        operation,
        opref,
        record,
        values: resolved.values.clone(),
        user_flags: resolved.user.clone(),
        attributes,
        several: Several { resolved, rows: Vec::new() },
        for_steps: BTreeMap::new(),
        recorded: Some(run),
    })
}

fn resolve(
    operation: &Operation,
    given: &[(String, String)],
    stored: Option<&FlagValues>,
    args: &OperationArgs,
    started_in: &Path,
) -> Result<flags::Resolved, Failure> {
    let user_home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let context = Context { operation, stored, force: args.force_flags, cwd: started_in, home: user_home.as_deref() };
    let mut resolved = flags::resolve(context, given).map_err(failure)?;
    if args.edit_flags {
        let given = super::flags::edited(operation, &resolved, args.force_flags)?;
        let shown = std::mem::replace(&mut resolved, flags::resolve(context, &given).map_err(failure)?);
        // All flags were there to be edited; what was left as it was is not the user's.
        resolved.user.retain(|name, value| shown.user.contains_key(name) || shown.values.get(name) != Some(value));
    }
    for notice in &resolved.notices {
        show(notice);
    }
    Ok(resolved)
}

/// A resource that was resolved stays what it is.
fn refuse_resolved(run: &RecordedRun, given: &[(String, String)]) -> Result<(), Failure> {
    match given.iter().find(|(name, _)| is_resolved_flag(&run.record.deps, &run.deps, name)) {
        Some((name, _)) => Err(Failure::general(format!(
            "cannot specify a value for '{name}' when restarting {} - resource has already been resolved",
            run.id
        ))),
        None => Ok(()),
    }
}

/// Returns the definition that a run was made from, as it is now.
pub(super) fn defined(opref: &Opref, home: &Home) -> Option<Operation> {
    let path = Path::new(&opref.name);
    let folder = match opref.kind.as_str() {
        "guildfile" => path.parent()?,
        "script" => path,
        _ => return None,
    };
    let found = script::load_project(folder).find(Some(&opref.operation())).ok();
    // A project in another place has its definition there.
    let mut operation = found.filter(|operation| operation.name == opref.op)?;
    import_flags(&mut operation, Some(home), &mut |notice| show(&notice));
    Some(operation)
}

fn no_definition(opref: &Opref, run: &str) -> Failure {
    Failure::general(format!(
        "cannot find definition for operation '{}' in run {run}\nThe definition is required when setting flags for start or \
         restart.",
        opref.operation()
    ))
}

fn unusable(operation: &Operation, what: &str) -> Failure {
    let place = operation.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    Failure::usage(format!("{place}operation '{}' cannot be run: {what}", operation.full_name()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` has")]
fn failure(error: FlagError) -> Failure {
    let hints = error.hints();
    // As Guild's, so that scripts that look at it go on working.
    Failure { hints, ..Failure::general(error.to_string()) }
}

/// Returns the reference to an operation. The version of a file of definitions is the MD5 of its bytes, as Guild has it.
fn opref(operation: &Operation) -> Result<Opref, Failure> {
    let lossy = |path: &Path| path.to_string_lossy().into_owned();
    match &operation.origin {
        // Of a file that is no YAML Guild's `compare` would say so and nothing else; a script's folder it leaves alone.
        Origin::Script(_) | Origin::RilleFile(_) => Ok(Opref {
            kind: "script".to_owned(),
            name: lossy(&operation.project),
            version: String::new(),
            model: operation.model.clone(),
            op: operation.name.clone(),
        }),
        Origin::GuildFile(path) => {
            let bytes = std::fs::read(path)
                .map_err(|error| Failure::general(format!("cannot read {}: {error}", path.display())))?;
            let version = Md5::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            Ok(Opref {
                kind: "guildfile".to_owned(),
                name: lossy(path),
                version,
                model: operation.model.clone(),
                op: operation.name.clone(),
            })
        }
    }
}

/// Returns the source code that an operation has in its project.
fn source_of(operation: &Operation) -> SourceCode {
    SourceCode::Project { rules: operation.sourcecode.clone(), script: script_of(operation) }
}

fn script_of(operation: &Operation) -> Option<std::path::PathBuf> {
    match &operation.origin {
        Origin::Script(path) => Some(path.strip_prefix(&operation.project).unwrap_or(path).to_owned()),
        _ => None,
    }
}

/// Returns the attributes that a definition gives its runs.
fn attributes(operation: &Operation) -> Map<String, Value> {
    let mut attributes = operation.run_attrs.clone();
    if !operation.compare.is_empty() {
        attributes.insert("compare".to_owned(), json!(operation.compare));
    }
    if let Some(objective) = &operation.objective {
        let text = match objective {
            Objective::Minimize(scalar) => scalar.clone(),
            Objective::Maximize(scalar) => format!("-{scalar}"),
        };
        attributes.insert("objective".to_owned(), json!(text));
    }
    attributes
}
