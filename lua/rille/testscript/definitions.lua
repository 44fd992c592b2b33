-- The functions by which a script defines its sections: `require "rille.testscript"`.
local core = ...
local host = core.host
local ipairs, pairs, rawget, rawset, setmetatable, tostring, type =
  ipairs, pairs, rawget, rawset, setmetatable, tostring, type

core.testcases = {}
local by_name = {}

-- Returns the line of the script that the running definition stands on; nil if it stands in another file alone.
local script_line = host.script_line

-- What is defined is named by a text, or by a function that makes one: thousands of definitions need none.
local function text(what)
  return type(what) == "function" and what() or what
end

local function check_loading(what)
  if core.is_running then
    host.definition_error(text(what) .. " is defined while sections run; define all of them at the top level of the file")
  end
end

local function check_name(name, kind)
  if type(name) ~= "string" or name == "" then
    host.definition_error(("the name of a %s must be a string, not %s"):format(kind,
      name == "" and "an empty one" or "a " .. type(name)))
  end
end

-- Remembers a name with its line, and refuses one that is taken.
local function claim(names, name, what, line)
  local first = names[name]
  if first then
    local where = first == true and "elsewhere" or ("at %s:%d"):format(host.script:sub(2), first)
    host.definition_error(("%s is already defined %s; give each a name of its own"):format(text(what), where))
  end
  names[name] = line or true
end

local function add_part(container, names, kind, name, options, fn)
  local function what()
    local of = container.kind == "testcase" and ("testcase '%s'"):format(container.name) or container.kind
    return name and ("%s '%s' of %s"):format(kind, name, of) or ("the %s of %s"):format(kind, of)
  end
  check_loading(what)
  local line = script_line()
  claim(names, name or kind, what, line)
  if fn == nil then options, fn = nil, options end
  if type(fn) ~= "function" then
    host.definition_error(("%s needs a function, not a %s"):format(what(), type(fn)))
  end
  local part = { kind = kind, name = name or kind, fn = fn, line = line, is_last = container.is_last }
  core.read_options(part, options)
  return part
end

-- Raises for a field that a definition does not have, and for one that cannot be set.
local function guard(what, methods, settable)
  local known = {}
  for name in pairs(methods) do known[#known + 1] = name end
  for name in pairs(settable) do known[#known + 1] = name end
  table.sort(known)
  local function unknown(name)
    local near = host.nearest(host.text(name), known)
    local hint = near and ("did you mean '%s'?"):format(near) or "it has: " .. table.concat(known, ", ")
    host.usage_error(("%s has no field '%s'; %s"):format(what, host.text(name), hint))
  end
  return {
    __name = what,
    __tostring = function(object) return what .. " '" .. object[core].definition.name .. "'" end,
    __index = function(object, name)
      local method = methods[name]
      if method ~= nil then return method end
      if settable[name] then return object[core].definition[name] end
      unknown(name)
    end,
    __newindex = function(object, name, value)
      if not settable[name] then
        if methods[name] then host.usage_error(("%s.%s cannot be set"):format(what, name)) end
        unknown(name)
      end
      check_loading(name)
      object[core].definition[name] = settable[name](value, name)
    end,
  }
end

-- What a handle stands for is kept under a key that nobody has.
local function definition_of(handle, method)
  local inner = type(handle) == "table" and rawget(handle, core)
  if not inner then host.usage_error(("write it with a colon: …:%s(…)"):format(method)) end
  return inner.definition
end

local function handle(definition, metatable)
  return setmetatable({ [core] = { definition = definition } }, metatable)
end

local Testcase = {}
function Testcase.test(self, name, options, fn)
  local case = definition_of(self, "test")
  check_name(name, "test")
  case.tests[#case.tests + 1] = add_part(case, case.names, "test", name, options, fn)
  return self
end
for _, kind in ipairs { "setup", "cleanup" } do
  Testcase[kind] = function(self, options, fn)
    local case = definition_of(self, kind)
    case[kind] = add_part(case, case.single, kind, nil, options, fn)
    return self
  end
end

local Common = {}
function Common.subsection(self, name, options, fn)
  local container = definition_of(self, "subsection")
  check_name(name, "subsection")
  container.tests[#container.tests + 1] = add_part(container, container.names, "subsection", name, options, fn)
  return self
end

local function a(wanted)
  return function(value, name) return core.check(value, wanted, name) end
end
local TESTCASE = guard("a testcase", Testcase, {
  groups = core.words, must_pass = a "boolean", parameters = a "table", description = a "string",
})
local COMMON = guard("common setup or cleanup", Common, { parameters = a "table", description = a "string" })

local ts = {}

-- Fails if a function of the module was called with a colon, so that its first argument is the module.
local function dotted(first, name)
  if first == core.module then
    host.usage_error(("'%s' is a function of rille.testscript; write ts.%s(…), with a dot"):format(name, name))
  end
end
core.dotted = dotted

function ts.testcase(name, options)
  dotted(name, "testcase")
  check_name(name, "testcase")
  check_loading(("testcase '%s'"):format(name))
  local line = script_line()
  if name == "common_setup" or name == "common_cleanup" then
    host.definition_error(("'%s' cannot be the name of a testcase; write ts.%s()"):format(name, name))
  end
  claim(by_name, name, ("testcase '%s'"):format(name), line)
  local case = { kind = "testcase", name = name, tests = {}, names = {}, single = {}, line = line }
  case.parameters = {}
  core.read_options(case, options)
  if options and options.base ~= nil then case.base = core.read_base(options.base, case) end
  core.testcases[#core.testcases + 1] = case
  case.handle = handle(case, TESTCASE)
  return case.handle
end

-- Common setup and cleanup are one each: asked for again, they are the same.
local function common(kind, field)
  return function(options)
    dotted(options, field)
    check_loading(kind)
    local container = core[field]
    if container == nil then
      container = { kind = kind, name = field, tests = {}, names = {}, line = script_line(), parameters = {} }
      container.is_last = field == "common_cleanup"
      container.handle = handle(container, COMMON)
      core[field] = container
    end
    core.read_options(container, options)
    return container.handle
  end
end
ts.common_setup = common("common setup", "common_setup")
ts.common_cleanup = common("common cleanup", "common_cleanup")

core.globals = {}
function ts.global_processors(processors)
  dotted(processors, "global_processors")
  check_loading("a global processor")
  if type(processors) ~= "table" then
    host.definition_error("global_processors takes a table, { pre = f, post = f, exception = f }, not a " .. type(processors))
  end
  core.check_keys(processors, { "pre", "post", "exception" }, "global_processors")
  for stage, value in pairs(processors) do
    local list = core.globals[stage] or {}
    for _, f in ipairs(core.functions(value, stage) or {}) do list[#list + 1] = f end
    core.globals[stage] = list
  end
end

ts.parameters = core.script_parameters

-- Returns the turns of lists that are walked side by side, as aetest walks them.
function ts.zip(lists)
  dotted(lists, "zip")
  return core.zip(lists)
end

-- Has a datafile, which stands beside the script, set what it says of the sections.
local own_datafile
function ts.datafile(file)
  dotted(file, "datafile")
  check_loading("a datafile")
  if type(file) ~= "string" or file == "" then
    host.definition_error(("datafile takes the name of a file, not %s"):format(host.shown(file)))
  end
  if own_datafile then
    host.definition_error(("there is a datafile already, '%s'; one extends others by 'extends'"):format(own_datafile))
  end
  own_datafile = file
  for _, remark in ipairs(host.read_datafile(file)) do host.log("WARNING", remark) end
end

local function whole_from(least)
  return function(value, name)
    if value ~= nil and (math.type(value) ~= "integer" or value < least) then
      host.definition_error(("%s must be a whole number from %d, not %s"):format(name, least, host.text(value)))
    end
    return value
  end
end
core.settings = {}
local SETTINGS = { max_failures = whole_from(1), random = a "boolean", random_seed = whole_from(0) }
local FIELDS = { "common_cleanup", "common_setup", "datafile", "global_processors", "max_failures", "parameters", "random", "random_seed", "testcase", "zip" }

core.module = setmetatable({}, {
  __name = "rille.testscript",
  __tostring = function() return "rille.testscript" end,
  __index = function(_, name)
    local value = ts[name]
    if value ~= nil then return value end
    if SETTINGS[name] then return core.settings[name] end
    local near = host.nearest(host.text(name), FIELDS)
    local hint = near and ("did you mean '%s'?"):format(near) or "it has: " .. table.concat(FIELDS, ", ")
    host.usage_error(("rille.testscript has no field '%s'; %s"):format(host.text(name), hint))
  end,
  __newindex = function(module, name, value)
    if name == "parameters" and type(value) == "table" then return ts.parameters(value) end
    if SETTINGS[name] == nil then
      local _ = module[name]
      host.usage_error(("rille.testscript.%s cannot be set"):format(host.text(name)))
    end
    core.settings[name] = SETTINGS[name](value, name)
  end,
})
