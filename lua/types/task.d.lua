---@meta

--- What a Lua script finds when it runs as a task. It runs in a process and a working folder of its own. `print` and what
--- its children write are kept in the files `stdout` and `stderr` of that folder, and together with what it logs in
--- `task.log`; what it prints is shown on the console too.
---
--- It ends as `passed` when it reaches its end or returns true, as `failed` by a failed `assert` or `return false`, and
--- as `errored` by any other error or by `os.exit`. It may return more, up to three values:
--- ```lua
--- return "skipped", "no device", { tried = 3 }   -- an outcome, a reason, and data: plain values
--- ```
--- A script that defines sections by `require "rille.testscript"` runs them after its top level; what it returns does not
--- count then.
---
--- `require` looks beside the script, in the project folder and in `RILLE_PATH`. A name that is neither standard nor
--- listed here must be declared (`local`), or the script is not run; `global *` as its first line turns that off.

--- The parameters: every key of `run {}` or `Task {}` that is not reserved, and `testbed` if there is one. It is also the
--- script's first argument (`...`).
---@type table<string, any>
parameters = {}

--- The command-line arguments of the task (`args`).
---@type string[]
arg = {}

--- The run as a task sees it; reading a field that is not listed, or setting one, raises `usage`.
---@type rille.TaskRuntime
runtime = {}

---@class rille.TaskRuntime
---@field job { name: string, uid: string, file: string, file_hash: string, starttime: string }  # as at the task's start
---@field task { taskid: string }
---@field directory string             # the absolute path of the run directory
---@field argv string[]                # the arguments that are handed on to the jobfile
---@field meta table<string, string>   # the metadata of the run: `--meta KEY=VALUE`, `[meta]` of `rille.toml`
---@field testbed table|nil            # what the file of `--testbed` holds
---@field synchro rille.Synchro        # makes objects to share, if `main` made one before this task was started
