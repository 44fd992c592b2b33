//! `rille ops`: the operations of a project, and what is wrong with those that cannot be used.

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Failure;
use super::output::{one_line, table, terminal_width, write_json, write_out};
use crate::operation::read::Mistake;
use crate::operation::steps::{self, GraphForm};
use crate::operation::{Body, Broken, Operation, Origin, Project};
use crate::script;

/// Lists the operations that rille.lua and guild.yml define in this folder.
#[derive(Args, Debug)]
pub(crate) struct OpsArgs {
    #[command(subcommand)]
    command: Option<OpsCommand>,
    /// List also those whose name begins with _
    #[arg(long, short)]
    all: bool,
    /// Write JSON: a list of objects
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum OpsCommand {
    /// Draw the steps of an operation and which of them need which
    Graph(GraphArgs),
}

/// Draws a pipeline.
#[derive(Args, Debug)]
struct GraphArgs {
    /// The operation [default: the one that is run where none is named]
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,
    /// In which form
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Text)]
    form: Form,
}

/// In which form a pipeline is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line for each step
    Text,
    /// A flowchart of Mermaid
    Mermaid,
    /// A graph of Graphviz
    Dot,
}

fn graph(args: &GraphArgs) -> Result<i32, Failure> {
    let form = match args.form {
        Form::Text => GraphForm::Text,
        Form::Mermaid => GraphForm::Mermaid,
        Form::Dot => GraphForm::Dot,
    };
    let operation = script::load_project(Path::new(".")).find(args.operation.as_deref())?;
    let picture = steps::picture(&operation, form);
    write_out(&picture.map_err(|error| Failure::usage(format!("operation '{}': {error}", operation.full_name())))?)?;
    Ok(0)
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: &OpsArgs) -> Result<i32, Failure> {
    if let Some(OpsCommand::Graph(args)) = &args.command {
        return graph(args);
    }
    let project = script::load_project(Path::new("."));
    if !project.is_defined {
        return Err(no_project(&project));
    }
    // A model whose name says that it is hidden hides its operations.
    let is_shown =
        |operation: &Operation| args.all || !(operation.name.starts_with('_') || operation.model.starts_with('_'));
    if args.json {
        let usable = project.operations.iter().filter(|operation| is_shown(operation)).map(|operation| {
            json!({
                "name": operation.full_name(),
                "description": operation.description,
                "default": operation.is_default,
                "kind": kind(&operation.body),
                "file": file(&operation.origin),
                "line": operation.place.as_ref().map(|place| place.line),
                "error": null,
            })
        });
        let broken = project.broken.iter().map(|broken| {
            json!({
                "name": broken.full_name(),
                "model": broken.model,
                "line": broken.mistake.place.as_ref().map(|place| place.line),
                "error": broken.mistake.to_string(),
            })
        });
        let all: Vec<Value> = usable.chain(broken).collect();
        write_json(&all)?;
    } else {
        list(&project, &is_shown)?;
    }
    warn(project.remarks.iter().map(|remark| &remark.mistake));
    match project.operations.is_empty() && !project.broken.is_empty() {
        true => Err(Failure::usage("no operation of this project can be used")),
        false => Ok(0),
    }
}

/// Returns the failure of a folder that defines no operations.
pub(super) fn no_project(project: &Project) -> Failure {
    let folder = project.folder.display();
    let failure = Failure::usage(format!("there are no operations: {folder} has no rille.lua and no guild.yml"));
    match project.parent() {
        Some(parent) => failure.hint(format!("there is one in {}; go there.", parent.display())),
        None => failure,
    }
}

/// Writes warnings to standard error.
pub(super) fn warn<'a>(mistakes: impl Iterator<Item = &'a Mistake>) {
    for mistake in mistakes {
        eprintln!("WARNING: {mistake}");
    }
}

/// Writes the table: names with their descriptions, or what is wrong.
fn list(project: &Project, is_shown: &dyn Fn(&Operation) -> bool) -> Result<(), Failure> {
    let usable = project.operations.iter().filter(|operation| is_shown(operation));
    let usable = usable.map(|operation| {
        let first = operation.description.lines().next().unwrap_or_default();
        let mark = if operation.is_default { "(default) " } else { "" };
        [operation.full_name(), one_line(&format!("{mark}{first}"))]
    });
    let named = |broken: &Broken| Some([broken.full_name()?, one_line(&format!("BROKEN {}", broken.mistake))]);
    let mut rows: Vec<[String; 2]> = usable.chain(project.broken.iter().filter_map(named)).collect();
    // Those without a model first, then model by model.
    rows.sort_by(|[one, _], [other, _]| by_model(one).cmp(&by_model(other)));
    let lines = table(&rows, terminal_width()).into_iter().map(|line| line + "\n");
    write_out(&lines.collect::<String>())?;
    if rows.is_empty() && project.broken.is_empty() {
        eprintln!("no operations");
    }
    for broken in project.broken.iter().filter(|broken| broken.name.is_none()) {
        eprintln!("error: {}", broken.mistake);
    }
    Ok(())
}

/// Returns the model of an operation's full name, and its name there.
fn by_model(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// Returns in one word what an operation runs.
pub(super) fn kind(body: &Body) -> &'static str {
    match body {
        Body::Exec(_) => "exec",
        Body::Main(_) | Body::LuaFunction => "main",
        Body::Script(_) => "script",
        Body::Steps(_) => "steps",
    }
}

/// Returns the file that defines an operation.
pub(super) fn file(origin: &Origin) -> &Path {
    match origin {
        Origin::GuildFile(path) | Origin::RilleFile(path) | Origin::Script(path) => path,
    }
}

/// Returns the failure of an operation that was not found.
impl From<crate::operation::LookupError> for Failure {
    fn from(error: crate::operation::LookupError) -> Failure {
        let failure = Failure::usage(error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
