---@meta

--- Walks: actions whose options are combined. `local walk = require "rille.walk"`. A walk takes one option of every action
--- of an order and runs the actions one after the other on a state of its own. Actions, classes and machines are defined at
--- the top level of a file: each worker loads it and finds them by their names.
--- ```lua
--- local Connect = walk.action { name = "Connect", options = { "tcp", "udp" }, run = function(param, state) state.via = param end }
--- local Config = walk.serial_action { name = "Config", options = { 1, 2 }, run = function(param) return { cfg = param } end }
--- local Send = walk.action { name = "Send", options = function() return { 1, 1500 } end, run = function(param, state) … end }
---
--- function main(runtime)
---   local results = walk.run_tests { order = { Connect, Config, Send }, state = { sent = 0 } }
---   print(results.walk_count, results.error_count)
--- end
--- ```
---@class rille.walk
local walk = {}

--- What an action takes as its options: a list, or a function that returns a list or an iterator. It is asked once for a
--- suite, by the host alone. Options are values: booleans, numbers, strings, tables of these, objects of a `walk.class`.
---@alias rille.walk.Options any[]|fun(): any

---@class rille.walk.ActionDefinition
---@field name string                                 # unique in the file
---@field options rille.walk.Options
---@field run fun(param: any, state: any)             # an error fails the walk; what it returns does not count
---@field should_cancel? fun(walk: rille.walk.Instance[], index: integer): boolean?  # true leaves the walk out before it runs
---@field pure? boolean                               # touches nothing but the state: `share = true` may run it once for many walks
---@field snapshot? fun(state: any): any              # keeps what it did outside of the state …
---@field restore? fun(token: any, state: any)        # … and brings it back for the next walk that branches off there

---@class rille.walk.SerialDefinition
---@field name string
---@field options rille.walk.Options
---@field run fun(param: any, state: any): table?     # runs once for a branch, alone; what it returns is merged into the states
---@field should_cancel? fun(walk: rille.walk.Instance[], index: integer): boolean?

--- An action; called with an option it gives an instance for `replay_walk`.
---@class rille.walk.Action
---@field name string
---@field options rille.walk.Options
---@field run fun(param: any, state: any)
---@field is_serial boolean
---@overload fun(param: any): rille.walk.Instance

---@class rille.walk.Instance
---@field action rille.walk.Action
---@field name string
---@field param any

---@param definition rille.walk.ActionDefinition
---@return rille.walk.Action
function walk.action(definition) end

--- An action that affects many walks: every walk before it has ended its part, and none goes on before it has ended.
---@param definition rille.walk.SerialDefinition
---@return rille.walk.Action
function walk.serial_action(definition) end

--- Marks an option as an invalid value: with `cover` a walk holds one such at most.
---@param value any
---@return any
function walk.invalid(value) end

--- Gives an option a weight above 0: with `cover` a heavier one is preferred where that is free.
---@param value any
---@param weight number
---@return any
function walk.weighted(value, weight) end

--- Some actions, each with one of its options or a list of these; it holds where a walk has all of them.
---@alias rille.walk.Condition table<string, any>

--- A constraint: no walk has all of these options. `walk.forbid { OS = "dos", Disk = { 4, 8 } }`
---@param condition rille.walk.Condition
---@return rille.walk.Form
function walk.forbid(condition) end

--- A constraint: a walk of which the first holds has the second as well, and any other one the third, if there is one.
--- `walk.when({ OS = "dos" }, { Disk = { 1, 2 } })`
---@param condition rille.walk.Condition
---@param follows rille.walk.Condition
---@param otherwise? rille.walk.Condition
---@return rille.walk.Form
function walk.when(condition, follows, otherwise) end

--- A constraint: these actions have the same option. `walk.same("Client", "Server")`
---@param first string|string[]
---@param ... string
---@return rille.walk.Form
function walk.same(first, ...) end

--- A constraint: where the condition holds these actions have this option, which says that they do not apply, and nowhere
--- else have they. `walk.not_applicable({ "Port", "Cipher" }, "none", { Link = "off" })`
---@param actions string|string[]
---@param option any
---@param condition rille.walk.Condition
---@return rille.walk.Form
function walk.not_applicable(actions, option, condition) end

---@class rille.walk.Form                              # what `walk.when` and the like make, for `constraints`

---@class rille.walk.ClassDefinition
---@field name string
---@field to_json? fun(object: table): any             # what stands for it in another process; its fields, if there is none
---@field from_json? fun(value: any): table            # makes it again
---@field copy? fun(object: table): table              # copies it for another walk; a deep copy, if there is none
---@field metatable? table                             # one that exists; else one is made, in which methods are found

--- Names a class, so that its objects go between processes. Returns the metatable: `setmetatable({ … }, Class)`.
---@param definition rille.walk.ClassDefinition
---@return table
function walk.class(definition) end

---@class rille.walk.Rule
---@field name string
---@field run fun(param: any, state: any)
---@field options? rille.walk.Options
---@field precondition? fun(state: any, param: any): boolean?
---@field weight? number                               # how often it is chosen, 1 if it is not said

---@class rille.walk.MachineDefinition
---@field name string
---@field init fun(): any                              # makes the state with which a walk begins
---@field rules rille.walk.Rule[]
---@field invariants? table<string, fun(state: any): boolean?>  # false or an error after a step fails the walk

---@class rille.walk.Machine

--- Random walks: each step is a rule whose precondition holds. Which steps follows from the seed and the walk's id alone.
---@param definition rille.walk.MachineDefinition
---@return rille.walk.Machine
function walk.machine(definition) end

--- Ends the walk in whose action it is called, without an error.
---@param reason? any
function walk.cancel(reason) end

---@class rille.walk.RunOptions
---@field order? rille.walk.Action[]
---@field machine? rille.walk.Machine                  # in place of an order; `sample` says how many walks
---@field max_steps? integer                           # of a walk over a machine; 50 if it is not said
---@field state? any                                   # of which every walk gets a copy
---@field workers? integer                             # processes; one a CPU if it is not said
---@field verbose? 0|1|2                               # what is told and shown of the log: warnings, information, or debug records
---@field log_dir? string                              # the folder for traces
---@field max_walk_runtime? number                     # seconds that one portion of a walk, or a serial action, may take
---@field max_failures? integer                        # no more walks are started once so many have failed
---@field gather_states? boolean
---@field seed? integer
---@field sample? integer                              # so many walks, drawn among those that are allowed
---@field shard? string                                # "1/3": a third of the walks, the same ones everywhere
---@field should_cancel? fun(walk: rille.walk.Instance[], id: integer): boolean?
---@field constraints? rille.walk.Constraint|rille.walk.Constraint[]  # which walks are allowed; they hold while a cover is made
---@field cover? integer|rille.walk.Cover            # few walks that have every combination of the options of so many actions
---@field coverage? integer|integer[]                 # of the options of how many actions the coverage is told; 2 if it is not said
---@field shrink? boolean                             # runs shorter walks to find the shortest for each way of failing
---@field share? boolean                              # the common prefix of walks runs once, where actions are `pure`

--- What a walk is allowed: a function over the whole walk, or the names of actions and a function over their options, which is
--- asked for all of these before walks are chosen: `{ "OS", "Disk", function(os, disk) return os ~= "dos" or disk <= 2 end }`; or
--- what `walk.when`, `walk.forbid`, `walk.same` and `walk.not_applicable` make. A function must say the same whenever it is asked.
---@alias rille.walk.Constraint (fun(walk: rille.walk.Instance[]): boolean?)|any[]|rille.walk.Form

---@class rille.walk.Cover
---@field t? integer                                   # of how many actions every combination is covered, 2 if it is not said
---@field strength? table[]                            # some actions with their own: `{ { "CPU", "RAM", "Disk", t = 3 } }`
---@field seed_rows? table<string, any>[]              # walks that are to be among them: `{ { OS = "linux" } }`
---@field budget? number                               # seconds that may be spent on fewer walks; what they gained is told
---@field looks? integer                               # how far that search goes, counted: the same walks on every machine

--- What became of the combinations of options: `passed`, `failed` and `not_run` make up `total`.
---@class rille.walk.Coverage
---@field total integer                                # that some allowed walk has
---@field passed integer                               # in a walk that passed
---@field failed integer                               # in walks that failed, of which none passed
---@field not_run integer                              # in no walk that ran to its end
---@field impossible integer                           # that no allowed walk has
---@field gaps string[]                                # the first of those that did not run

---@class rille.walk.Results
---@field walk_count integer
---@field error_count integer
---@field segment_count integer
---@field action_count integer
---@field elapsed number
---@field states? table<integer, any>                  # by the ids of the walks, which begin with 0; `#states` counts them
---@field state_errors? table<integer, string>         # why a walk has no state here
---@field logs { master: string, remote: table<integer, string> }
---@field failed_tests integer[]
---@field cancelled_tests integer[]
---@field excluded_tests integer[]
---@field coverage? table<integer, rille.walk.Coverage>  # by the number of actions whose options are combined
---@field causes? { options: string, failed: integer, passed: integer }[]  # what failing walks share, and how many walks have it
---@field stopped? string                              # why not all were run
---@field not_run? integer
---@field seed? integer

--- Runs the walks of an order, or random ones over a machine. Only `main` may.
---@param options rille.walk.RunOptions
---@return rille.walk.Results
function walk.run_tests(options) end

---@class rille.walk.ReplayOptions
---@field state? any                                   # in place of the state that the trace names
---@field step? boolean                                # wait for Enter after each action

--- Runs one walk again. Raises `walk` if it fails; returns the state at its end, and "passed" or "cancelled".
---@param walk rille.walk.Instance[]
---@param options? rille.walk.ReplayOptions
---@return any state
---@return string outcome
function walk.replay_walk(walk, options) end

--- The same for a walk of a trace: the path of a trace or a master file, or the logs of the results.
---@param logs string|table
---@param id integer
---@param options? rille.walk.ReplayOptions
---@return any state
---@return string outcome
function walk.replay(logs, id, options) end

return walk
