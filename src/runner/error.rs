//! Why a runner cannot begin, as data. `app` makes text and an exit code of it.

use std::io;
use std::num::ParseIntError;
use std::path::PathBuf;
use std::string::FromUtf8Error;

use serde_json::Value;

use crate::model::{Kind, RaisedError, RecipeError, nearest};

/// An error of a runner, before there is a result to tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// What was to be run cannot be read.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The links of `rille runner install` cannot be made.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A status server cannot be told anything.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// A file of a kind that is written in Lua has failed.
    #[error(transparent)]
    Script(#[from] RaisedError),
    /// Standard output takes nothing.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    /// Nobody runs this kind.
    #[error("Unsupported kind of runnable: {0}{hint}", hint = hint(.0))]
    Unsupported(String),
    /// There is no folder for what the task leaves.
    #[error("cannot make a folder for the task: {0}")]
    Folder(#[source] io::Error),
    /// There is no process for the work.
    #[error("cannot start a process: {0}")]
    Process(#[source] io::Error),
    /// Somebody else's runner of the kind does not start.
    #[error("cannot start {}: {source}", program.display())]
    Foreign {
        /// That runner.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with the arguments or the recipe of a runner.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// The value of an argument is no JSON.
    #[error("the value of {name} is no JSON: {source}: {text}")]
    Value {
        /// The option, or the parameter of the runnable.
        name: String,
        /// Its value.
        text: String,
        /// Why it is none.
        source: serde_json::Error,
    },
    /// An argument in base 64 is none.
    #[error("the argument {argument} is no base 64: {source}")]
    Base64 {
        /// The argument as it was given.
        argument: String,
        /// Why it is none.
        source: base64::DecodeError,
    },
    /// An argument in base 64 stands for bytes that are no text.
    #[error("the argument {argument} holds bytes that are not UTF-8")]
    NotUtf8 {
        /// The argument as it was given.
        argument: String,
        /// Which bytes.
        source: FromUtf8Error,
    },
    /// The arguments make no recipe.
    #[error(transparent)]
    Arguments(#[from] RecipeError),
    /// The file of a recipe cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of a recipe holds something else.
    #[error("{} is no JSON: {source}", path.display())]
    NoJson {
        /// The file.
        path: PathBuf,
        /// Where it ends to be JSON.
        source: serde_json::Error,
    },
    /// The recipe of a runnable is wrong.
    #[error("{}: {}{source}", path.display(), if *is_of_task { "runnable: " } else { "" })]
    Recipe {
        /// The file.
        path: PathBuf,
        /// Whether it stands in the recipe of a task.
        is_of_task: bool,
        /// What is wrong.
        source: RecipeError,
    },
    /// The recipe of a task is no object.
    #[error("{}: the recipe of a task is an object with the key 'runnable'", .0.display())]
    NoObject(PathBuf),
    /// The recipe of a task says nothing of what to run.
    #[error("{}: there is no key 'runnable'", .0.display())]
    NoRunnable(PathBuf),
    /// A key of the recipe of a task has a value that it cannot have.
    #[error("{}: {expected}, not {found}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The key, and what its value is.
        expected: &'static str,
        /// What it is here.
        found: Value,
    },
}

/// Why the links of runners cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstallError {
    /// It is not known where this program is.
    #[error("cannot find this program: {0}")]
    NoProgram(#[source] io::Error),
    /// The folder for them cannot be made.
    #[error("cannot make {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A word cannot be a kind.
    #[error("'{}' is no name of a kind", .0.escape_debug())]
    NoKind(String),
    /// A kind is neither one of ours nor written in Lua.
    #[error("there is no avocado-runner-{kind}.lua in this folder, in {}, in RILLE_PATH or on the PATH", folder.display())]
    NoScript {
        /// The kind.
        kind: String,
        /// The folder for the links.
        folder: PathBuf,
    },
    /// A link cannot be made.
    #[error("cannot link {}: {source}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// What the system said, or that something else is there.
        source: io::Error,
    },
}

/// Why a status server cannot be told anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum StatusError {
    /// Its URI is neither a path nor `HOST:PORT`.
    #[error("'{uri}' is no status server: '{port}' is no port")]
    NoPort {
        /// The URI.
        uri: String,
        /// What stands in the place of the port.
        port: String,
        /// Why that is none.
        source: ParseIntError,
    },
    /// It is not there.
    #[error("cannot reach the status server {uri}: {source}")]
    Unreached {
        /// Its URI.
        uri: String,
        /// What the system said.
        source: io::Error,
    },
}

fn hint(kind: &str) -> String {
    let near = nearest(kind, Kind::ALL.map(Kind::name));
    near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}
