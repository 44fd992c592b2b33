-- Results that end a section: the signals they are raised as, and how several results become one.
local core = ...
local host = core.host
local error, getmetatable, rawequal, setmetatable, tostring, type =
  error, getmetatable, rawequal, setmetatable, tostring, type
local pcall0, xpcall0, traceback = pcall, xpcall, host.traceback
core.pcall = pcall0

-- What is raised when a section reports its result.
local Signal = {
  __name = "result",
  __tostring = function(signal) return "the section has reported " .. signal.result end,
}
-- An error with the stack it was raised on.
local Caught = { __name = "caught error" }
core.Signal = Signal

local STRENGTH = { aborted = 7, errored = 6, failed = 5, blocked = 4, passx = 3, passed = 2, skipped = 1 }
core.is_good = { passed = true, passx = true, skipped = true }

-- Returns whether the first result is the one that counts; either may be nil.
function core.is_stronger(a, b)
  return a ~= nil and (b == nil or STRENGTH[a] > STRENGTH[b])
end
local is_stronger = core.is_stronger

function core.signal(owner, result, reason, data)
  return setmetatable({ owner = owner, result = result, reason = reason, data = data }, Signal)
end

-- The message handler of everything that is the user's: it keeps the stack, and lets a signal be what it is.
local function keep(err)
  local kind = getmetatable(err)
  if kind == Caught then return err end
  if kind ~= Signal then
    local known = core.raised_again
    if known and rawequal(known.value, err) then return known end
    err = setmetatable({ value = err, traceback = traceback("", 2) }, Caught)
  end
  if core.pause and not err.was_shown and not host.is_stopping() then return core.pause(err) end
  return err
end

-- Raises an error that was kept once more, as itself: a pcall may catch it, and its stack is known to whoever keeps it next.
function core.raise_again(caught)
  caught.was_shown, caught.is_of_part, core.raised_again = true, true, caught
  error(caught.value, 0)
end

-- Calls a function of the user. Returns true and what it returned, or false and a signal or a kept error.
function core.call(f, a, b, c, d)
  -- No tail call: it would stand in tracebacks.
  local ok, value, more = xpcall0(f, keep, a, b, c, d)
  return ok, value, more
end

-- Returns why nothing more of the script is to run but what cleans up; nil if all of it is.
function core.why_ended()
  if core.ended_because == nil then
    local text = host.heed_stop()
    core.ended_because = text and "the task was to end: " .. text
  end
  return core.ended_because
end

-- The same as core.call for what is called by no other function of the user. If the task is to end, that has been told to
-- the function that ran; what is called from now on is called for good.
function core.enter(f, a, b, c, d)
  local ok, value, more = xpcall0(f, keep, a, b, c, d)
  core.why_ended()
  return ok, value, more
end

-- Returns result, reason and data of what core.call has caught.
function core.judge(caught)
  if getmetatable(caught) == Signal then return caught.result, caught.reason, caught.data end
  if getmetatable(caught) ~= Caught then caught = { value = caught } end
  local kind, message, trace = host.describe(caught)
  local result = kind == "assertion" and "failed" or kind == host.stopped and "aborted" or "errored"
  return result, message, { kind = kind, traceback = trace }
end

local function is_signal(err) return getmetatable(err) == Signal end
core.is_signal = is_signal

-- A pcall of the user catches errors, not results, nor that the task is to end: those end the section.
local function pass_on(ok, err, ...)
  if not ok then
    if getmetatable(err) == Signal or host.is_stopping() then error(err, 0) end
    core.raised_again = nil
  end
  return ok, err, ...
end

function pcall(...) return pass_on(pcall0(...)) end

function xpcall(f, handler, ...)
  if type(handler) ~= "function" then return xpcall0(f, handler, ...) end
  local function unless_signal(err)
    if getmetatable(err) == Signal then return err end
    return handler(err)
  end
  return pass_on(xpcall0(f, unless_signal, ...))
end

local TARGETS = {
  subsection = { "next_tc", "common_cleanup", "exit" },
  setup = { "cleanup", "next_tc", "common_cleanup", "exit" },
  test = { "cleanup", "next_tc", "common_cleanup", "exit" },
  cleanup = { "next_tc", "common_cleanup", "exit" },
  ["last subsection"] = { "exit" },
}

-- Checks where a section wants to go on, and returns it.
local function target(frame, wanted)
  if type(wanted) == "table" then
    if #wanted ~= 1 then host.usage_error("go_to takes one target") end
    wanted = wanted[1]
  end
  local targets = TARGETS[frame.is_last and "last subsection" or frame.kind]
  if targets == nil then
    host.usage_error("only a subsection, a setup, a test or a cleanup can jump; a " .. tostring(frame.kind) .. " cannot")
  end
  for _, known in ipairs(targets) do
    if wanted == known then return wanted end
  end
  wanted = host.text(wanted)
  local near = host.nearest(wanted, targets)
  host.usage_error(("a %s cannot go to '%s'%s; from here it can go to: %s"):format(
    frame.kind, wanted, near and ", did you mean '" .. near .. "'?" or "", table.concat(targets, ", ")))
end

local OPTIONS = { "go_to", "goto", "data", "from_exception" }

local function read_options(frame, signal, options)
  if type(options) ~= "table" then
    host.usage_error("the options of a result are a table, such as { go_to = \"cleanup\" }, not a " .. type(options))
  end
  core.check_keys(options, OPTIONS, "a result", "usage_error")
  local wanted = options.go_to
  if wanted == nil then wanted = options["goto"] end
  if wanted ~= nil then
    if frame.parent then host.usage_error("a step cannot jump; let the section report: self:" .. signal.result) end
    signal.jump = target(frame, wanted)
  end
  local from = options.from_exception
  if from ~= nil then
    local kind, message, trace = host.describe({ value = from })
    signal.reason = signal.reason and signal.reason .. ": " .. message or message
    signal.data = { kind = kind, message = message, traceback = trace }
  end
  if options.data ~= nil then signal.data = options.data end
end

-- Makes the method that reports a result. On `self` it ends the section that runs, on a step that step.
local function reporter(result)
  return function(object, reason, options)
    if type(object) ~= "table" or object[result] == nil then
      host.usage_error(("write self:%s(…), with a colon"):format(result))
    end
    local frame = object.is_frame and object or core.current
    if frame == nil or frame.is_closed then
      host.usage_error(("%s was reported for a %s that does not run"):format(result, frame and frame.kind or "section"))
    end
    if reason ~= nil and type(reason) ~= "string" then
      local _, message = host.describe({ value = reason })
      reason = message
    end
    local signal = core.signal(frame, result, reason)
    if options ~= nil then read_options(frame, signal, options) end
    -- Whoever swallows the signal does not undo the result.
    local before = frame.reported
    if before == nil or is_stronger(result, before.result) then frame.reported = signal end
    error(signal, 0)
  end
end

core.results = {}
for _, result in ipairs { "passed", "failed", "errored", "skipped", "blocked", "aborted", "passx" } do
  core.results[result] = reporter(result)
end
