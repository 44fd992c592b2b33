//! An operation as it was defined, in `rille.lua`, in `guild.yml`, or by being a script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::import::FlagsImport;
use super::{Flag, Resource};
use crate::model::Place;

/// What kind of file defines an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `guild.yml`, by its absolute path.
    GuildFile(PathBuf),
    /// `rille.lua`, by its absolute path.
    RilleFile(PathBuf),
    /// A script that is run without a definition, by its absolute path.
    Script(PathBuf),
}

/// What an operation runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// A command line, not yet split; `${flag}` stands for values, `${flag_args}` for all of them as arguments.
    Exec(String),
    /// A Python module with arguments, not yet split.
    Main(String),
    /// The function `main` that `rille.lua` gives the operation.
    LuaFunction,
    /// A script, relative to the project: Python, shell, Lua, or any executable. With its arguments, not yet split.
    Script(String),
    /// Other operations; comes with batches.
    Steps(Vec<Value>),
}

/// The scalar that a search makes small or large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Objective {
    /// The smaller the better.
    Minimize(String),
    /// The larger the better.
    Maximize(String),
}

/// A definition with everything that includes, models and defaults have added.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operation {
    /// The model; empty for the anonymous one.
    pub(crate) model: String,
    /// The name.
    pub(crate) name: String,
    /// The file that defines it.
    pub(crate) origin: Origin,
    /// The absolute folder that its paths are relative to.
    pub(crate) project: PathBuf,
    /// The files that define it, relative to the project: what they say counts by the definition alone.
    pub(crate) definitions: Vec<PathBuf>,
    /// Where it stands.
    pub(crate) place: Option<Place>,
    /// Whether it is run when none is named.
    pub(crate) is_default: bool,
    /// What it does.
    pub(crate) description: String,
    /// What it runs.
    pub(crate) body: Body,
    /// Its flags.
    pub(crate) flags: BTreeMap<String, Flag>,
    /// How flags reach it: `args`, `globals`, `global:VAR`, `dict:VAR`, `config:FILE`, `none`. `None` for the default.
    pub(crate) flags_dest: Option<String>,
    /// Which flags it has from its code.
    pub(crate) flags_import: FlagsImport,
    /// Names of flags that it does not have from its code.
    pub(crate) flags_import_skip: Vec<String>,
    /// What it requires, in order.
    pub(crate) requires: Vec<Resource>,
    /// Environment variables; values may hold `${flag}`.
    pub(crate) env: BTreeMap<String, Value>,
    /// Names of variables that are not recorded.
    pub(crate) env_secrets: Vec<String>,
    /// The version of Python, `>=3.8`.
    pub(crate) python_requires: Option<String>,
    /// Folders for Python's modules.
    pub(crate) python_path: Option<Value>,
    /// `output-scalars` as it was written; `None` for the default, `false` or an empty list for none.
    pub(crate) output_scalars: Option<Value>,
    /// `sourcecode` of the model and of the operation, as written; later rules win.
    pub(crate) sourcecode: Vec<Value>,
    /// The template of the label.
    pub(crate) label: Option<String>,
    /// Tags of its runs.
    pub(crate) tags: Vec<String>,
    /// Columns of `rille runs compare`.
    pub(crate) compare: Vec<String>,
    /// What a search is for.
    pub(crate) objective: Option<Objective>,
    /// Whether a run that has completed is removed.
    pub(crate) delete_on_success: bool,
    /// `publish` as it was written.
    pub(crate) publish: Option<Value>,
    /// More attributes of its runs.
    pub(crate) run_attrs: Map<String, Value>,
    /// Whether flags are not passed as arguments unless they say so.
    pub(crate) default_flag_arg_skip: bool,
    /// Seconds that the operation may take.
    pub(crate) stop_after: Option<f64>,
    /// What is known and comes with batches: `optimizers`, `default-max-trials`, `flag-encoder`, …
    pub(crate) later: Map<String, Value>,
}

impl Operation {
    /// Returns an operation that has nothing but a name and what it runs. `project` is absolute.
    pub(super) fn bare(name: &str, origin: Origin, project: &Path, body: Body) -> Operation {
        Operation {
            model: String::new(),
            name: name.to_owned(),
            origin,
            project: project.to_owned(),
            definitions: Vec::new(),
            place: None,
            is_default: false,
            description: String::new(),
            body,
            flags: BTreeMap::new(),
            flags_dest: None,
            flags_import: FlagsImport::default(),
            flags_import_skip: Vec::new(),
            requires: Vec::new(),
            env: BTreeMap::new(),
            env_secrets: Vec::new(),
            python_requires: None,
            python_path: None,
            output_scalars: None,
            sourcecode: Vec::new(),
            label: None,
            tags: Vec::new(),
            compare: Vec::new(),
            objective: None,
            delete_on_success: false,
            publish: None,
            run_attrs: Map::new(),
            default_flag_arg_skip: false,
            stop_after: None,
            later: Map::new(),
        }
    }

    /// Returns the files that define it and are no part of what it runs, relative to the project.
    pub(crate) fn definition_files(&self) -> Vec<PathBuf> {
        match &self.origin {
            Origin::GuildFile(path) => {
                let own = path.strip_prefix(&self.project).unwrap_or(path).to_owned();
                std::iter::once(own).chain(self.definitions.iter().cloned()).collect()
            }
            Origin::RilleFile(path) if !matches!(self.body, Body::LuaFunction) => {
                vec![path.strip_prefix(&self.project).unwrap_or(path).to_owned()]
            }
            Origin::RilleFile(_) | Origin::Script(_) => Vec::new(),
        }
    }

    /// Returns the operation as a user would name it: `model:op`, or the op alone.
    pub(crate) fn full_name(&self) -> String {
        if self.model.is_empty() { self.name.clone() } else { format!("{}:{}", self.model, self.name) }
    }
}
