-- Parameters: those of the script, those of a testcase above them, what the jobfile and the command line say above both,
-- and the values of a loop's turn above all. A function among them is evaluated when it is read.
local core = ...
local host = core.host
local next, pairs, rawset, setmetatable, sort, type = next, pairs, rawset, setmetatable, table.sort, type

-- What the jobfile and the command line have set.
local given = host.parameters
-- The script's own, `ts.parameters`; while the sections run also what was given.
local script = {}
core.script_parameters = script

-- `ts.parameters { speed = 9600 }` sets defaults; `ts.parameters.speed` reads and writes one.
setmetatable(script, {
  __name = "rille.testscript.parameters",
  __call = function(_, defaults)
    core.dotted(defaults, "parameters")
    if type(defaults) ~= "table" then
      host.definition_error("parameters takes a table, parameters { name = value }, not a " .. type(defaults))
    end
    for name, value in pairs(defaults) do
      if type(name) ~= "string" then host.definition_error("the names of parameters are strings") end
      if not core.is_running or given[name] == nil then script[name] = value end
    end
    return script
  end,
})

-- Lays what was given over the script's defaults, once all definitions are read.
function core.settle_parameters()
  for name, value in next, given do script[name] = value end
end

-- Returns the parameters of a testcase or of common setup or cleanup.
function core.own_parameters(definition, values)
  local own = {}
  for name, value in next, definition.parameters or {} do
    if given[name] == nil then own[name] = value end
  end
  for name, value in next, values or {} do own[name] = value end
  return setmetatable(own, { __index = script, __name = "parameters" })
end

local warned = {}

-- Warns of a parameter that is none but looks like one.
local function missing(own, name)
  if type(name) ~= "string" or warned[name] then return end
  warned[name] = true
  local known = {}
  for _, source in pairs { own, script } do
    for other in next, source do known[#known + 1] = other end
  end
  sort(known)
  local near = host.nearest(name, known)
  if near then host.log("WARNING", ("there is no parameter '%s'; did you mean '%s'?"):format(name, near)) end
end

-- Returns the metatable of `p` in the sections of one testcase.
function core.parameter_reader(own, self)
  return {
    __name = "parameters",
    __index = function(p, name)
      local value = own[name]
      if type(value) == "function" then
        value = value(self)
        rawset(p, name, value)
      elseif value == nil then
        missing(own, name)
      end
      return value
    end,
    __pairs = function(p)
      host.note_all_read()
      local all = {}
      for _, source in ipairs { script, own } do
        for name in next, source do all[name] = p[name] end
      end
      for name, value in next, p do all[name] = value end
      return next, all, nil
    end,
  }
end
