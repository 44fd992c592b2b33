---@meta

--- Kinds of runnables that are written in Lua: `local runner = require "rille.runner"`, in a file named
--- `avocado-runner-KIND.lua` that lies in the working folder, in a folder of `RILLE_PATH`, or on the `PATH`.
--- `rille runner install DIR --kind KIND` links rille as `avocado-runner-KIND`, so that Avocado finds the kind as well.
---@class rille.runner
local runner = {}

--- What is to be run.
---@class rille.KindRunnable
---@field kind string
---@field uri string?
---@field args string[]
---@field kwargs table<string, any>
---@field config table<string, any>
---@field identifier string?
---@field output_dir string?    # the folder for what the task leaves

--- What is said while it runs.
---@class rille.RunningMessage
---@field status? "running"
---@field type? "log"|"stdout"|"stderr"|"whiteboard"|"output"|"file"   # without it the message only says that the runner is alive
---@field log? string           # what is said; any bytes
---@field path? string          # for `file`: the file it is appended to, relative to the task's folder
---@field log_name? string      # for `log`: the logger
---@field log_level? integer    # for `log`: the level as Python's numbers
---@field log_levelname? string

--- How it ended.
---@class rille.KindResult
---@field result "pass"|"fail"|"error"|"skip"|"cancel"|"warn"|"interrupted"
---@field fail_reason? string
---@field returncode? integer
---@field class_name? string
---@field fail_class? string
---@field traceback? string

--- Defines a kind. The function runs a runnable in a process of its own and returns how that ended: a table, a status, or
--- nothing for a pass. A failed assertion makes it a failure, any other error an error.
---@param name string
---@param run fun(runnable: rille.KindRunnable, emit: fun(message: rille.RunningMessage)): rille.KindResult|string|boolean|nil
function runner.kind(name, run) end

return runner
