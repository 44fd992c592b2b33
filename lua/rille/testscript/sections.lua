-- Running one section that is made of code: its processors, its function, its result.
local core = ...
local host = core.host
local enter, finished, getmetatable, is_good, is_signal, is_stronger, judge, next, now, setmetatable, started =
  core.enter, host.finished, getmetatable, core.is_good, core.is_signal, core.is_stronger, core.judge, next, host.now,
  setmetatable, host.started
local Frame, globals = core.Frame, core.globals

-- Runs processors that may keep a section from running. Returns result, reason and data if one does.
local function run_pre(list, frame)
  for _, f in ipairs(list or {}) do
    local ok, value = enter(f, frame.self, frame.p, frame)
    if not ok then
      local result, reason, data = judge(value)
      if is_signal(value) then return result, reason, data end
      if result == "failed" then return "skipped", reason, data end
      return result, "a pre processor raised: " .. reason, data
    end
    if value == false then return "skipped", "a pre processor returned false" end
  end
end

-- Runs the pre processors, the global ones first.
function core.before(frame, definition)
  if not (globals.pre or definition.pre) then return end
  local result, reason, data = run_pre(globals.pre, frame)
  if result == nil then result, reason, data = run_pre(definition.pre, frame) end
  return result, reason, data
end

-- Runs the post processors. They can make a result worse, not better.
function core.after(frame, definition, result, reason, data)
  if not (globals.post or definition.post) then return result, reason, data end
  for _, list in ipairs { globals.post or {}, definition.post or {} } do
    for _, f in ipairs(list) do
      frame.result, frame.reason, frame.reported = result, reason, nil
      local ok, value = enter(f, frame.self, frame.p, frame)
      local worse, why, more
      if not ok then
        worse, why, more = judge(value)
        if not is_signal(value) then why = "a post processor raised: " .. why end
      elseif value == false then
        worse, why = "failed", "a post processor returned false"
      end
      if worse and is_stronger(worse, result) then result, reason, data = worse, why, more end
    end
  end
  return result, reason, data
end

-- Shows an error to the exception processors. Returns whether one of them took care of it, or what came of that.
local function on_error(frame, definition, caught)
  for _, list in ipairs { globals.exception or {}, definition.exception or {} } do
    for _, f in ipairs(list) do
      local ok, value = enter(f, frame.self, frame.p, frame, caught.value)
      if not ok then return false, value end
      if value == true then return true end
    end
  end
  return false
end

-- Returns result, reason, data and jump of a function that has ended.
local function conclude(frame, definition, ok, err)
  local best, jump = frame.reported, nil
  if ok then
    jump = best and best.jump
  elseif not is_signal(err) and (globals.exception or definition.exception) then
    local is_handled, raised = on_error(frame, definition, err)
    if is_handled then
      ok, best = true, frame.reported
    elseif raised ~= nil then
      if not is_signal(raised) then
        local _, reason, data = judge(raised)
        local _, first = judge(err)
        raised = core.signal(frame, "errored", ("an exception processor raised: %s (about: %s)"):format(reason, first), data)
      end
      err, best = raised, frame.reported
    end
  end
  if not ok then
    jump = is_signal(err) and err.jump or nil
    local result, reason, data = judge(err)
    if best == nil or is_stronger(result, best.result) then best = { result = result, reason = reason, data = data } end
  end
  local result, reason, data = "passed", nil, nil
  if best then result, reason, data = best.result, best.reason, best.data end
  local rolled = frame.rolled
  if rolled and is_stronger(rolled, result) and (not is_good[rolled] or best == nil) then
    result, reason = rolled, not is_good[rolled] and frame.rolled_reason or nil
  end
  return result, reason, data, jump
end

-- Makes the values of a section's turn readable as parameters.
local function reader(values, metatable)
  local p = {}
  if values then
    for name, value in next, values do p[name] = value end
  end
  return setmetatable(p, metatable)
end

-- Ends a section that is not run, with all it is made of.
function core.pass_over(node, result, reason)
  if node.parts then
    for _, part in ipairs(node.parts) do finished(part.number, result, reason, nil, 0) end
  end
  finished(node.number, result, reason, nil, 0)
end

-- Returns whether a section is left out, with result, reason and data.
function core.left_out(frame, definition)
  local ok, why = enter(core.why_skipped, definition.skip, frame.self, frame.p)
  if not ok then
    local result, reason, data = judge(why)
    if not is_signal(why) then result, reason = "errored", "its skip condition raised: " .. reason end
    return true, result, reason, data
  end
  return why ~= nil, "skipped", why ~= nil and host.text(why) or nil
end

-- Runs a section to its end. Returns its result, why, and where it wants to go on.
function core.run_section(node, context)
  local definition, number = node.definition, node.number
  local self = context.self
  local p = reader(node.values, context.reader)
  local frame = setmetatable({
    kind = definition.kind, name = definition.name, uid = node.uid, number = number, is_last = definition.is_last,
    count = 0, self = self, p = p,
  }, Frame)
  core.current = frame
  -- What cleans up runs to its end, as far as there is time.
  local is_shielded = definition.kind == "cleanup" or core.container.kind == "common cleanup"
  if is_shielded then host.shield(true) end
  local result, reason, jump = core.run_open_section(frame, node, definition, self, p)
  if is_shielded then host.shield(false) end
  return result, reason, jump
end

-- Runs a section that is open; see core.run_section.
function core.run_open_section(frame, node, definition, self, p)
  local number = node.number
  local result, reason, data, jump
  if definition.skip then
    local is_out
    is_out, result, reason, data = core.left_out(frame, definition)
    if is_out then
      core.current = nil
      finished(number, result, reason, data, 0)
      return result, reason
    end
    result, reason = nil, nil
  end
  started(number, node.new_uid)
  local began = now()
  result, reason, data = core.before(frame, definition)
  if result == nil then
    local ok, err = enter(definition.fn, self, p, frame)
    result, reason, data, jump = conclude(frame, definition, ok, err)
    result, reason, data = core.after(frame, definition, result, reason, data)
  end
  frame.is_closed = true
  core.current = nil
  if frame.report then core.log_steps(frame) end
  finished(number, result, reason, data, now() - began)
  return result, reason, jump
end
