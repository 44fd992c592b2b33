-- Reading the option tables of definitions: unknown keys and wrong values are named with their line.
local core = ...
local host = core.host
local ipairs, math, pairs, tostring, type = ipairs, math, pairs, tostring, type

-- A section that fails is run again so many times at most.
local MOST_RETRIES = 1000

-- What others call a key, or what it is called elsewhere.
local OTHER_NAMES = { retries = "retry", max_retries = "retry", retry_delay = "retry_wait" }

-- Raises for a key that is not among the known ones; the first in order, so that the same one is told every time.
function core.check_keys(options, known, what, raise)
  local unknown
  for key in pairs(options) do
    local is_known = false
    for _, name in ipairs(known) do is_known = is_known or name == key end
    local shown = host.text(key)
    if not is_known and (unknown == nil or shown < unknown) then unknown = shown end
  end
  if unknown == nil then return end
  local near
  for _, name in ipairs(known) do
    if name == OTHER_NAMES[unknown] then near = name end
  end
  near = near or host.nearest(unknown, known)
  local hint = near and ("did you mean '%s'?"):format(near) or "it has: " .. table.concat(known, ", ")
  host[raise or "definition_error"](("%s has no key '%s'; %s"):format(what, unknown, hint))
end

-- Returns a list of texts; one text alone is a list of one.
function core.words(value, what)
  if value == nil then return {} end
  if type(value) == "string" then return { value } end
  if type(value) ~= "table" then host.definition_error(("%s must be a list of strings, not a %s"):format(what, type(value))) end
  local length = host.check_list(value, what)
  for index = 1, length do
    if type(value[index]) ~= "string" then
      host.definition_error(("%s must be a list of strings; item %d is %s"):format(what, index, host.shown(value[index])))
    end
  end
  return table.move(value, 1, length, 1, {})
end

-- Returns a list of functions, nil for none.
function core.functions(value, what)
  if value == nil then return nil end
  local list = type(value) == "table" and value or { value }
  local length = host.check_list(list, what)
  for index = 1, length do
    if type(list[index]) ~= "function" then
      host.definition_error(("%s must be a function or a list of functions, not %s"):format(what, host.shown(list[index])))
    end
  end
  if length == 0 then return nil end
  return table.move(list, 1, length, 1, {})
end

local function check(value, wanted, what)
  if value ~= nil and type(value) ~= wanted then
    host.definition_error(("%s must be a %s, not a %s"):format(what, wanted, type(value)))
  end
  return value
end
core.check = check

-- Returns how often a section that fails is run again; nil if that is not said.
function core.read_retry(value)
  if value ~= nil and (math.type(value) ~= "integer" or value < 0 or value > MOST_RETRIES) then
    host.definition_error(("retry must be a whole number from 0 to %d, such as retry = 2, not %s"):format(
      MOST_RETRIES, host.shown(value)))
  end
  return value
end

-- Returns the seconds before a section is run again; nil if that is not said.
function core.read_retry_wait(value)
  if value ~= nil and (math.type(value) == nil or not (value >= 0 and value < math.huge)) then
    host.definition_error(("retry_wait must be a number of seconds from 0, such as retry_wait = 5, not %s"):format(host.shown(value)))
  end
  return value
end

local COMMON = { "description", "skip", "skip_if", "skip_unless", "pre", "post", "exception" }
local function keys(more)
  return table.move(COMMON, 1, #COMMON, #more + 1, more)
end
core.KEYS = {
  testcase = keys { "base", "groups", "must_pass", "parameters", "loop", "uids", "retry", "retry_wait" },
  test = keys { "must_pass", "loop", "uids", "retry", "retry_wait" },
  subsection = keys { "must_pass", "loop", "uids", "retry", "retry_wait" },
  setup = keys { "retry", "retry_wait" },
  cleanup = keys { "retry", "retry_wait" },
  ["common setup"] = keys { "parameters" },
  ["common cleanup"] = keys { "parameters" },
}

-- Fills a definition from its options.
function core.read_options(definition, options)
  if options == nil then return end
  local kind = definition.kind
  local what = definition.name and ("%s '%s'"):format(kind, definition.name) or "a " .. kind
  if type(options) ~= "table" then
    host.definition_error(("the options of %s must be a table, not a %s"):format(what, type(options)))
  end
  core.check_keys(options, core.KEYS[kind], what)
  definition.description = check(options.description, "string", "description")
  definition.must_pass = check(options.must_pass, "boolean", "must_pass")
  definition.retry = core.read_retry(options.retry)
  definition.retry_wait = core.read_retry_wait(options.retry_wait)
  definition.groups = options.groups ~= nil and core.words(options.groups, "groups") or nil
  definition.pre = core.functions(options.pre, "pre")
  definition.post = core.functions(options.post, "post")
  definition.exception = core.functions(options.exception, "exception")
  if options.skip ~= nil or options.skip_if ~= nil or options.skip_unless ~= nil then
    definition.skip = { always = options.skip, when = options.skip_if, unless = options.skip_unless }
  end
  if options.loop ~= nil or options.uids ~= nil then
    definition.loop = core.read_loop(options.loop, options.uids)
  end
  if options.parameters ~= nil then
    definition.parameters = check(options.parameters, "table", "parameters")
  end
end

-- Evaluates a condition: a value, a function, or { value or function, reason }. Returns it, and a reason.
local function evaluate(condition, self, p)
  local reason
  if type(condition) == "table" then condition, reason = condition[1], condition[2] end
  if type(condition) == "function" then
    local found, why = condition(self, p)
    condition, reason = found, reason or why
  end
  if type(condition) == "string" and reason == nil then reason = condition end
  return condition, reason
end

-- Returns why a section is to be left out, nil if it is not. Calls functions of the user.
function core.why_skipped(skip, self, p)
  local found, reason = evaluate(skip.always, self, p)
  if found then return reason or "skip is set" end
  found, reason = evaluate(skip.when, self, p)
  if found then return reason or "its skip_if holds" end
  if skip.unless ~= nil then
    found, reason = evaluate(skip.unless, self, p)
    if not found then return reason or "its skip_unless does not hold" end
  end
end
