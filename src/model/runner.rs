//! A program that runs tasks of one kind and reports to the status server: `avocado-runner-KIND`, or this same program in
//! that role.

use std::ffi::OsString;
use std::path::PathBuf;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runner {
    /// The program.
    pub(crate) program: PathBuf,
    /// The name it is called under, where that is not the program's.
    pub(crate) name: Option<OsString>,
    /// It hands over the token that is in its environment where it reports by TCP.
    pub(crate) takes_token: bool,
    /// The keys of a runnable's `config` that it reads; `None` for all.
    pub(crate) configuration_used: Option<Vec<String>>,
}
