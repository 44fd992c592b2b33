//! What a run keeps of its operation, in the attribute `op`: enough to start it again without its project.
//!
//! The serialised form is Guild's, so that Guild can restart such a run, and Rille one of Guild's. What Guild has and Rille
//! does not know stays as it is. [`super::record_read`] reads it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::resource::flag_names;
use super::{Source, python};

/// The argument in `cmd-args` that stands for all flags as arguments.
pub(crate) const FLAG_ARGS: &str = "__flag_args__";

/// The attribute `op`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OpRecord {
    /// What is run. A run without it cannot be started again.
    pub(crate) op_cmd: OpCommand,
    /// What it requires.
    #[serde(default)]
    pub(crate) deps: Vec<DependencyRecord>,
    /// Whether a run that has completed is removed.
    #[serde(default)]
    pub(crate) delete_on_success: bool,
    /// How null values are shown in labels, by flag.
    #[serde(default)]
    pub(crate) flag_null_labels: Map<String, Value>,
    /// Keys of flags that are only for plugins.
    #[serde(default)]
    pub(crate) flags_extra: Map<String, Value>,
    /// The template of the label.
    #[serde(default)]
    pub(crate) label_template: Option<String>,
    /// The version of Python.
    #[serde(default)]
    pub(crate) python_requires: Option<String>,
    /// Which lines of the output are scalars, as in a definition; null for the default.
    #[serde(default)]
    pub(crate) output_scalars: Option<Value>,
    /// Where the source code of the run is.
    #[serde(default)]
    pub(crate) sourcecode: SourceCodeRecord,
    /// Names of variables that are not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) env_secrets: Vec<String>,
    /// Seconds that the operation may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stop_after: Option<f64>,
    /// What else was there.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// The command of an operation, before the values of flags are put in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OpCommand {
    /// The command line. Holds `${flag}`, `${python_exe}`, `${rille_exe}`, `${project_dir}` and [`FLAG_ARGS`].
    pub(crate) cmd_args: Vec<String>,
    /// Environment variables; values may hold `${flag}`.
    #[serde(default)]
    pub(crate) cmd_env: BTreeMap<String, Value>,
    /// How each flag is passed.
    #[serde(default)]
    pub(crate) cmd_flags: BTreeMap<String, FlagPassing>,
    /// How flags reach the operation.
    #[serde(default)]
    pub(crate) flags_dest: Option<String>,
}

impl OpRecord {
    /// Returns the folders in which Python looks for modules before all others, relative to the run directory: it comes
    /// first, with what dependencies and other runs brought, as `python -m` has its working folder first.
    pub(crate) fn module_folders(&self) -> Vec<String> {
        let dest = self.sourcecode.dest.as_deref().unwrap_or(".").trim_end_matches('/');
        let in_source = |folder: &str| match (dest, folder.trim_start_matches("./")) {
            ("" | ".", folder) => folder.to_owned(),
            (dest, "" | ".") => dest.to_owned(),
            (dest, folder) => format!("{dest}/{folder}"),
        };
        let own = python::folders(self.rest.get("python-path"));
        let own = own.iter().map(|folder| if folder.starts_with('/') { folder.clone() } else { in_source(folder) });
        let first = std::iter::once(".".to_owned()).chain(own);
        first.chain([in_source("."), python::FOLDER.to_owned()]).collect()
    }

    /// Writes down where Python finds the modules of a run, so that Guild, which sets no variable that a record does not
    /// have, can start it too. `shared` is a folder outside of the run with the program that runs modules, since a run that
    /// Guild makes by this one as its prototype gets the source code and nothing else; `user` is the user's `PYTHONPATH`.
    pub(crate) fn record_python_path(&mut self, shared: &str, user: Option<&str>) {
        if !self.op_cmd.cmd_args.iter().any(|word| word == python::OP_MAIN) {
            return;
        }
        let given = self.op_cmd.cmd_env.get("PYTHONPATH").and_then(Value::as_str).map(str::to_owned);
        let more = given.iter().map(String::as_str).chain(user).flat_map(python::paths).map(str::to_owned);
        let paths = self.module_folders().into_iter().chain(more).chain([shared.to_owned()]);
        self.op_cmd.cmd_env.insert("PYTHONPATH".to_owned(), Value::from(python::joined(paths)));
    }
}

/// How a flag is passed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct FlagPassing {
    /// The name of the argument, where it is not the flag's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arg_name: Option<String>,
    /// Whether it is not passed as an argument.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) arg_skip: bool,
    /// The value for which the bare `--name` is passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arg_switch: Option<Value>,
    /// Splits one value into several arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arg_split: Option<Value>,
    /// Texts by the text of the value, for arguments.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) arg_encoding: Map<String, Value>,
    /// Texts by the text of the value, for the environment.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) env_encoding: Map<String, Value>,
    /// The environment variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env_name: Option<String>,
}

/// A resource that the operation requires.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "Value")]
pub(crate) struct DependencyRecord {
    /// The resource's name.
    pub(crate) name: String,
    /// The absolute folder that its paths are relative to: the project.
    #[serde(default)]
    pub(crate) location: String,
    /// Its sources, with what the resource says put into them.
    #[serde(default)]
    pub(crate) sources: Vec<Source>,
    /// The value of the flag that chooses another source, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Value>,
    /// The names of the operation's own flags, which choose no source where they only happen to be called like one.
    #[serde(skip)]
    pub(crate) taken: BTreeSet<String>,
}

impl DependencyRecord {
    /// Returns the names by which a user may choose another source.
    pub(crate) fn flag_names(&self) -> BTreeSet<String> {
        flag_names(&self.name, &self.sources, &self.taken)
    }
}

/// Where the source code of a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct SourceCodeRecord {
    /// The folder, relative to the run directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dest: Option<String>,
    /// What else was there.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}
