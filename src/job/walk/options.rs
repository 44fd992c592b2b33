//! How walks are run, as `run_tests`, the command line and the files of settings say it.

use std::path::PathBuf;

/// What is asked for; what is `None` is not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct WalkOptions {
    /// How many workers.
    pub(crate) workers: Option<u32>,
    /// How much is said: 0, 1 or 2.
    pub(crate) verbose: Option<u8>,
    /// The folder for traces.
    pub(crate) log_dir: Option<PathBuf>,
    /// Seconds that a portion of a walk may take.
    pub(crate) max_walk_runtime: Option<f64>,
    /// After how many failing walks no more are started.
    pub(crate) max_failures: Option<u64>,
    /// The seed of what is drawn.
    pub(crate) seed: Option<i64>,
    /// How many walks are drawn.
    pub(crate) sample: Option<u64>,
    /// Which shard is run, as `1/3`.
    pub(crate) shard: Option<String>,
    /// The options of how many actions are combined.
    pub(crate) cover: Option<u32>,
    /// Failing walks are reduced to the shortest that fail.
    pub(crate) shrink: Option<bool>,
    /// The common prefix of walks runs once.
    pub(crate) share: Option<bool>,
    /// The state of each walk is wanted.
    pub(crate) gather_states: Option<bool>,
}

impl WalkOptions {
    /// Returns what is said here, and where nothing is what another says.
    pub(crate) fn or(self, other: &WalkOptions) -> WalkOptions {
        WalkOptions {
            workers: self.workers.or(other.workers),
            verbose: self.verbose.or(other.verbose),
            log_dir: self.log_dir.or_else(|| other.log_dir.clone()),
            max_walk_runtime: self.max_walk_runtime.or(other.max_walk_runtime),
            max_failures: self.max_failures.or(other.max_failures),
            seed: self.seed.or(other.seed),
            sample: self.sample.or(other.sample),
            shard: self.shard.or_else(|| other.shard.clone()),
            cover: self.cover.or(other.cover),
            shrink: self.shrink.or(other.shrink),
            share: self.share.or(other.share),
            gather_states: self.gather_states.or(other.gather_states),
        }
    }
}

/// What the settings of a run say of walks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct WalkSettings {
    /// What the command line asks for: it wins over `run_tests`.
    pub(crate) forced: WalkOptions,
    /// What files of settings ask for: `run_tests` wins over it.
    pub(crate) usual: WalkOptions,
}
