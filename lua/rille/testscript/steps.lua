-- Steps inside a section: `steps:start(name, options, fn)`, nested by `step:start`.
local core = ...
local host = core.host
local call, error, format, getinfo, is_good, is_signal, is_stronger, setmetatable, tostring, type =
  core.call, error, string.format, host.getinfo, core.is_good, core.is_signal, core.is_stronger, setmetatable, tostring, type

-- The most steps of a section that its report in the log names.
local MOST_LINES = 1000

-- What a section hands its function as `steps`, and a step as itself.
local methods = { is_frame = true }
for name, method in pairs(core.results) do methods[name] = method end
core.Frame = { __index = methods, __name = "steps" }
local Frame = core.Frame

local OPTIONS = { "continue", "description" }

local function read_options(options, name)
  if type(options) ~= "table" then
    host.usage_error(("the options of step '%s' are a table, not a %s"):format(name, type(options)))
  end
  core.check_keys(options, OPTIONS, ("step '%s'"):format(name), "usage_error")
  return options.continue, core.check(options.description, "string", "description")
end

local function note(section, step, result)
  local report = section.report
  if report == nil then
    report = {}
    section.report = report
  end
  if #report < MOST_LINES then
    local indent = ("  "):rep(step.depth)
    report[#report + 1] = { order = step.order, text = format("%s%s %s: %s", indent, step.index, step.name, result:upper()) }
  end
end

-- Writes what became of the steps of a section into the log.
function core.log_steps(section)
  local report = section.report
  if report == nil then return end
  table.sort(report, function(a, b) return a.order < b.order end)
  local lines = { "steps of " .. section.uid .. ":" }
  for i, entry in ipairs(report) do lines[i + 1] = entry.text end
  if section.step_count > #report then
    lines[#lines + 1] = ("  … and %d more"):format(section.step_count - #report)
  end
  host.log("INFO", table.concat(lines, "\n"))
end

function methods.start(parent, name, options, fn)
  if fn == nil then options, fn = nil, options end
  if type(parent) ~= "table" or not parent.is_frame then host.usage_error("write steps:start(…), with a colon") end
  if type(name) ~= "string" then host.usage_error("the name of a step is a string, not a " .. type(name)) end
  if type(fn) ~= "function" then host.usage_error(("step '%s' needs a function, not a %s"):format(name, type(fn))) end
  if parent.is_closed then
    host.usage_error(("step '%s' cannot start: the %s that it would be a part of has ended"):format(name, parent.kind))
  end
  local goes_on, description
  if options ~= nil then goes_on, description = read_options(options, name) end

  local section = parent.section or parent
  parent.count = parent.count + 1
  section.step_count = (section.step_count or 0) + 1
  local index = parent.index and parent.index .. "." .. parent.count or tostring(parent.count)
  local step = setmetatable({
    kind = "step", name = name, uid = index .. " " .. name, index = index, parent = parent, section = section, count = 0,
    order = section.step_count, depth = (parent.depth or 0) + 1,
  }, Frame)
  local info = getinfo(2, "Sl")
  local line = info.source == host.script and info.currentline or nil
  step.number = host.step(step.uid, parent.number, line, description)
  local began = host.now()
  local above = section.open_step
  section.open_step = step
  local ok, err = call(fn, step)
  section.open_step = above
  step.is_closed = true

  -- What it has said, or what has ended it; a part that ended it counts by its result.
  local word, reason, data
  local reported = step.reported
  if reported then word, reason, data = reported.result, reported.reason, reported.data end
  local is_of_part, is_error = not ok and err.is_of_part, not ok and not is_signal(err)
  if not ok and not is_of_part then
    local result, why, more = core.judge(err)
    if is_stronger(result, word) then word, reason, data = result, why, more end
    if is_error then is_error = more.kind ~= "assertion" end
  end
  local is_bad = is_of_part or word ~= nil and not is_good[word]
  local result = word
  local rolled = step.rolled
  if word == nil or is_of_part and is_stronger(rolled, word) then
    result, reason = "passed", nil
    if is_stronger(rolled, result) then result, reason = rolled, step.rolled_reason end
  end
  host.step_finished(step.number, result, reason, data, host.now() - began)
  note(section, step, result)
  local why = format("step %s '%s' %s%s", index, name, result, reason and ": " .. reason or "")
  if is_stronger(result, parent.rolled) then parent.rolled, parent.rolled_reason = result, why end
  if is_stronger(rolled, parent.rolled) then parent.rolled, parent.rolled_reason = rolled, step.rolled_reason end
  if not ok and is_signal(err) and err.owner ~= step then
    -- The section has reported; a step above has, which `continue` keeps to this one.
    if not err.owner.parent or not goes_on then error(err, 0) end
  elseif is_bad and not goes_on then
    if is_error then core.raise_again(err) end
    local signal = core.signal(parent, result, why, data)
    signal.was_shown, signal.is_of_part = true, true
    error(signal, 0)
  end
  return result
end
