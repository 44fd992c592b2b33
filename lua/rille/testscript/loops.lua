-- Loops: from what a definition says to the values and the uid of each turn.
local core = ...
local host = core.host
local concat, ipairs, math_type, next, offset, pairs, sort, tostring, type =
  table.concat, ipairs, math.type, next, utf8.offset, pairs, table.sort, tostring, type

-- The longest text of a value in a uid, in characters.
local LONGEST = 60

local function sorted_keys(values)
  local keys = {}
  for key in next, values do
    if type(key) ~= "string" then host.definition_error("the keys of a loop's values are names") end
    keys[#keys + 1] = key
  end
  sort(keys)
  return keys
end

local function shown(value, turn)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then return "#" .. turn end
  local text = tostring(value):gsub("%c", " ")
  -- Never inside a character.
  if #text > LONGEST then text = text:sub(1, (offset(text, 0, LONGEST + 1) or LONGEST + 1) - 1) .. "…" end
  return text
end

-- Returns `name[size=64,speed=1]`.
function core.turn_uid(loop, name, values, turn)
  local given = loop.uids and loop.uids[turn]
  if given then return given end
  local parts = {}
  for i, key in ipairs(sorted_keys(values)) do parts[i] = key .. "=" .. shown(values[key], turn) end
  if #parts == 0 then parts[1] = tostring(turn) end
  return name .. "[" .. concat(parts, ",") .. "]"
end

-- Every combination of lists by key; the first key in alphabetical order changes slowest.
local function product(lists)
  local turns = { {} }
  for _, key in ipairs(sorted_keys(lists)) do
    local longer = {}
    for _, turn in ipairs(turns) do
      for _, value in ipairs(lists[key]) do
        local copy = { [key] = value }
        for name, other in next, turn do copy[name] = other end
        longer[#longer + 1] = copy
      end
    end
    turns = longer
  end
  return turns
end

-- Returns a list of turns: the first values of all lists, the second ones, and so on. The lists are of one length.
function core.zip(lists)
  if type(lists) ~= "table" or next(lists) == nil then
    host.definition_error("zip takes lists by name, such as zip { a = { 1, 2 }, b = { 10, 20 } }, not " .. host.shown(lists))
  end
  local turns, first = {}, nil
  for _, key in ipairs(sorted_keys(lists)) do
    local list = lists[key]
    if type(list) ~= "table" then
      host.definition_error(("zip.%s must be a list, not %s"):format(key, host.shown(list)))
    end
    local length = host.check_list(list, "zip." .. key)
    first = first or { key = key, length = length }
    if length ~= first.length then
      host.definition_error(("zip.%s has %d values and zip.%s %d; give them the same number"):format(
        first.key, first.length, key, length))
    end
    for turn = 1, length do
      turns[turn] = turns[turn] or {}
      turns[turn][key] = list[turn]
    end
  end
  return turns
end

-- Reads one turn: a table of values by name, or one value that is called `value`.
local function turn_values(item)
  if type(item) == "table" and getmetatable(item) == nil and #item == 0 then return item end
  return { value = item }
end

-- Reads what stands behind `loop` and `uids`. Turns are known, or polled from a function.
function core.read_loop(loop, uids)
  uids = uids ~= nil and core.words(uids, "uids") or nil
  if loop == nil then
    local turns = {}
    for i in ipairs(uids) do turns[i] = {} end
    return { turns = turns, uids = uids }
  end
  if type(loop) == "function" then
    return { uids = uids, poll = function(self, p)
      local item = loop(self, p)
      if item ~= nil then return turn_values(item) end
    end }
  end
  if type(loop) ~= "table" then
    host.definition_error("loop must be a table, such as { size = { 64, 1500 } }, or a function, not a " .. type(loop))
  end
  if next(loop) == nil then return { turns = {}, uids = uids } end
  if loop[1] ~= nil or #loop > 0 then
    local turns = {}
    host.check_list(loop, "loop")
    for i, item in ipairs(loop) do turns[i] = turn_values(item) end
    return { turns = turns, uids = uids }
  end
  local lazy
  for _, key in ipairs(sorted_keys(loop)) do
    if type(loop[key]) == "function" then lazy = key
    elseif type(loop[key]) ~= "table" then
      host.definition_error(("loop.%s must be a list or a function, not a %s"):format(key, type(loop[key])))
    else
      host.check_list(loop[key], "loop." .. key)
    end
  end
  if lazy == nil then return { turns = product(loop), uids = uids } end
  if next(loop, next(loop)) ~= nil then
    host.definition_error(("loop.%s is a function, which cannot be combined with other keys; let it return tables"):format(lazy))
  end
  local generate = loop[lazy]
  return { uids = uids, poll = function(self, p)
    local value = generate(self, p)
    if value ~= nil then return { [lazy] = value } end
  end }
end
