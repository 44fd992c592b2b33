//! The kinds of runnables that this program runs by itself. A runnable of another kind needs a runner of its own.
//!
//! Whoever does something that hangs on a kind asks here, or matches all of them: a new kind is forgotten nowhere.

use super::{Runnable, TestStatus};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A script of Lua.
    Lua,
    /// Nothing; it passes.
    Noop,
    /// What is not run on purpose; it is cancelled.
    DryRun,
    /// A program whose exit code tells how it ended.
    ExecTest,
    /// A program whose standard output is TAP.
    Tap,
    /// A test of Python's `unittest`.
    PythonUnittest,
    /// A test of pytest's.
    Pytest,
    /// What is to be known of the machine.
    Sysinfo,
    /// Packages of the system, as a dependency.
    Package,
    /// Packages of Python, as a dependency.
    Pip,
    /// A file that is fetched, as a dependency.
    Asset,
}

impl Kind {
    /// All of them, in the order in which they are listed.
    pub(crate) const ALL: [Kind; 11] = [
        Kind::Lua,
        Kind::Noop,
        Kind::DryRun,
        Kind::ExecTest,
        Kind::Tap,
        Kind::PythonUnittest,
        Kind::Pytest,
        Kind::Sysinfo,
        Kind::Package,
        Kind::Pip,
        Kind::Asset,
    ];

    /// Returns its name, as recipes and messages have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Lua => "lua",
            Kind::Noop => "noop",
            Kind::DryRun => "dry-run",
            Kind::ExecTest => "exec-test",
            Kind::Tap => "tap",
            Kind::PythonUnittest => "python-unittest",
            Kind::Pytest => "pytest",
            Kind::Sysinfo => "sysinfo",
            Kind::Package => "package",
            Kind::Pip => "pip",
            Kind::Asset => "asset",
        }
    }

    /// Returns the kind of this name.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns how it ends without being run, and why; `None` for a kind that is run.
    pub(crate) const fn end_unrun(self) -> Option<(TestStatus, Option<&'static str>)> {
        match self {
            Kind::Noop => Some((TestStatus::Pass, None)),
            Kind::DryRun => Some((TestStatus::Cancel, Some("Test cancelled due to --dry-run"))),
            _ => None,
        }
    }

    /// Returns whether its uri is a file that has to be there. That of another may be anything.
    pub(crate) const fn is_file(self) -> bool {
        matches!(self, Kind::Lua | Kind::ExecTest | Kind::Tap)
    }

    /// Returns whether it is a program that the engine starts as it is, and gives what Avocado's runner would.
    pub(crate) const fn is_program(self) -> bool {
        matches!(self, Kind::ExecTest | Kind::Tap)
    }

    /// Returns whether the engine runs it. The others are run by this program as a runner.
    pub(crate) const fn is_the_engines(self) -> bool {
        matches!(self, Kind::Lua | Kind::Noop | Kind::DryRun | Kind::ExecTest | Kind::Tap)
    }
}

impl Runnable {
    /// Returns its kind, if it is one of this program's.
    pub(crate) fn own_kind(&self) -> Option<Kind> {
        Kind::named(&self.kind)
    }

    /// Returns whether it is of this kind.
    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.kind == kind.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_known_by_its_name_and_by_no_other() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{kind:?} stands in the list where it was declared");
            assert_eq!(Kind::named(kind.name()), Some(kind));
            let runnable = Runnable { kind: kind.name().to_owned(), ..Runnable::default() };
            assert_eq!(runnable.own_kind(), Some(kind));
            assert!(Kind::ALL.into_iter().all(|other| runnable.is(other) == (other == kind)));
        }
        for name in ["", "Lua", "exec", "jobfile", "avocado-instrumented"] {
            assert_eq!(Kind::named(name), None, "{name}");
        }
    }
}
