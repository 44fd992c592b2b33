-- `require "rille.walk"`: actions, serial actions, classes and machines, and the reading of `run_tests`.
-- Called once for each VM with `host`: the functions that only Rust can give.
local host = ...

local error, ipairs, next, pairs, pcall = error, ipairs, next, pairs, pcall
local rawget, select, setmetatable, getmetatable, tostring, type = rawget, select, setmetatable, getmetatable, tostring, type
local format, concat, sort = string.format, table.concat, table.sort
local mtype = math.type

-- More options than this are taken for a generator that does not end.
local MOST_OPTIONS <const> = 1000000

local actions, machines = {}, {}
local classes = { by_metatable = {}, by_name = {} }

local function shown(value)
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return host.shown(value)
end

local walk = {}

-- Fails if a function of the module was called with a colon, so that its first argument is the module.
local function dotted(first, name)
  if first == walk then
    host.usage_error(format("'%s' is a function of rille.walk; write walk.%s(…), with a dot", name, name))
  end
end

-- What a definition may hold: a name for each key, and the types that are right.
local ACTION <const> = {
  name = "string", options = "table or function", run = "function", should_cancel = "function", pure = "boolean",
  snapshot = "function", restore = "function",
}
local SERIAL <const> = { name = "string", options = "table or function", run = "function", should_cancel = "function" }
local CLASS <const> = { name = "string", to_json = "function", from_json = "function", copy = "function", metatable = "table" }
local MACHINE <const> = { name = "string", init = "function", rules = "table", invariants = "table" }
local RULE <const> = {
  name = "string", options = "table or function", run = "function", precondition = "function", weight = "number",
}

local function names_of(keys)
  local names = {}
  for name in pairs(keys) do names[#names + 1] = name end
  sort(names)
  return names
end

-- Checks the shape of a definition; `what` is how it is called in errors.
local function check(what, definition, keys, needed)
  dotted(definition, what:match("^walk%.(.*)$"))
  if type(definition) ~= "table" then
    host.definition_error(format("%s takes a table of named values, not %s: %s { name = \"…\", … }", what, shown(definition), what))
  end
  local known = names_of(keys)
  local given = {}
  for key in pairs(definition) do given[#given + 1] = host.text(key) end
  sort(given)
  local named = type(definition.name) == "string" and format("%s '%s'", what, definition.name) or what
  for _, key in ipairs(given) do
    local wanted = keys[key]
    if not wanted then
      local near = host.nearest(key, known)
      host.definition_error(format("%s has no key '%s'; %s", named, key,
        near and format("did you mean '%s'?", near) or "it has: " .. concat(known, ", ")))
    end
    local found = type(definition[key])
    if found ~= wanted and not (wanted == "table or function" and (found == "table" or found == "function")) then
      host.definition_error(format("%s: %s is a %s, not %s", named, key, wanted, shown(definition[key])))
    end
  end
  for _, key in ipairs(needed) do
    if definition[key] == nil then host.definition_error(format("%s has no %s; give it one", named, key)) end
  end
  if definition.name == "" then host.definition_error(what .. ": the name is empty") end
end

local Action, Instance = { __name = "action" }, { __name = "action instance" }

local FIELDS <const> = { "name", "options", "run", "is_serial" }
function Action:__index(key)
  local near = type(key) == "string" and host.nearest(key, FIELDS)
  host.usage_error(format("an action has no field '%s'; %s", host.text(key),
    near and format("did you mean '%s'?", near) or "it has: " .. concat(FIELDS, ", ")))
end
function Action:__newindex(key)
  host.usage_error(format("action '%s': %s cannot be set; it stands as it was defined", self.name, host.text(key)))
end
function Action:__tostring()
  return format("%s '%s'", self.is_serial and "serial action" or "action", self.name)
end
-- An action with one of its options, for `replay_walk`.
function Action:__call(param)
  return setmetatable({ action = self, name = self.name, param = param }, Instance)
end
function Instance:__tostring()
  return format("%s(%s)", self.name, type(self.param) == "string" and format("%q", self.param) or host.text(self.param))
end

local function add_action(what, definition, keys, is_serial)
  check(what, definition, keys, { "name", "options", "run" })
  local name, place = definition.name, host.place()
  local other = actions[name]
  if other then
    host.definition_error(format("there are two actions named '%s': %s and %s; a name stands for one action", name, other.place, place))
  end
  local snapshot, restore = definition.snapshot, definition.restore
  if (snapshot == nil) ~= (restore == nil) then
    host.definition_error(format("%s '%s' has %s but no %s; the two go together", what, name,
      snapshot and "snapshot" or "restore", snapshot and "restore" or "snapshot"))
  end
  local action = setmetatable({
    name = name, options = definition.options, run = definition.run, is_serial = is_serial,
    should_cancel = definition.should_cancel or false, pure = definition.pure or false,
    snapshot = snapshot or false, restore = restore or false, place = place, is_late = not host.is_loading(),
  }, Action)
  actions[name] = action
  return action
end

local Marked = { __name = "marked option" }

-- Reads the options of an action: a list, or a function that gives a list or an iterator. It is asked once for a suite.
local function options_of(what, options)
  local values, weights, invalid = {}, {}, {}
  local count = 0
  local function add(value)
    count = count + 1
    if count > MOST_OPTIONS then
      host.definition_error(format("%s has more than %d options; does its generator end?", what, MOST_OPTIONS))
    end
    weights[count], invalid[count] = 1, false
    if getmetatable(value) == Marked then
      weights[count], invalid[count] = value.weight or 1, value.invalid or false
      value = value.value
    end
    values[count] = value
  end
  local iterate, state, control = options, nil, nil
  if type(options) == "function" then
    local ok, problem
    ok, iterate, state, control = host.protected(options)
    if not ok then host.generator_error(what, iterate) end
    if type(iterate) ~= "function" and type(iterate) ~= "table" then
      host.definition_error(format("%s: the function of its options returned %s; it returns a list or an iterator", what, shown(iterate)))
    end
  end
  if type(iterate) == "function" then
    local ok, caught = host.protected(function()
      for value in iterate, state, control do add(value) end
    end)
    if not ok then
      if count > MOST_OPTIONS then error(caught.value, 0) end
      host.generator_error(what, caught)
    end
  else
    local length, filled = #iterate, 0
    for key in pairs(iterate) do
      if mtype(key) ~= "integer" or key < 1 then
        host.definition_error(format("%s: its options are a list, but have the key %s", what, shown(key)))
      end
      filled = filled + 1
      if key > length then length = key end
    end
    if filled < length then host.check_list(iterate, format("%s: its options", what)) end
    for index = 1, length do add(iterate[index]) end
  end
  if count == 0 then host.definition_error(what .. " has no options; give it one at least, or leave it out of the order") end
  return { values = values, weights = weights, invalid = invalid, count = count }
end

local function check_not_late(what, definition)
  if definition.is_late then
    host.definition_error(format(
      "%s is defined at %s inside a function that ran after the file was loaded; workers load only the file's top level, so move it there",
      what, definition.place))
  end
end

-- Reads the order of a suite into slots.
local function read_order(order)
  if type(order) ~= "table" or getmetatable(order) == Action then
    host.definition_error(format("run_tests needs order = { … }, a list of actions, not %s", shown(order)))
  end
  local length = 0
  for key in pairs(order) do
    if mtype(key) ~= "integer" or key < 1 then
      host.definition_error(format("the order is a list of actions, but has the key %s", shown(key)))
    end
    if key > length then length = key end
  end
  if length == 0 then host.definition_error("the order is empty; name the actions of the walks: order = { A, B }") end
  local slots, evaluated = {}, {}
  for index = 1, length do
    local action = order[index]
    if getmetatable(action) == Instance then
      host.definition_error(format("order[%d] is %s, one option of an action; write the action itself: %s", index, tostring(action), action.name))
    end
    if getmetatable(action) ~= Action then
      host.definition_error(format("order[%d] is %s, not an action; make one by walk.action { … } at the top level of the file", index, shown(action)))
    end
    local what = tostring(action)
    check_not_late(what, action)
    local options = evaluated[action]
    if not options then
      options = options_of(format("%s (%s)", what, action.place), action.options)
      evaluated[action] = options
    end
    slots[index] = { action = action.name, is_serial = action.is_serial, options = options, definition = action, what = what }
  end
  return slots
end

local function read_machine(machine)
  check_not_late(tostring(machine), machine)
  local slots = {}
  for index, rule in ipairs(machine.rules) do
    local what = format("rule '%s' of %s", rule.name, tostring(machine))
    local options = rule.options
    options = options == nil and { values = { n = 1 }, weights = { 1 }, invalid = { false }, count = 1 }
      or options_of(format("%s (%s)", what, machine.place), options)
    slots[index] = { action = rule.name, is_serial = false, options = options, definition = rule, what = what }
  end
  return slots
end

-- Makes the function that gives the actions of a walk from the numbers of their options (from 0), and the one that says
-- which action refuses such a walk (its place in the order, from 1), if any can.
local function readers(slots)
  local function instances(numbers)
    local list = {}
    for index, slot in ipairs(slots) do list[index] = slot.definition(slot.options.values[numbers[index] + 1]) end
    return list
  end
  local refusing = {}
  for index, slot in ipairs(slots) do
    if rawget(slot.definition, "should_cancel") then refusing[#refusing + 1] = index end
  end
  local function refused(numbers, list)
    list = list or instances(numbers)
    for _, index in ipairs(refusing) do
      if slots[index].definition.should_cancel(list, index) then return index end
    end
    return nil
  end
  return instances, #refusing > 0 and refused or nil
end

function walk.action(definition) return add_action("walk.action", definition, ACTION, false) end
function walk.serial_action(definition) return add_action("walk.serial_action", definition, SERIAL, true) end

-- Constraints that say what they are, so that no function has to be asked: tables that the host reads.
local Form <const> = { __name = "rille.walk.Constraint" }

local function check_condition(what, condition)
  dotted(condition, what)
  if type(condition) ~= "table" or next(condition) == nil then
    host.definition_error(format("walk.%s: a condition is a table of actions with one of their options, or a list of these, such as { OS = \"linux\", Disk = { 1, 2 } }, not %s", what, shown(condition)))
  end
  for name in pairs(condition) do
    if type(name) ~= "string" then
      host.definition_error(format("walk.%s: a condition names actions with their options, such as { OS = \"linux\" }; %s is no name", what, shown(name)))
    end
  end
  return condition
end

local function check_names(what, ...)
  local names = ...
  if type(names) ~= "table" or select("#", ...) > 1 then names = { ... } end
  dotted(names, what)
  if #names == 0 then host.definition_error(format("walk.%s takes the names of actions", what)) end
  for index, name in ipairs(names) do
    if type(name) ~= "string" then
      host.definition_error(format("walk.%s takes the names of actions; number %d is %s", what, index, shown(name)))
    end
  end
  return names
end

function walk.forbid(condition)
  return setmetatable({ form = "forbid", where = check_condition("forbid", condition) }, Form)
end
function walk.when(condition, follows, otherwise)
  check_condition("when", condition)
  check_condition("when", follows)
  if otherwise ~= nil then check_condition("when", otherwise) end
  return setmetatable({ form = "when", where = condition, follows = follows, otherwise = otherwise }, Form)
end
function walk.same(...)
  local names = check_names("same", ...)
  if #names < 2 then host.definition_error("walk.same takes the names of two actions or more") end
  return setmetatable({ form = "same", names = names }, Form)
end
function walk.not_applicable(names, option, condition)
  names = check_names("not_applicable", names)
  if option == nil then host.definition_error("walk.not_applicable takes the option that says so, such as \"none\"") end
  return setmetatable({ form = "not_applicable", names = names, option = option, where = check_condition("not_applicable", condition) }, Form)
end

-- Options with a mark, for covering arrays.
function walk.invalid(value)
  dotted(value, "invalid")
  return setmetatable({ value = value, invalid = true }, Marked)
end
function walk.weighted(value, weight)
  dotted(value, "weighted")
  if type(weight) ~= "number" or not (weight > 0) then
    host.definition_error(format("walk.weighted: the weight is a number above 0, not %s", shown(weight)))
  end
  return setmetatable({ value = value, weight = weight }, Marked)
end

function walk.class(definition)
  check("walk.class", definition, CLASS, { "name" })
  local name, place = definition.name, host.place()
  local other = classes.by_name[name]
  if other then host.definition_error(format("there are two classes named '%s': %s and %s", name, other.place, place)) end
  local metatable = definition.metatable or { __name = name }
  if classes.by_metatable[metatable] then
    host.definition_error(format("walk.class '%s': its metatable is that of class '%s'", name, classes.by_metatable[metatable].name))
  end
  if metatable.__index == nil then metatable.__index = metatable end
  local class = {
    name = name, metatable = metatable, place = place,
    to_json = definition.to_json, from_json = definition.from_json, copy = definition.copy,
  }
  classes.by_name[name], classes.by_metatable[metatable] = class, class
  return metatable
end

local Machine = { __name = "machine" }
function Machine:__tostring() return format("machine '%s'", self.name) end

function walk.machine(definition)
  check("walk.machine", definition, MACHINE, { "name", "init", "rules" })
  local name, place = definition.name, host.place()
  local what = format("walk.machine '%s'", name)
  if machines[name] then
    host.definition_error(format("there are two machines named '%s': %s and %s", name, machines[name].place, place))
  end
  local rules, seen = {}, {}
  host.check_list(definition.rules, what .. ": rules")
  for index, rule in ipairs(definition.rules) do
    check(format("%s: rules[%d]", what, index), rule, RULE, { "name", "run" })
    if seen[rule.name] then host.definition_error(format("%s has two rules named '%s'", what, rule.name)) end
    seen[rule.name] = true
    local weight = rule.weight or 1
    if not (weight > 0) or weight == math.huge then
      host.definition_error(format("%s: the weight of rule '%s' is a number above 0, not %s", what, rule.name, tostring(weight)))
    end
    rules[index] = { name = rule.name, options = rule.options, run = rule.run, precondition = rule.precondition, weight = weight }
  end
  if #rules == 0 then host.definition_error(what .. " has no rules") end
  local invariants = {}
  for key, invariant in pairs(definition.invariants or {}) do
    if type(key) ~= "string" or type(invariant) ~= "function" then
      host.definition_error(format("%s: its invariants are functions by name, not %s = %s", what, host.text(key), shown(invariant)))
    end
    invariants[#invariants + 1] = { name = key, holds = invariant }
  end
  sort(invariants, function(a, b) return a.name < b.name end)
  local machine = setmetatable({
    name = name, init = definition.init, rules = rules, invariants = invariants, place = place, is_late = not host.is_loading(),
  }, Machine)
  machines[name] = machine
  return machine
end

-- What ends a walk without an error; raised in Lua, since many walks may end so.
local Cancelled = { __name = "cancelled walk" }
Cancelled.__index = { kind = "walk-cancelled" }
function Cancelled:__tostring()
  return self.message == "" and "walk.cancel() was called" or "walk.cancel() was called: " .. self.message
end

function walk.cancel(reason)
  dotted(reason, "cancel")
  if reason == nil then reason = "" elseif type(reason) ~= "string" then reason = host.text(reason) end
  error(setmetatable({ message = reason }, Cancelled), 0)
end

-- Runs the walks of an order of actions, or random ones over a machine.
function walk.run_tests(arguments)
  dotted(arguments, "run_tests")
  host.check("run_tests was called")
  if type(arguments) ~= "table" or getmetatable(arguments) == Action then
    host.usage_error(format("run_tests takes a table, not %s: run_tests { order = { A, B }, state = { } }", shown(arguments)))
  end
  local options = {}
  for key, value in pairs(arguments) do options[key] = value end
  options.order, options.state, options.machine, options.max_steps = nil, nil, nil, nil
  local machine, slots = arguments.machine, nil
  local instances, refused
  if machine ~= nil then
    if getmetatable(machine) ~= Machine then
      host.definition_error(format("run_tests: machine is %s; make one by walk.machine { … } at the top level of the file", shown(machine)))
    end
    if arguments.order ~= nil then host.definition_error("run_tests takes an order or a machine, not both") end
    if arguments.state ~= nil then host.definition_error("run_tests: the state of a machine's walks is made by its init, not by state =") end
    slots = read_machine(machine)
  else
    if arguments.max_steps ~= nil then host.definition_error("run_tests: max_steps is for walks over a machine") end
    slots = read_order(arguments.order)
    instances, refused = readers(slots)
  end
  return host.run_tests({
    slots = slots, state = arguments.state, options = options, instances = instances, refused = refused,
    machine = machine and machine.name, max_steps = arguments.max_steps,
  })
end

local REPLAY <const> = { state = "any", step = "boolean" }
local function replay_options(what, options)
  if options == nil then return {} end
  if type(options) ~= "table" then host.usage_error(format("%s: the options are a table { state =, step = }, not %s", what, shown(options))) end
  for key, value in pairs(options) do
    if not REPLAY[key] then
      local near = host.nearest(host.text(key), { "state", "step" })
      host.usage_error(format("%s has no option '%s'; %s", what, host.text(key), near and format("did you mean '%s'?", near) or "it has: state, step"))
    end
    if key == "step" and type(value) ~= "boolean" then host.usage_error(format("%s: step is true or false, not %s", what, shown(value))) end
  end
  return options
end

function walk.replay_walk(list, options)
  dotted(list, "replay_walk")
  host.check("replay_walk was called")
  options = replay_options("replay_walk", options)
  if type(list) ~= "table" or getmetatable(list) == Instance then
    host.usage_error("replay_walk takes a list of actions with their options: replay_walk { Connect(\"tcp\"), Send(1) }")
  end
  local steps = {}
  host.check_list(list, "replay_walk")
  for index, instance in ipairs(list) do
    if getmetatable(instance) ~= Instance then
      host.usage_error(format("replay_walk: item %d is %s, not an action with an option such as Connect(\"tcp\")", index, shown(instance)))
    end
    check_not_late(tostring(instance.action), instance.action)
    steps[index] = { name = instance.name, param = instance.param }
  end
  return host.replay_walk(steps, options.state, options.step or false)
end

function walk.replay(logs, id, options)
  dotted(logs, "replay")
  host.check("replay was called")
  options = replay_options("replay", options)
  if mtype(id) ~= "integer" or id < 0 then host.usage_error(format("replay: the id of a walk is a number from 0, not %s", shown(id))) end
  return host.replay(logs, id, options.state, options.step or false)
end

setmetatable(walk, {
  __name = "rille.walk",
  __tostring = function() return "rille.walk" end,
  __index = function(_, key)
    local near = type(key) == "string" and host.nearest(key, names_of(walk))
    host.usage_error(format("rille.walk has no '%s'; %s", host.text(key),
      near and format("did you mean '%s'?", near) or "it has: " .. concat(names_of(walk), ", ")))
  end,
})

return walk, { actions = actions, machines = machines, classes = classes, Cancelled = Cancelled }
