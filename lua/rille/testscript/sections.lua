-- Running one section that is made of code: its processors, its function, its result.
local core = ...
local host = core.host
local enter, finished, getmetatable, is_good, is_signal, is_stronger, judge, next, now, setmetatable, started =
  core.enter, host.finished, getmetatable, core.is_good, core.is_signal, core.is_stronger, core.judge, next, host.now,
  setmetatable, host.started
local Frame, globals = core.Frame, core.globals

-- Runs processors in order, the global ones first, and returns the strongest of what they say: result, reason and data.
-- `at_false` is the result that false stands for, `at_assertion` that of a failed assertion.
local function run_all(stage, frame, definition, at_false, at_assertion)
  local said, reason, data
  for _, list in ipairs { globals[stage] or {}, definition[stage] or {} } do
    for _, f in ipairs(list) do
      frame.reported = nil
      local ok, value = enter(f, frame.self, frame.p, frame)
      local result, why, more
      if not ok then
        result, why, more = judge(value)
        if not is_signal(value) then
          if result == "failed" then result = at_assertion end
          if result ~= "blocked" then why = ("a %s processor raised: %s"):format(stage, why) end
        end
      elseif value == false then
        result, why = at_false, ("a %s processor returned false"):format(stage)
      end
      if is_stronger(result, said) then
        said, reason, data = result, why, more
        if stage == "post" then frame.result, frame.reason = said, reason end
      end
      if core.ended_because then return said, reason, data end
    end
  end
  return said, reason, data
end

-- Runs the pre processors. Returns result, reason and data if they keep the section from running.
function core.before(frame, definition)
  if not (globals.pre or definition.pre) then return end
  return run_all("pre", frame, definition, "skipped", "blocked")
end

-- Runs the post processors. What one of them says is the result; a better one names what it stands for.
function core.after(frame, definition, result, reason, data)
  if not (globals.post or definition.post) then return result, reason, data end
  frame.result, frame.reason = result, reason
  local said, why, more = run_all("post", frame, definition, "failed", "failed")
  if said == nil or core.ended_because and not is_stronger(said, result) then return result, reason, data end
  if not is_good[result] and said ~= result then
    local was = reason and ("%s: %s"):format(result, reason) or result
    if is_stronger(result, said) then why = why and ("%s (was %s)"):format(why, was) or "was " .. was end
  end
  return said, why, more
end

-- Shows an error to all exception processors. Returns whether one of them took care of it, or the strongest of what they
-- have raised.
local function on_error(frame, definition, caught)
  local is_handled, raised = false, nil
  for _, list in ipairs { globals.exception or {}, definition.exception or {} } do
    for _, f in ipairs(list) do
      local ok, value = enter(f, frame.self, frame.p, frame, caught.value)
      if ok then
        is_handled = is_handled or value == true
      elseif raised == nil or is_stronger((judge(value)), (judge(raised))) then
        raised = value
      end
      if core.ended_because then return is_handled and raised == nil, raised end
    end
  end
  return is_handled and raised == nil, raised
end

-- Returns result, reason, data and jump of a function that has ended: what it has said, or else what its steps came to.
local function conclude(frame, definition, ok, err)
  if not ok and not is_signal(err) and (globals.exception or definition.exception) then
    local is_handled, raised = on_error(frame, definition, err)
    if is_handled then
      ok = true
    elseif raised ~= nil then
      if not is_signal(raised) then
        local result, reason, data = judge(raised)
        local _, first = judge(err)
        raised = core.signal(frame, result, ("an exception processor raised: %s (about: %s)"):format(reason, first), data)
      end
      err = raised
    end
  end
  local said, jump = frame.reported, nil
  if ok then
    jump = said and said.jump
  elseif is_signal(err) then
    jump = err.jump
  end
  local is_of_part = not ok and err.is_of_part
  if not ok and not (is_of_part and said == nil) then
    local result, reason, data = judge(err)
    if said == nil or is_stronger(result, said.result) then said = { result = result, reason = reason, data = data } end
  end
  if said and not (is_of_part and is_stronger(frame.rolled, said.result)) then return said.result, said.reason, said.data, jump end
  if is_stronger(frame.rolled, "passed") then
    local _, data
    if is_of_part then _, _, data = judge(err) end
    return frame.rolled, frame.rolled_reason, data, jump
  end
  return "passed", nil, nil, jump
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

local MAY_HELP = { failed = true, errored = true }

-- Returns the result of an attempt, and why; notes whether the section is run again. A pass that took more than one attempt is
-- a passx.
function core.settle_attempt(node, result, reason)
  local attempt, retries = node.attempt or 1, node.retries or 0
  if MAY_HELP[result] and attempt <= retries and not core.why_ended() then
    node.will_retry = true
  elseif attempt > 1 and is_good[result] then
    local remark = ("%s on attempt %d of %d"):format(result == "skipped" and result or "passed", attempt, retries + 1)
    reason = reason and ("%s (%s)"):format(reason, remark) or remark
    if result == "passed" then result = "passx" end
  end
  return result, reason
end

-- Runs a section until it does not fail or has had its attempts. `run` runs one attempt. Returns the last one, and what `run`
-- has returned of it.
function core.attempts(node, context, parent, run)
  local result, reason, jump, passed_on = run(node, context)
  while node.will_retry do
    if node.definition.retry_wait then host.wait(node.definition.retry_wait) end
    node = core.announce_retry(node, parent)
    result, reason, jump, passed_on = run(node, context)
  end
  return node, result, reason, jump, passed_on
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
  -- What was not left out and failed is not left out now.
  if definition.skip and not node.attempt then
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
    -- What its steps came to, and what it was before its post processors, still counts for what it is a part of.
    node.rolled, node.rolled_reason = result, reason
    if is_stronger(frame.rolled, result) then node.rolled, node.rolled_reason = frame.rolled, frame.rolled_reason end
    result, reason, data = core.after(frame, definition, result, reason, data)
  end
  frame.is_closed = true
  core.current = nil
  if frame.report then core.log_steps(frame) end
  result, reason = core.settle_attempt(node, result, reason)
  finished(number, result, reason, data, now() - began, node.will_retry)
  return result, reason, jump
end
