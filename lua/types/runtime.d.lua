---@meta

--- What `main` is called with: the run as the jobfile sees it. Reading a field that is not listed, or setting one that
--- cannot be set, raises `usage`.
---@class rille.Runtime
---@field job rille.RuntimeJob
---@field tasks rille.RuntimeTasks
---@field directory string             # the absolute path of the run directory
---@field archive string|nil           # the path of the archive that is made at the end (`--archive`), or nil
---@field args table<string, any>      # the options of `rille run`, by name with `_` for `-`; nil where not given
---@field argv string[]                # the arguments that are handed on to the jobfile, in their order
---@field env table<string, string>    # the environment of `rille`; changes to this table reach no task
---@field meta table<string, string>   # the metadata of the run: `--meta KEY=VALUE`, `[meta]` of `rille.toml`
---@field testbed table|nil            # what the file of `--testbed` holds
---@field synchro rille.Synchro        # makes objects that `main` and the tasks share
local Runtime = {}

---@class rille.RuntimeJob
---@field name string                  # the reporting name; can be set. Default: the jobfile's name without `.lua`
---@field uid string                   # the run's id, 32 hexadecimal digits
---@field file string                  # the absolute path of the jobfile
---@field file_hash string             # SHA-256 of the jobfile, hexadecimal
---@field starttime string             # RFC 3339, UTC, microseconds
---@field stoptime nil                 # nil as long as `main` runs
---@field elapsedtime number           # seconds since the start
---@field result rille.Result|nil      # the roll-up of the tasks that have ended; nil if none has

--- Every task that was made, in that order: `#tasks`, `tasks[i]`, `ipairs(tasks)`, `pairs(tasks)`.
---@class rille.RuntimeTasks: { [integer]: rille.TaskRow }
---@field active rille.TaskRow[]       # started and not ended
---@field errors rille.TaskRow[]       # ended neither passed, passx nor skipped
---@field result rille.Result|nil      # the roll-up of the tasks that have ended; nil if none has
local Tasks = {}

--- Asks every task that is alive to end, and does not wait for it.
function Tasks:terminate() end

--- A task as it is now; it does not change afterwards.
---@class rille.TaskRow
---@field taskid string
---@field pid integer|nil
---@field result rille.Result|nil      # nil until it has ended
---@field error string|nil             # why it did not pass

--- Adds a plugin. `pre_job` is called before the first task starts (of a plugin added later: at once), `post_job` after the
--- last has ended; `pre_task` and `post_task` around every task that starts from then on. The `pre_` stages run in
--- ascending order of `order`, the `post_` stages in descending order. They run in the host, whenever `main` waits.
---
--- An error in a stage makes the run errored and its exit code 3. In `pre_job` it keeps the job from running: every
--- later `run` raises kind `plugin`. In `pre_task` the task is blocked, in `post_task` it is errored. The `post_` stage of
--- a plugin is called if its `pre_` stage was, also where that failed. `--plugin-timeout` limits each call.
---@param plugin rille.Plugin
function Runtime.plugin(plugin) end

---@class rille.Plugin
---@field name string                  # unique
---@field order? number                # default 100
---@field pre_job? fun(job: rille.RuntimeJob)
---@field pre_task? fun(task: rille.PluginTask)
---@field post_task? fun(task: rille.PluginTask)
---@field post_job? fun(job: rille.RuntimeJob)

--- A task as plugins see it: the same table in `pre_task` and `post_task`, so that they can keep things in it.
---@class rille.PluginTask: table<string, any>
---@field taskid string
---@field number integer
---@field testscript string|table      # as the jobfile gave it
---@field kwargs table<string, any>    # its parameters
---@field result rille.Result          # in `post_task`
---@field pid integer|nil              # in `post_task`
