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
---@field testbed table|nil            # what the file of `--testbed` holds

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
