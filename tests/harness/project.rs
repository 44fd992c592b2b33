//! A folder with a user's files, a home for the runs, and an environment that knows nothing of the machine.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::survivors::MARK;
use super::{Ended, Run, Running, Survivors};

/// A project, stated by a chain: `Project::new().file("job.lua", "…").run(&["run", "job.lua"]).code(0)`.
///
/// A clone is the same project.
#[derive(Clone)]
pub(crate) struct Project {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped first: what still runs may write to the folder.
    survivors: Survivors,
    root: TempDir,
    variables: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    processes: AtomicU32,
}

impl Project {
    /// Makes an empty project.
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("rille-test-").tempdir().expect("a temporary folder can be made");
        for folder in ["work", "user", "io"] {
            fs::create_dir(root.path().join(folder)).expect("a folder can be made");
        }
        let survivors = Survivors::new();
        let inner = Inner { survivors, root, variables: Vec::new(), stdin: None, processes: AtomicU32::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// Writes a file of the user, by its path relative to the working folder.
    pub(crate) fn file(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
        self
    }

    /// The same for a program.
    pub(crate) fn executable(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        let project = self.file(path.as_ref(), content);
        fs::set_permissions(project.path(path), fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        project
    }

    /// Writes `job.lua` with this body of `main`, after the line that requires the module as `job`.
    pub(crate) fn main(self, body: &str) -> Self {
        self.file("job.lua", format!("local job = require \"rille.job\"\nfunction main(runtime)\n{body}\nend\n"))
    }

    /// Sets an environment variable of the processes to come.
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let inner = Arc::get_mut(&mut self.inner).expect("a project is stated before it is used");
        inner.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets what the processes to come read from standard input; without it they read nothing.
    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let inner = Arc::get_mut(&mut self.inner).expect("a project is stated before it is used");
        inner.stdin = Some(bytes.as_ref().to_owned());
        self
    }

    /// Returns the path of a file in the working folder.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join("work").join(path)
    }

    /// Returns the home of the runs.
    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// Returns the folder that holds everything of the project.
    pub(crate) fn root(&self) -> &Path {
        self.inner.root.path()
    }

    /// Returns what a file in the working folder holds.
    #[track_caller]
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Returns the finder of the project's processes.
    pub(crate) fn survivors(&self) -> &Survivors {
        &self.inner.survivors
    }

    /// Returns the runs in the home, in the order of their start.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let folders = fs::read_dir(self.home().join("runs")).into_iter().flatten();
        let folders = folders.map(|folder| folder.expect("it can be listed"));
        // Behind a dot a run is only made.
        let is_seen = |folder: &fs::DirEntry| !folder.file_name().as_encoded_bytes().starts_with(b".");
        let mut runs: Vec<Run> = folders.filter(is_seen).map(|folder| Run::at(folder.path(), self)).collect();
        runs.sort_by_key(|run| (run.try_attr("initialized").and_then(|at| at.as_u64()), run.path().to_owned()));
        runs
    }

    /// Returns the one run in the home.
    #[track_caller]
    pub(crate) fn the_run(&self) -> Run {
        let mut runs = self.runs();
        assert_eq!(runs.len(), 1, "{} should hold one run", self.home().display());
        runs.remove(0)
    }

    /// Makes a command in the working folder, with the project's environment and nothing of the machine but its `PATH`.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        heed_signals();
        let mut command = Command::new(program);
        command
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root().join("user"))
            .env("RILLE_HOME", self.home())
            .env("RILLE_SYSTEM_CONFIG", self.root().join("system.toml"))
            .env("TERM", "dumb")
            .env("LANG", "C.UTF-8")
            .env(MARK, self.inner.survivors.mark())
            .envs(self.inner.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Returns the command that starts rille with these arguments.
    pub(crate) fn rille<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_rille"));
        command.args(args);
        command
    }

    /// Runs rille to its end. No process of the project may be left then.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ended {
        self.start(args).wait()
    }

    /// Runs `rille run job.lua` with these arguments to its end.
    #[track_caller]
    pub(crate) fn job(&self, args: &[&str]) -> Ended {
        self.run(&[&["run", "job.lua"], args].concat())
    }

    /// Starts rille.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> Running {
        self.start_command(self.rille(args))
    }

    /// Starts a command that [`Project::command`] or [`Project::rille`] made. Its standard output and error go to files,
    /// so that neither side ever waits for the other.
    pub(crate) fn start_command(&self, mut command: Command) -> Running {
        let [stdin, stdout, stderr] = self.next_streams();
        command.stdout(File::create(&stdout).expect("a file can be made"));
        command.stderr(File::create(&stderr).expect("a file can be made"));
        match &self.inner.stdin {
            None => command.stdin(Stdio::null()),
            Some(bytes) => {
                fs::write(&stdin, bytes).expect("a file can be written");
                command.stdin(File::open(stdin).expect("it can be read"))
            }
        };
        self.spawn(command, stdout, stderr)
    }

    /// Starts a command with the standard streams that it was given.
    pub(crate) fn start_as_it_is(&self, command: Command) -> Running {
        let [_, stdout, stderr] = self.next_streams();
        for file in [&stdout, &stderr] {
            File::create(file).expect("a file can be made");
        }
        self.spawn(command, stdout, stderr)
    }

    fn spawn(&self, mut command: Command, stdout: PathBuf, stderr: PathBuf) -> Running {
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Running::new(self.clone(), child, stdout, stderr)
    }

    /// Returns the files for what the next process reads and writes.
    fn next_streams(&self) -> [PathBuf; 3] {
        let number = self.inner.processes.fetch_add(1, Ordering::Relaxed);
        ["stdin", "stdout", "stderr"].map(|stream| self.root().join("io").join(format!("{number}.{stream}")))
    }
}

/// Has the programs that tests start heed signals that whoever started the tests has them ignore: a shell ignores SIGINT for
/// what it puts into the background.
fn heed_signals() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM] {
            // SAFETY: the default is no code of this process.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    });
}
