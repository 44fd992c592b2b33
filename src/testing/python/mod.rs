//! The tests of a Python file, found by reading it: nothing is imported or run.
//!
//! A class is a test class if it descends from `unittest.TestCase` or from `avocado.Test`, in the same file or through
//! files that can be found, or if its docstring says so.

mod docstring;
mod find;
mod imports;
mod source;

pub(super) use self::find::{AskPython, Finder, PythonKind};
