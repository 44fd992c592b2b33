-- Walks against a key-value store: every way to set, change, delete and reopen, each checked against a model.
--
--   rille walk suite.lua                the store is right: every walk passes
--   KV_FAULT=1 rille walk suite.lua     the store has a mistake: see which options the failing walks share
--
-- All walks use one store, and each has keys of its own in it. So vacuuming it once, while no walk is under way, is a
-- serial action.
local walk = require "rille.walk"

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- Runs the program on the store of this run, with some options and a command; returns what it printed and its exit code.
local function kv(options, ...)
  local words = { "python3 -S", quoted(here .. "/kv.py"), options, quoted(runtime.directory .. "/store.db") }
  if os.getenv("KV_FAULT") then table.insert(words, 3, "--fault") end
  for _, word in ipairs { ... } do words[#words + 1] = quoted(word) end
  local pipe = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  local text = pipe:read("a")
  local _, _, code = pipe:close()
  return text, code
end

-- Runs a command that changes the store. What it then holds for this walk must be what the model says.
local function change(state, expected_code, command, ...)
  local text, code = kv("--list " .. state.prefix, command, ...)
  if code ~= expected_code then error(("%s left with %d, and not %d: %s"):format(command, code, expected_code, text)) end
  local lines = {}
  for name, value in pairs(state.model) do lines[#lines + 1] = ("%s %d"):format(name, #value) end
  table.sort(lines)
  local expected = table.concat(lines, ", ")
  local found = text:gsub("%s+$", ""):gsub("\n", ", ")
  if found ~= expected then error(("the store holds {%s}, and should hold {%s}"):format(found, expected)) end
end

local function key(state, name) return state.prefix .. "/" .. name end

-- Keys of different walks must differ, also between workers.
local begun = 0

local Begin = walk.action {
  name = "Begin",
  options = { true },
  run = function(_, state)
    begun = begun + 1
    state.prefix = ("%s-%d"):format(runtime.task.taskid:match("[^/]*$"), begun)
    state.model = {}
  end,
}

local Set = walk.action {
  name = "Set",
  options = { "short", "long" },
  run = function(length, state)
    local value = length == "long" and ("x"):rep(200) or "x"
    state.model[key(state, "a")] = value
    change(state, 0, "set", key(state, "a"), value)
  end,
}

local Transaction = walk.action {
  name = "Transaction",
  options = { "none", "commit", "rollback" },
  run = function(ending, state)
    if ending == "none" then return end
    if ending == "commit" then
      state.model[key(state, "b")] = "new"
      state.model[key(state, "a")] = nil
    end
    change(state, 0, "transaction", ending, key(state, "b") .. "=new", key(state, "a"))
  end,
}

local Vacuum = walk.serial_action {
  name = "Vacuum",
  options = { true },
  run = function()
    local text, code = kv("", "vacuum")
    if code ~= 0 then error(text) end
  end,
}

local Reopen = walk.action {
  name = "Reopen",
  options = { true },
  run = function(_, state) change(state, 0, "reopen") end,
}

local Delete = walk.action {
  name = "Delete",
  options = { "a", "b" },
  run = function(name, state)
    local was_there = state.model[key(state, name)] ~= nil
    state.model[key(state, name)] = nil
    change(state, was_there and 0 or 1, "delete", key(state, name))
    local _, code = kv("", "get", key(state, name))
    if code ~= 1 then error(("'%s' is still there"):format(name)) end
  end,
}

return {
  order = { Begin, Set, Transaction, Vacuum, Reopen, Delete },
  state = {},
  shrink = true,
}
