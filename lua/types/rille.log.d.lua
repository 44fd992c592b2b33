---@meta

--- Loggers by dotted name: `local log = require "rille.log"`. A level that is set for a logger holds for all below it
--- (`lib` for `lib.part`); where none is set, `INFO` holds. Levels set in the jobfile hold in the tasks that start from
--- then on. The records of a task stand in its `task.log`, those of the jobfile in `job.log` and on the
--- console, those of an operation in its standard error; there the variable `LOG_LEVEL` says what holds at the beginning.
---@class rille.log: rille.Logger
---@field root rille.Logger            # the logger above all others; `log:info(…)` and `log.info(…)` are `log.root:info(…)`
local log = {}

--- Returns the logger of this name, the same one for the same name. `""` and `"root"` name the root.
---@param name string
---@return rille.Logger
function log.get(name) end

---@alias rille.Level "DEBUG"|"INFO"|"WARNING"|"ERROR"|"CRITICAL"

---@class rille.Logger
---@field name string
local Logger = {}

--- Log a text of one line or several; with further arguments it is a format for `string.format`. A table is its content.
---@param text any
---@param ... any
function Logger:debug(text, ...) end
---@param text any
---@param ... any
function Logger:info(text, ...) end
---@param text any
---@param ... any
function Logger:warning(text, ...) end
---@param text any
---@param ... any
function Logger:error(text, ...) end
---@param text any
---@param ... any
function Logger:critical(text, ...) end

---@param level rille.Level
---@param text any
---@param ... any
function Logger:log(level, text, ...) end

--- Records below this level are left out; nil takes the level away, so that of the logger above holds.
---@param level rille.Level|nil
---@return rille.Logger self
function Logger:set_level(level) end

--- Returns the level that holds.
---@return rille.Level
function Logger:level() end

--- Returns whether a record of this level would be kept.
---@param level rille.Level
---@return boolean
function Logger:is_enabled(level) end

return log
