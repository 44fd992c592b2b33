-- Testcases that are made from others: what they have of their base.
local core = ...
local host = core.host
local ipairs, next, rawget, type = ipairs, next, rawget, type

-- What is the base's unless the testcase says its own; the parts of a testcase are told apart by their names.
local FIELDS = { "groups", "must_pass", "pre", "post", "exception", "skip", "loop", "setup", "cleanup", "retry", "retry_wait" }

-- Returns the definition of the testcase that an option `base` names.
function core.read_base(base, case)
  local inner = type(base) == "table" and rawget(base, core)
  local definition = inner and inner.definition
  if definition and definition.kind == "testcase" and definition ~= case then return definition end
  host.definition_error(("base of testcase '%s' must be a testcase, as ts.testcase returns it, not %s"):format(
    case.name, definition and "the " .. definition.kind or host.shown(base)))
end

-- Gives a testcase what it has of its base, once all definitions are read.
function core.inherit(case)
  local base = case.base
  if base == nil then return end
  case.base = nil
  core.inherit(base)
  for _, field in ipairs(FIELDS) do
    if case[field] == nil then case[field] = base[field] end
  end
  local parameters = {}
  for name, value in next, base.parameters or {} do parameters[name] = value end
  for name, value in next, case.parameters or {} do parameters[name] = value end
  case.parameters = parameters
  if base.fields then
    local fields = {}
    for name, value in next, base.fields do fields[name] = value end
    for name, value in next, case.fields or {} do fields[name] = value end
    case.fields = fields
  end
  -- The tests of the base first; one of the same name stands in its place.
  local tests, own = {}, {}
  for _, test in ipairs(case.tests) do own[test.name] = test end
  for i, test in ipairs(base.tests) do
    tests[i], own[test.name] = own[test.name] or test, nil
  end
  for _, test in ipairs(case.tests) do
    if own[test.name] then tests[#tests + 1] = test end
  end
  case.tests = tests
end
