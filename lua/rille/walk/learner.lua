-- Asks functions of constraints for whole tables at a time. Called once for each VM.
local unpack <const>, char <const>, concat <const> = table.unpack, string.char, table.concat
local setmetatable, next, mtype = setmetatable, next, math.type

-- Returns the answers of `f` for `many` combinations of the items of lists, from number `from` on (0 is the first), one byte
-- each: 1 for yes. The item of the last list changes fastest.
local function answers(f, lists, count, from, many)
  local at, args, lengths, out = {}, {}, {}, {}
  local rest = from
  for k = count, 1, -1 do
    local list = lists[k]
    lengths[k] = list.n
    at[k] = rest % list.n + 1
    rest = rest // list.n
    args[k] = list[at[k]]
  end
  for number = 1, many do
    out[number] = f(unpack(args, 1, count)) and "\1" or "\0"
    for k = count, 1, -1 do
      if at[k] < lengths[k] then
        at[k] = at[k] + 1
        args[k] = lists[k][at[k]]
        break
      end
      at[k] = 1
      args[k] = lists[k][1]
    end
  end
  return concat(out)
end

-- Returns a list that says what is read of it, and a function that returns the indices that were read; true where all
-- of it was.
local function watch(list)
  local seen, all = {}, false
  local proxy = setmetatable({}, {
    __index = function(_, key)
      if mtype(key) == "integer" then seen[key] = true end
      return list[key]
    end,
    __len = function() return #list end,
    __pairs = function()
      all = true
      return next, list, nil
    end,
  })
  return proxy, function()
    if all then return true end
    local indices = {}
    for index in next, seen do indices[#indices + 1] = index end
    return indices
  end
end

-- Returns what a function over whole walks says, as a function of the numbers of their options, from 0.
local function numbered(f, instances)
  return function(...) return f(instances { ... }) end
end

-- Returns whether no action refuses a walk, as such a function.
local function unrefused(refused)
  return function(...) return refused { ... } == nil end
end

return answers, watch, numbered, unrefused
