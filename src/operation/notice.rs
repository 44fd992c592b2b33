//! What happens on the way to a run that its user should know.

/// A line for the user. Who shows it adds `WARNING: ` to a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// What is being done.
    Info(String),
    /// What is odd, but does not stop the run.
    Warning(String),
}
