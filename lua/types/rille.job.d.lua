---@meta rille.job

--- Runs tasks from a jobfile. A task is one process; it ends with a result, and leaves its output in the run directory.
---
--- Nothing here may be called while the file is loading, but from `main(runtime)`, which is called once:
--- ```lua
--- local job = require "rille.job"
---
--- ---@param runtime rille.Runtime
--- function main(runtime)
---   local ok, result = job.run { testscript = "connect.lua", device = "sw1" }
---   if not ok then print(result, result.reason) end
--- end
--- ```
---@class rille.job
local job = {}

--- How something ended. In a roll-up the strongest wins, in this order:
--- `aborted`, `errored`, `failed`, `blocked`, `passx`, `passed`, `skipped`.
---@alias rille.Outcome
---| "passed"   # did what it should
---| "failed"   # says itself that it did not: a failed assertion, exit code 1
---| "errored"  # a crash, a signal, any other exit code, a time limit, a script that cannot be run
---| "aborted"  # ended from outside: `terminate`, Ctrl-C
---| "blocked"  # could not start, since a task that it needs did not pass
---| "skipped"  # left out on purpose
---| "passx"    # passed with a remark: at a later attempt, or because the script says so

--- What is run, and how. Every key that is not listed here is a parameter of the script: a plain value or a table of
--- plain values. A Lua script finds the parameters in `parameters`, an executable in environment variables of the same
--- name, in which tables are JSON.
---
--- A wrong value does not raise: the task is `errored`, with the line and the remedy as its reason.
---@class rille.TaskDefinition
---
--- The script: a path, looked for beside the jobfile and then in the working folder; the name of a program on the PATH;
--- or a recipe, as a table or as the path of a `.json` file.
---@field testscript string|rille.Recipe
---
--- The id in reports and for `needs`; unique in the run. `/` becomes `_`. Default: `Task-N`, N counting every task made.
---@field taskid? string
---
--- Accepted and without effect.
---@field runtime? any
---
--- Seconds that one attempt may take; fractions are allowed; above 0. Past it the task is asked to end by SIGTERM and,
--- after the grace of `--grace` (2 s), killed, with all its descendants. Default: no limit.
---@field max_runtime? number
---
--- How the script is run. Default: `lua` for a `.lua` file, else `exec-test`, a program; a `.py` file is run by `python3`.
---@field kind? "lua"|"exec-test"
---
--- Command-line arguments; a Lua script finds them in `arg`.
---@field args? string|(string|number)[]
---
--- Environment variables on top of those of `rille`; `false` removes one.
---@field env? table<string, string|number|false>
---
--- The working folder, relative to the jobfile. Default: the task's own folder in the run directory.
---@field cwd? string
---
--- A file for standard input, relative to the jobfile. Default: `/dev/null`.
---@field stdin? string
---
--- How many more attempts there are while it is `failed` or `errored`. A pass at a later attempt is `passx`. Default: 0.
---@field retries? integer
---
--- Ids of tasks that must pass before it starts; if one of them does not, it is `blocked`.
---@field needs? string|string[]
---
--- How much of each resource it holds while it runs: whole numbers, or sizes such as `"4G"`. There are as many `cpus`,
--- `gpus` and bytes of `mem` as the machine has, and 1 of any other; `--resource NAME=N` says otherwise. The numbers of
--- the pieces it got stand in the environment variable `RILLE_SLOTS_<NAME>`, for `gpus` in `CUDA_VISIBLE_DEVICES` too.
---@field resources? table<string, integer|string>
---
--- Labels to choose tasks by with `--tags`.
---@field tags? string|string[]
---
--- Which testcases of a testscript run, by uid: an expression such as `"sweep* and not Ping"`, a list of patterns, or a
--- function that is called with uid and groups of each. `--uids` wins.
---@field uids? string|string[]|fun(uid: string, groups: string[]): boolean
---
--- The same by group: `"sanity and not (slow or flaky)"`. `--groups` wins.
---@field groups? string|string[]|fun(uid: string, groups: string[]): boolean
---
--- What is set of the sections of a testscript before they run: a YAML file, beside the jobfile or in the working folder, or
--- what one would hold; see `ts.datafile`. `--datafile` wins.
---@field datafile? string|table
---
---@field [string] any

--- A runnable as data. An unknown key makes the task `errored`.
---@class rille.Recipe
---@field kind "lua"|"exec-test"
---@field uri string                   # the script or program
---@field args? string[]               # command-line arguments
---@field kwargs? table<string, any>   # parameters
---@field config? table<string, any>   # `["runner.exectest.exitcodes.skip"] = { 77 }`: these exit codes mean skipped
---@field tags? table<string, any>
---@field dependencies? table[]
---@field identifier? string

--- How a task ended. `tostring(result)` is its value; two results are equal if their values are, and none is equal to a
--- text: write `result.value == "failed"`. `if result then` holds for every result, as any object is true in Lua.
---@class rille.Result
---@field ok boolean           # true for `passed` and `passx`
---@field value rille.Outcome
---@field code 0|1|2|3|4|5|8   # failed 0, passed 1, aborted 2, blocked 3, skipped 4, errored 5, passx 8
---@field reason string|nil    # why; nil for one that simply passed, or a roll-up
---@field data any             # the third value that a Lua script returned, as far as another process can have it; `kind` and `traceback` of an error it raised

--- What is raised here, and by `assert` in every file that Rille runs. `tostring(err)` begins with file and line.
--- `error("text")` of your own raises the text itself, as in any Lua. The methods of strings are there as well:
--- `err:match("…")`, `err .. "x"`, `#err`.
---@class rille.Error
---@field message string
---@field file string|nil
---@field line integer|nil
---@field kind
---| "timeout"     # a time limit ended the task
---| "definition"  # an argument is not what the function takes
---| "usage"       # called where it makes no sense: while the file is loading, `wait` before `start`, an unknown field
---| "cancelled"   # the run was asked to stop by a signal
---| "storage"     # the run can no longer be recorded
---| "assertion"   # a failed `assert`
---| "exit"        # the jobfile called os.exit
---| "syntax"      # a file cannot be compiled
---| "error"       # any other

--- Runs one task and waits for its end.
---
--- Raises `timeout` when its `max_runtime` ended it, `cancelled` after a signal, `definition` for an argument that is no
--- table, `usage` while the file is loading or when it needs a task that was never started.
---@param definition rille.TaskDefinition
---@return boolean ok           # true for `passed` and `passx`
---@return rille.Result result
function job.run(definition) end

--- Makes a task without starting it. It is ended and reported as dangling if it is alive when `main` returns.
---
--- Raises `definition` for an argument that is no table.
---@param definition rille.TaskDefinition
---@return rille.Task
function job.Task(definition) end

---@class rille.Parallel: { [integer]: rille.TaskDefinition }
---@field limit? integer   # how many run at once, from 1. Default: the number of CPUs, or that of `-j`

--- Runs a list of tasks, some of them at once, and waits for all. A time limit does not raise: that task's result is
--- `errored`.
---
--- Raises `definition` for an item that is missing (a list has no holes) or no table, and for a limit that is no whole
--- number from 1, else as `run`.
---@param list rille.Parallel
---@return rille.Result[] results   # in the order of the list
function job.parallel(list) end

--- Waits for tasks that were started.
---
--- Raises `timeout` when a time limit ended one of them, `usage` for one that was not started or is missing, else as `run`.
---@param tasks rille.Task[]
---@param max_runtime? number   # seconds for all of them, from 0; past it those still alive are ended. Default: no limit
---@return rille.Result[] results   # in the order of the list
function job.wait_all(tasks, max_runtime) end

--- Rolls results up to one: the strongest.
---
--- Raises `usage` for an item that is neither a result nor the value of one, or is missing.
---@param list (rille.Result|rille.Outcome)[]
---@return rille.Result|nil result   # nil for an empty list
function job.rollup(list) end

--- A task that the jobfile starts, watches and ends itself. No field can be set.
---@class rille.Task
---@field taskid string
---@field name string                    # the same
---@field kwargs table<string, any>      # the parameters
---@field testscript string|rille.Recipe # as it was given
---@field result rille.Result|nil        # nil until it has ended; then ask task.result.ok: the result itself is always true
---@field pid integer|nil                # of its first or present process; nil before there is one
---@field exitcode integer|nil           # 0 to 255, or the number of the signal negated; nil until it has ended
---@field error string|nil               # why it was ended from outside, if it was
local Task = {}

--- Starts it. It runs at once unless `-j`, `needs` or `resources` hold it back.
---
--- Raises `usage` if it was started before or the file is loading.
function Task:start() end

--- Waits for its end, and ends it when that takes too long.
---
--- Raises `timeout` when a time limit ended it, `usage` before `start`, `cancelled` after a signal.
---@param max_runtime? number   # seconds from now, from 0. Default: no limit
---@return boolean ok           # true for `passed` and `passx`
---@return rille.Result result
function Task:wait(max_runtime) end

--- Waits for its end, and leaves it alone when that takes too long.
---
--- Raises `usage` before `start`, `cancelled` after a signal.
---@param timeout? number     # seconds, from 0. Default: no limit
---@return boolean has_ended
function Task:join(timeout) end

--- Returns whether it was started and has not ended.
---@return boolean
function Task:is_alive() end

--- Asks it and its descendants to end, and does not wait for it; harmless before `start` and after its end. Its result
--- is `aborted`.
function Task:terminate() end

return job
