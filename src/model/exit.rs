//! How a process ended, by exit code or by signal, with names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The end of a process as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Exit {
    /// Left by itself with this code, 0 to 255.
    Code(i32),
    /// Was ended by this signal number.
    Signal(i32),
}

impl Exit {
    /// Returns the number that Python's `exitcode` shows: the code, or the signal's number negated.
    pub(crate) const fn as_python(self) -> i32 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => -signal,
        }
    }

    /// Returns whether this is exit code 0.
    pub(crate) const fn is_success(self) -> bool {
        matches!(self, Exit::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(number) => match signal_hook::low_level::signal_name(number) {
                Some(name) => write!(f, "killed by {name} (signal {number})"),
                None => write!(f, "killed by signal {number}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn ends_are_named() {
        let cases = [
            (Exit::Code(0), "exit code 0", 0),
            (Exit::Code(7), "exit code 7", 7),
            (Exit::Signal(9), "killed by SIGKILL (signal 9)", -9),
            (Exit::Signal(11), "killed by SIGSEGV (signal 11)", -11),
            (Exit::Signal(63), "killed by signal 63", -63),
        ];
        for (exit, text, python) in cases {
            assert_eq!((exit.to_string().as_str(), exit.as_python()), (text, python));
            assert_eq!(exit.is_success(), python == 0, "{text}");
        }
    }
}
