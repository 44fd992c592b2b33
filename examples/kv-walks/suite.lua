-- Walks against a key-value store: every way to set, change, delete and reopen, each checked against a model.
--
--   rille walk suite.lua                the store is right: every walk passes
--   KV_FAULT=1 rille walk suite.lua     the store has a mistake: see which options the failing walks share
--
-- All walks use one store, and each has keys of its own in it. So vacuuming it once, while no walk is under way, is a
-- serial action.
local walk = require "rille.walk"

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
local program = os.getenv("KV_FAULT") and "kv.py --fault" or "kv.py"

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- Runs the program on the store of this run and returns what it printed and its exit code.
local function kv(...)
  local words = { "python3", here .. "/" .. program, quoted(runtime.directory .. "/store.db") }
  for _, word in ipairs { ... } do words[#words + 1] = quoted(word) end
  local pipe = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  local text = pipe:read("a")
  local _, _, code = pipe:close()
  return text, code
end

local function must(...)
  local text, code = kv(...)
  if code ~= 0 then error(("kv.py %s: exit code %d: %s"):format(..., code, text)) end
  return text
end

-- What the store holds for this walk must be what the model says.
local function check(state)
  local lines = {}
  for key, value in pairs(state.model) do lines[#lines + 1] = ("%s %d"):format(key, #value) end
  table.sort(lines)
  local expected = table.concat(lines, "\n")
  local found = must("list", state.prefix):gsub("%s+$", "")
  if found ~= expected then
    error(("the store holds {%s}, and should hold {%s}"):format(found:gsub("\n", ", "), expected:gsub("\n", ", ")))
  end
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
    must("set", key(state, "a"), value)
    state.model[key(state, "a")] = value
    check(state)
  end,
}

local Transaction = walk.action {
  name = "Transaction",
  options = { "none", "commit", "rollback" },
  run = function(ending, state)
    if ending == "none" then return end
    must("transaction", ending, key(state, "b") .. "=new", key(state, "a"))
    if ending == "commit" then
      state.model[key(state, "b")] = "new"
      state.model[key(state, "a")] = nil
    end
    check(state)
  end,
}

local Vacuum = walk.serial_action {
  name = "Vacuum",
  options = { true },
  run = function() must("vacuum") end,
}

local Reopen = walk.action {
  name = "Reopen",
  options = { false, true },
  run = function(wanted, state)
    if not wanted then return end
    local text = must("reopen")
    if not text:match("^ok") then error("the store is damaged: " .. text) end
    check(state)
  end,
}

local Delete = walk.action {
  name = "Delete",
  options = { "a", "b" },
  run = function(name, state)
    local _, code = kv("delete", key(state, name))
    local was_there = state.model[key(state, name)] ~= nil
    if (code == 0) ~= was_there then error(("delete of '%s' left with %d"):format(name, code)) end
    state.model[key(state, name)] = nil
    check(state)
    local _, found = kv("get", key(state, name))
    if found ~= 1 then error(("'%s' is still there"):format(name)) end
  end,
}

return {
  order = { Begin, Set, Transaction, Vacuum, Reopen, Delete },
  state = {},
  shrink = true,
}
