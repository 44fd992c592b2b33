-- Running a whole script: common setup, testcases, common cleanup, and what blocks what.
local core = ...
local host = core.host
local attempts, enter, finished, ipairs, is_good, is_stronger, now, pass_over, setmetatable, started, why_ended =
  core.attempts, core.enter, host.finished, ipairs, core.is_good, core.is_stronger, host.now, core.pass_over, setmetatable, host.started, core.why_ended

local Self = { __index = core.results, __name = "testcase" }
-- What sections find as `self.parent`.
core.script = { uid = host.stem, parameters = core.script_parameters }

local function because(text, reason)
  return reason and text .. ": " .. reason or text
end

-- Runs a section, or all turns of its lazy loop; `run` runs one and returns result, reason and jump. Calls `take` with
-- each result; it returns whether the next turn is to come.
local function run_turns(node, context, parent, run, take)
  if node.is_empty then
    pass_over(node, "skipped", "its loop has no turns")
    return take(node, "skipped", "its loop has no turns")
  end
  if not node.is_lazy then return take(attempts(node, context, parent, run)) end
  local loop, turn = node.definition.loop, 0
  while true do
    turn = turn + 1
    -- What it waits for may take its time.
    host.flush()
    local ok, values = enter(loop.poll, context.self, setmetatable({}, context.reader))
    if not ok then
      local _, reason, data = core.judge(values)
      reason = "its loop raised: " .. reason
      local broken = turn == 1 and node or core.announce_turn(node, core.uid_of(node.definition) .. "[" .. turn .. "]", nil, parent)
      pass_over(broken, "errored", reason, data)
      return take(broken, "errored", reason)
    end
    if values == nil then
      if turn > 1 then return end
      pass_over(node, "skipped", "its loop has no turns")
      return take(node, "skipped", "its loop has no turns")
    end
    local uid = core.turn_uid(loop, core.uid_of(node.definition), values, turn)
    local now_run = node
    if turn == 1 then
      node.uid = core.unique(node.used, uid)
      node.new_uid, node.values = node.uid, values
      node.retries = core.retries_of(node)
    else
      now_run = core.announce_turn(node, uid, values, parent)
    end
    if not take(attempts(now_run, context, parent, run)) then return end
  end
end

-- Runs what a testcase, or common setup or cleanup, is made of. Returns the roll-up, why, and the jump.
local function run_parts(node, context)
  local rolled, why, blocked, jump, passed_on
  local function take(part, result, reason, wanted)
    if is_stronger(result, rolled) then rolled, why = result, because(part.uid, reason) end
    if is_stronger(part.rolled, rolled) then rolled, why = part.rolled, because(part.uid, part.rolled_reason) end
    if wanted then
      jump, passed_on = wanted, wanted == "exit" and "aborted" or result == "passed" and "skipped" or "blocked"
      return false
    end
    if why_ended() and not blocked then
      blocked = why_ended()
      return false
    end
    if is_good[result] then return true end
    if part.definition.kind == "setup" then
      blocked = because("the setup did not pass", reason)
    elseif part.definition.must_pass and not blocked then
      blocked = because(("%s '%s' must pass and did not"):format(part.definition.kind, part.uid), reason)
    end
    return not blocked
  end
  for _, part in ipairs(node.parts) do
    local is_cleanup = part.definition.kind == "cleanup"
    if jump and not (is_cleanup and jump == "cleanup") then
      local reason = ("jumped over on the way to %s"):format(jump)
      pass_over(part, passed_on, reason)
      take(part, passed_on, reason)
    elseif blocked and not is_cleanup then
      pass_over(part, "blocked", blocked)
      take(part, "blocked", blocked)
    else
      run_turns(part, context, node.number, core.run_section, take)
    end
  end
  if rolled == nil then return "skipped", "there is nothing in it" end
  return rolled, rolled ~= "passed" and why or nil, jump, passed_on
end

-- Runs a testcase, or common setup or cleanup.
local function run_container(node)
  local definition = node.definition
  local own = core.own_parameters(definition, node.values)
  local self = setmetatable({
    uid = node.uid, parameters = own, parent = core.script, groups = definition.groups, attempt = node.attempt or 1,
  }, Self)
  core.set_fields(self, definition)
  local context = { self = self, reader = core.parameter_reader(own, self) }
  local frame = setmetatable({
    kind = definition.kind, name = definition.name, uid = node.uid, number = node.number, self = self, count = 0,
    p = setmetatable({}, context.reader), groups = definition.groups,
  }, core.Frame)
  core.container, core.current = frame, frame
  local result, reason, data, jump, passed_on
  if definition.skip and not node.attempt then
    local is_out
    is_out, result, reason, data = core.left_out(frame, definition)
    if is_out then
      core.container, core.current = nil, nil
      pass_over(node, result, reason)
      return result, reason
    end
  end
  started(node.number, node.new_uid)
  frame.is_started = true
  local began = now()
  result, reason, data = core.before(frame, definition)
  if result then
    for _, part in ipairs(node.parts) do pass_over(part, is_good[result] and "skipped" or "blocked", reason) end
  else
    core.current = nil
    result, reason, jump, passed_on = run_parts(node, context)
    core.current = frame
    result, reason, data = core.after(frame, definition, result, reason, data)
  end
  frame.is_closed = true
  core.container, core.current = nil, nil
  result, reason = core.settle_attempt(node, result, reason)
  finished(node.number, result, reason, data, now() - began, node.will_retry)
  return result, reason, jump, passed_on
end

-- Runs all sections. Returns outcome, reason and data; nothing if the script defines none.
function core.run()
  if #core.testcases == 0 and not core.common_setup and not core.common_cleanup then return nil end
  core.is_running = true
  core.apply_datafile()
  core.settle_parameters()
  local plan, nothing = core.make_plan()
  if plan == nil then return "skipped", nothing end

  local rolled, why, bad, total = nil, nil, 0, 0
  local blocked, jump, passed_on, failures = nil, nil, nil, 0
  local most = host.choice.max_failures or core.settings.max_failures
  local function count(node, result, reason, wanted, over)
    if is_stronger(result, rolled) then rolled, why = result, because(node.uid, reason) end
    total = total + 1
    if not is_good[result] then bad = bad + 1 end
    if wanted and wanted ~= "cleanup" then jump, passed_on = wanted, over end
  end
  local function leave_out(node, result, reason)
    pass_over(node, result, reason)
    count(node, result, reason)
  end

  if plan.setup then
    local result, reason, wanted, over = run_container(plan.setup)
    count(plan.setup, result, reason, wanted, over)
    if why_ended() then blocked = why_ended()
    elseif not is_good[result] then blocked = because("common setup did not pass", reason) end
  end
  local function take(node, result, reason, wanted, over)
    count(node, result, reason, wanted, over)
    if why_ended() then
      blocked = why_ended()
    elseif not is_good[result] then
      failures = failures + 1
      if node.definition.must_pass then
        blocked = ("testcase '%s' must pass and did not"):format(node.uid)
      elseif most and failures >= most then
        blocked = ("%d testcase%s failed, which is as many as may (max_failures)"):format(failures, failures == 1 and "" or "s")
      end
    end
    return not blocked and (jump == nil or jump == "next_tc")
  end
  for _, node in ipairs(plan.testcases) do
    if jump == "next_tc" then jump = nil end
    if jump then
      leave_out(node, blocked and "blocked" or passed_on, blocked or ("jumped over on the way to %s"):format(jump))
    elseif blocked then
      leave_out(node, "blocked", blocked)
    else
      local context = { self = core.script, reader = core.parameter_reader(core.script_parameters, core.script) }
      run_turns(node, context, 0, run_container, take)
    end
  end
  if plan.cleanup then
    if jump == "exit" then
      leave_out(plan.cleanup, passed_on, "jumped over on the way to exit")
    else
      count(plan.cleanup, run_container(plan.cleanup))
    end
  end
  local reason = rolled ~= "passed" and why or nil
  if bad > 1 then reason = ("%s (%d of %d did not pass)"):format(reason, bad, total) end
  return rolled, reason, plan.seed and { random_seed = plan.seed } or nil
end

-- Ends what is open when the script leaves by os.exit, and returns why.
function core.exit(code)
  local container, current = core.container, core.current
  if container == nil and current == nil then return nil end
  local reason = ("the script left by os.exit(%d)"):format(code)
  local step = current and current.open_step
  while step and step.parent do
    finished(step.number, "errored", reason, nil, 0)
    step = step.parent
  end
  if current and current ~= container then finished(current.number, "errored", reason, nil, 0) end
  if container then finished(container.number, "errored", reason, nil, 0) end
  local uid = container and container.uid or current.uid
  if current and current ~= container then uid = uid .. "." .. current.uid end
  return uid .. ": " .. reason
end
