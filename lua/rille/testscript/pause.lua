-- `--pause-on-failure`: a prompt inside a section that has failed, while its functions still stand on the stack.
local core = ...
local host = core.host
local getinfo, getlocal, judge, load, setmetatable, tostring =
  host.getinfo, host.getlocal, core.judge, load, setmetatable, tostring

local HELP = [[
  continue (c)   go on; the section is what it is
  skip (s)       go on behind the rest of this testcase
  abort (a)      end the script: the section is aborted, the rest blocked, common cleanup runs
  run (r)        go on and pause no more
  bt             show the calls
  locals (l)     show the local variables
  help (h)       show this
  anything else is Lua: an expression, or a statement, with the local variables, self, p and steps in reach
]]
local STOPS = { failed = true, errored = true, aborted = true }

-- Returns the local variables of the user's functions on the stack, and their names in order. An inner one hides an
-- outer one of the same name; in one function the later hides the earlier.
local function variables()
  local found, names = {}, {}
  for level = 3, 200 do
    local info = getinfo(level, "S")
    if info == nil then break end
    if info.source:sub(1, 1) == "@" then
      for index = 1, 250 do
        local name, value = getlocal(level, index)
        if name == nil then break end
        local before = found[name]
        if name:sub(1, 1) ~= "(" and (before == nil or before.level == level) then
          if before == nil then names[#names + 1] = name end
          found[name] = { value = value, level = level }
        end
      end
    end
  end
  return found, names
end

-- Returns an environment in which names mean what they mean in the section.
local function environment(locals, frame)
  local section = { self = frame.self, p = frame.p, steps = frame, step = frame.open_step }
  return setmetatable({}, {
    __index = function(_, name)
      local variable = locals[name]
      if variable then return variable.value end
      if section[name] ~= nil then return section[name] end
      return _G[name]
    end,
  })
end

local function evaluate(text, scope)
  local chunk, problem = load("return " .. text, "=prompt", "t", scope)
  if chunk == nil then
    chunk = load(text, "=prompt", "t", scope)
    if chunk == nil then
      local _, other = load(text, "=prompt", "t", scope)
      return (other or problem) .. "\n"
    end
  end
  local results = table.pack(core.pcall(chunk))
  if not results[1] then
    local _, message = host.describe({ value = results[2] })
    return message .. "\n"
  end
  local shown = {}
  for i = 2, results.n do shown[#shown + 1] = host.text(results[i]) end
  return #shown > 0 and table.concat(shown, "\t") .. "\n" or ""
end

-- Asks the user about a result or an error. Returns what is to be raised in its place.
local function pause(err)
  local frame = core.current
  if frame == nil then return err end
  local result, reason, data = judge(err)
  if not STOPS[result] then return err end
  err.was_shown = true
  local locals, names = variables()
  local scope = environment(locals, frame)
  local path = frame.uid
  if core.container and core.container ~= frame then path = core.container.uid .. "." .. path end
  local shown = ("\n%s is %s%s\n(continue, skip, abort, run, bt, locals, help, or Lua)\n"):format(
    path, result, reason and ": " .. reason or "")
  while true do
    local line = host.prompt(shown .. "rille> ")
    if line == nil then
      core.pause = nil
      host.log("WARNING", "--pause-on-failure: there is no terminal to ask at, or no more input; it goes on without pauses")
      return err
    end
    line = line:match("^%s*(.-)%s*$")
    shown = ""
    if line == "continue" or line == "c" then return err
    elseif line == "run" or line == "r" then
      core.pause = nil
      return err
    elseif line == "abort" or line == "a" then
      core.pause, core.ended_because = nil, "the script was aborted at the prompt"
      return core.signal(frame, "aborted", "aborted at the prompt" .. (reason and ", after: " .. reason or ""), data)
    elseif line == "skip" or line == "s" then
      local signal = core.signal(frame, result, reason, data)
      signal.was_shown = true
      if frame.kind == "setup" or frame.kind == "test" then signal.jump = "cleanup" end
      if frame.kind == "subsection" and not frame.is_last then signal.jump = "next_tc" end
      return signal
    elseif line == "bt" then
      local _, _, kept = judge(err)
      shown = (kept and kept.traceback or "no calls are known") .. "\n"
    elseif line == "locals" or line == "l" then
      for _, name in ipairs(names) do shown = shown .. ("  %s = %s\n"):format(name, host.text(locals[name].value)) end
    elseif line == "help" or line == "h" then shown = HELP
    elseif line ~= "" then shown = evaluate(line, scope)
    end
  end
end

if host.choice.pause_on_failure then core.pause = pause end
