---@meta

--- What can be run, as data: `local runnable = require "rille.runnable"`.
---@class rille.runnable
local runnable = {}

--- The keys of a runnable. Its JSON form is a recipe.
---@class rille.RunnableFields
---@field kind string                                     # which runner runs it: `"lua"`, `"exec-test"`, `"tap"`, …
---@field uri? string                                     # what it runs, for most kinds a path
---@field args? string[]                                  # arguments
---@field kwargs? table<string, any>                      # parameters by name
---@field config? table<string, any>                      # settings of the runner
---@field tags? string|string[]|table<string, true|string|string[]>  # labels: `{ "fast", "net:ip" }` or `{ fast = true, net = { "ip" } }`
---@field dependencies? table[]                           # what must have passed before: `{ { type = "package", name = "gcc" } }`
---@field identifier? string                              # the name to report it by
---@field variant? table                                  # parameters of one variant, as a varianter dumps them

--- A runnable. It can be handed to `job.run`, `job.Task` and `job.parallel`, and be the `testscript` of a task. Its fields
--- cannot be set.
---@class rille.Runnable: rille.RunnableFields
---@field name string                                     # the identifier, or what stands for it
local Runnable = {}

--- Writes the recipe to a file, which Avocado can read as well.
---@param path string
function Runnable:to_recipe(path) end

--- Makes a runnable.
---@param fields rille.RunnableFields
---@return rille.Runnable
function runnable.Runnable(fields) end

--- Reads a recipe file, from beside the file that asks or from the working folder. A file with a list of recipes gives a
--- list of runnables.
---@param path string
---@return rille.Runnable|rille.Runnable[]
function runnable.from_recipe(path) end

return runnable
