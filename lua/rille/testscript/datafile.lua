-- What a datafile sets: parameters, uids, groups and more of the sections that the script has defined.
local core = ...
local host = core.host
local ipairs, next, pairs, pcall, require, select, sort, type, unpack =
  ipairs, next, pairs, core.pcall, require, select, table.sort, type, table.unpack

-- The keys of a section that are options of it; every other one is a field of `self`.
local OPTIONS = { uid = true, groups = true, description = true, must_pass = true, retry = true, retry_wait = true }

-- Raises for what stands at a place of the datafile.
local function wrong(text, ...)
  local place = host.datafile_place(...)
  host.definition_error(place and ("%s: %s"):format(place, text) or "datafile: " .. text)
end

-- Returns the function that a processor of the datafile names, with its arguments behind those that every one has.
local function processor(item, ...)
  local name = type(item) == "table" and item.processor or item
  local module, field = name:match("^(.+)%.([^.]+)$")
  local ok, found = pcall(require, module)
  if not ok then
    local _, message = host.describe({ value = found })
    wrong(("processor '%s': %s"):format(name, message), ...)
  end
  local f = type(found) == "table" and found[field] or nil
  if type(f) ~= "function" then
    local names = {}
    for key, value in pairs(type(found) == "table" and found or {}) do
      if type(key) == "string" and type(value) == "function" then names[#names + 1] = key end
    end
    sort(names)
    local near = host.nearest(field, names)
    wrong(("processor '%s': module '%s' has no function '%s'%s"):format(
      name, module, field, near and ("; did you mean '%s'?"):format(near) or ""), ...)
  end
  if type(item) ~= "table" or item.args == nil and item.kwargs == nil then return f end
  local more = { unpack(item.args or {}) }
  more[#more + 1] = item.kwargs
  return function(self, p, section, raised)
    if raised == nil then return f(self, p, section, unpack(more)) end
    return f(self, p, section, raised, unpack(more))
  end
end

-- Sets the processors of a definition, or of all sections.
local function set_processors(target, stages, ...)
  local path = { ... }
  for stage, items in pairs(stages) do
    local list = {}
    path[select("#", ...) + 1] = stage
    for i, item in ipairs(items) do list[i] = processor(item, unpack(path)) end
    target[stage] = #list > 0 and list or nil
  end
end

-- Sets what the datafile says of one section.
local function apply(definition, block, ...)
  for name, value in pairs(block) do
    if name == "parameters" then
      local all = {}
      for own, known in next, definition.parameters or {} do all[own] = known end
      for own, known in next, value do all[own] = known end
      definition.parameters = all
    elseif name == "processors" then
      local path = { ... }
      path[#path + 1] = name
      set_processors(definition, value, unpack(path))
    elseif definition.kind == "testcase" and OPTIONS[name] then
      definition[name] = name == "groups" and core.words(value, "groups") or value
    else
      definition.fields = definition.fields or {}
      definition.fields[name] = value
    end
  end
end

-- Fails where two testcases have one uid.
local function check_uids(blocks)
  local used = { common_setup = "the name of common setup", common_cleanup = "the name of common cleanup" }
  for _, case in ipairs(core.testcases) do
    if case.uid == nil then used[case.name] = "that of another testcase" end
  end
  for _, case in ipairs(core.testcases) do
    if case.uid ~= nil and blocks[case.name] then
      local taken = used[case.uid]
      if taken then
        wrong(("the uid '%s' of testcase '%s' is %s"):format(case.uid, case.name, taken), "testcases", case.name, "uid")
      end
      used[case.uid] = "that of another testcase"
    end
  end
end

-- Sets what the datafile says, if there is one, once all definitions are read.
function core.apply_datafile()
  local data = host.datafile()
  if data == nil then return end
  for name, value in pairs(data.parameters or {}) do core.script_parameters[name] = value end
  set_processors(core.globals, data.processors or {}, "processors")
  for _, field in ipairs { "common_setup", "common_cleanup" } do
    if data[field] then
      local definition = core[field]
      if definition == nil then wrong(("the script has no %s"):format(field:gsub("_", " ")), field) end
      apply(definition, data[field], field)
    end
  end
  local by_name, names, blocks = {}, {}, data.testcases or {}
  for i, case in ipairs(core.testcases) do by_name[case.name], names[i] = case, case.name end
  local wanted = {}
  for name in pairs(blocks) do wanted[#wanted + 1] = name end
  sort(wanted)
  for _, name in ipairs(wanted) do
    local case = by_name[name]
    if case == nil then
      local near = host.nearest(name, names)
      local hint = near and ("did you mean '%s'?"):format(near) or "it has: " .. table.concat(names, ", ")
      wrong(("the script has no testcase '%s'; %s"):format(name, hint), "testcases", name)
    end
    apply(case, blocks[name], "testcases", name)
  end
  check_uids(blocks)
end

-- Returns a value with tables of its own.
local function copied(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, inner in next, value do copy[key] = copied(inner) end
  return copy
end

-- Gives the `self` of a section the fields that the datafile has for it.
function core.set_fields(self, definition)
  for name, value in next, definition.fields or {} do self[name] = copied(value) end
end
