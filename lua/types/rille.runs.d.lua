---@meta

--- The runs of the home, to read: `local runs = require "rille.runs"`. In a task they are those of the home that its run
--- is in.
---@class rille.runs
local runs = {}

---@class rille.RunOptions
---@field filter? string    # which runs: `"status = completed and (lr > 0.1 or tag = best)"`, as for `rille runs -F`
---@field limit? integer    # at most so many, the newest

--- A run. Reading a field that no run has is an error.
---@class rille.Run
---@field id string
---@field path string                                # the run directory
---@field status "running"|"completed"|"error"|"terminated"|"staged"|"pending"|"lost"|"corrupt"
---@field operation string?                          # `model:op`, or `op`
---@field label string?
---@field tags string[]
---@field marked boolean
---@field started number?                            # seconds since 1970
---@field stopped number?
---@field exit_status integer?                       # 0, an exit code, or a signal's number negated
---@field flags table<string, any>
---@field attrs table<string, any>                   # every attribute, read when it is first asked for
---@field scalars table<string, number>              # the last value of each, by `tag` or `prefix#tag`

--- Returns runs, newest first.
---@param options? rille.RunOptions
---@return rille.Run[]
function runs.list(options) end

--- Returns the run that is meant: an id or the beginning of one, a path, or `latest`. Raises an error if there is none.
---@param id string
---@return rille.Run
function runs.get(id) end

return runs
