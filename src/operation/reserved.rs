//! The attributes of a run that say what the run is: nobody but the run writes them.

/// Their names: those of Guild, and those that Rille's runs have beside them.
const OF_THE_RUN: [&str; 31] = [
    "archive",
    "cmd",
    "comments",
    "compare",
    "deps",
    "env",
    "exit_status",
    "flags",
    "host",
    "id",
    "initialized",
    "label",
    "marked",
    "objective",
    "op",
    "pip_freeze",
    "platform",
    "r_packages_loaded",
    "r_sys_info",
    "random_seed",
    "rerun_of",
    "resumed",
    "run_params",
    "sourcecode_digest",
    "started",
    "started_in",
    "stopped",
    "tags",
    "user",
    "user_flags",
    "vcs_commit",
];

/// Returns whether an attribute of this name is the run's own.
pub(crate) fn is_of_the_run(name: &str) -> bool {
    OF_THE_RUN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_guild_reserves_is_reserved() {
        let core = "cmd deps env exit_status flags host id initialized label op pip_freeze platform random_seed \
                    run_params sourcecode_digest started stopped user user_flags vcs_commit r_sys_info r_packages_loaded";
        assert!(core.split_whitespace().all(is_of_the_run));
        assert!(!is_of_the_run("owner") && OF_THE_RUN.is_sorted());
    }
}
