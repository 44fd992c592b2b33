-- A worker of walks: code for each stage of a suite, copies of states, and single walks.
-- Called once for a suite with `host`, the functions that only Rust can give, and with what the file has defined.
local host, defined = ...

local error, getmetatable, ipairs, load, next, pairs = error, getmetatable, ipairs, load, next, pairs
local rawlen, setmetatable, tostring, type, xpcall = rawlen, setmetatable, tostring, type, xpcall
local concat, format = table.concat, string.format
local traceback, Cancelled, by_metatable = host.traceback, defined.Cancelled, defined.classes.by_metatable

-- A state that is nil, where states are kept by the ids of their walks.
local NIL <const> = {}
-- Nodes of a state up to which it is made by a constructor instead of being copied.
local MOST_NODES <const> = 256
-- Actions of a portion up to which each has variables of its own.
local MOST_ACTIONS <const> = 30

-- Copies a tree.
local function copy_tree(value)
  if type(value) ~= "table" then return value end
  local metatable = getmetatable(value)
  if metatable == nil then
    local made = {}
    for key, item in next, value do
      if type(item) == "table" then item = copy_tree(item) end
      made[key] = item
    end
    return made
  end
  local class = by_metatable[metatable]
  if class and class.copy then return class.copy(value) end
  local made = {}
  for key, item in next, value do made[copy_tree(key)] = copy_tree(item) end
  return setmetatable(made, metatable)
end

-- Copies whatever hangs together, each table once.
local function copy_graph(value, seen)
  if type(value) ~= "table" then return value end
  if seen[value] then return seen[value] end
  local metatable = getmetatable(value)
  local class = by_metatable[metatable]
  if class and class.copy then
    local made = class.copy(value)
    seen[value] = made
    return made
  end
  local made = {}
  seen[value] = made
  for key, item in next, value do made[copy_graph(key, seen)] = copy_graph(item, seen) end
  return setmetatable(made, metatable)
end
local function copy_live(value)
  if type(value) ~= "table" then return value end
  return copy_graph(value, {})
end

-- Returns whether no table is in a value twice.
local function is_tree(value, seen)
  if type(value) ~= "table" then return true end
  if seen[value] then return false end
  seen[value] = true
  for key, item in next, value do
    if not is_tree(key, seen) or not is_tree(item, seen) then return false end
  end
  return true
end

-- Returns the source of a constructor for a plain value; nil if it is none, or large.
local function constructor(value)
  local nodes = 0
  local parts = {}
  local function write(item, depth)
    nodes = nodes + 1
    if nodes > MOST_NODES or depth > 20 then return false end
    local kind = type(item)
    if kind == "table" then
      if getmetatable(item) ~= nil then return false end
      parts[#parts + 1] = "{"
      local length = rawlen(item)
      for index = 1, length do
        if not write(item[index], depth + 1) then return false end
        parts[#parts + 1] = ","
      end
      for key, inner in next, item do
        if not (math.type(key) == "integer" and key >= 1 and key <= length) then
          parts[#parts + 1] = "["
          if type(key) == "table" or not write(key, depth + 1) then return false end
          parts[#parts + 1] = "]="
          if not write(inner, depth + 1) then return false end
          parts[#parts + 1] = ","
        end
      end
      parts[#parts + 1] = "}"
    elseif kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then
      parts[#parts + 1] = format("%q", item)
    else
      return false
    end
    return true
  end
  if not write(value, 0) then return nil end
  return concat(parts)
end

-- What goes wrong in a walk, with the stack it was raised on. An end without an error needs none.
local function keep(raised)
  if raised == host.sentinel then return raised end
  if getmetatable(raised) == Cancelled then return { value = raised } end
  return { value = raised, traceback = traceback("", 2) }
end

local core = {}

function core.protect(f, ...) return xpcall(f, keep, ...) end
function core.is_cancelled(raised) return getmetatable(raised) == Cancelled end

-- Merges what a serial action has returned into a state.
local function merge(state, update)
  if update == nil then return state end
  if state == nil then return copy_tree(update) end
  if type(state) ~= "table" then
    error(format("the state is a %s, so that what the serial action returned cannot be merged into it", type(state)), 0)
  end
  for key, value in next, update do state[key] = copy_tree(value) end
  return state
end

local states, update = {}, nil
function core.set_update(value) update = value end
local function merge_update(state) return merge(state, update) end

function core.keep_state(id, state)
  if state == nil then state = NIL end
  states[id] = state
end
-- Returns whether the state of a walk is here, and the state.
function core.state_of(id)
  local state = states[id]
  if state == nil then return false end
  if state == NIL then return true, nil end
  return true, state
end
function core.forget(id) states[id] = nil end

local lost = {}
-- Notes that the state of a walk is gone with its worker, and why.
function core.lose(id, reason) lost[id] = reason end
local function missing(id)
  error(format("the state of walk %d is lost: %s", id, lost[id] or "it is not in this worker"), 0)
end

local template, is_plain_tree, template_source = nil, true, "nil"
function core.set_template(value)
  template = value
  is_plain_tree = is_tree(value, {})
  template_source = constructor(value)
end
local function fresh()
  if is_plain_tree then return copy_tree(template) end
  return copy_live(template)
end
core.fresh = fresh

-- Where the present walk is: its state, and the place in the order of the action that runs; 0 for none.
local state_now, slot_now = nil, 0
function core.where() return state_now, slot_now end

-- Makes the function that runs the portions of walks from `id` up to, but without, `stop`, of which the first has the
-- portion number `portion`. One such call runs many walks; it is left by an error where a walk fails.
-- `slots`: the actions of the stage, each { place =, run =, options =, count = }. `shape`: what else the code has to do.
function core.stage(slots, shape)
  if shape.rows then return core.listed_stage(slots, shape) end
  local out = {}
  local function add(...) out[#out + 1] = format(...) end
  local is_small = #slots <= MOST_ACTIONS
  add("local begin, ended, states, NIL, missing, fresh, merge_update, slots = ...")
  if is_small then
    for k = 1, #slots do add("local R%d, O%d = slots[%d].run, slots[%d].options", k, k, k, k) end
  end
  add("local state_now, slot_now = nil, 0")
  add("local function run(id, stop, portion)")
  if is_small then
    for k = #slots, 1, -1 do
      add("local i%d = portion %% %d + 1; portion = portion // %d; local o%d = O%d[i%d]", k, slots[k].count, slots[k].count, k, k, k)
    end
  else
    add("local i, o = {}, {}")
    add("for k = #slots, 1, -1 do local s = slots[k]; i[k] = portion %% s.count + 1; portion = portion // s.count; o[k] = s.options[i[k]] end")
  end
  if shape.stride > 1 then add("local left = %d - id %% %d", shape.stride, shape.stride) end
  add("while id < stop do")
  add("begin(id)")
  if shape.takes then
    -- What is not there is noticed inside of the walk that misses it.
    add("slot_now = 0; state_now = nil; local s = states[id]; if s == nil then missing(id) elseif s == NIL then s = nil end")
  elseif template_source then
    add("local s = %s", template_source)
  else
    add("slot_now = 0; state_now = nil; local s = fresh()")
  end
  add("state_now = s")
  if shape.merges then add("slot_now = 0; s = merge_update(s); state_now = s") end
  if is_small then
    for k = 1, #slots do add("slot_now = %d\nR%d(o%d, s)", slots[k].place, k, k) end
  else
    add("for k = 1, #slots do local slot = slots[k]; slot_now = slot.place; slot.run(o[k], s) end")
  end
  if shape.keeps or shape.tells then add("slot_now = 0") end
  if shape.keeps then add("if s == nil then states[id] = NIL else states[id] = s end") end
  if shape.tells then add("ended(id, s)") end
  add("id = id + 1")
  if shape.stride > 1 then add("left = left - 1\nif left == 0 then left = %d", shape.stride) end
  if is_small then
    for k = #slots, 1, -1 do
      add("if i%d < %d then i%d = i%d + 1; o%d = O%d[i%d] else i%d = 1; o%d = O%d[1]", k, slots[k].count, k, k, k, k, k, k, k, k)
    end
    for _ = 1, #slots do add("end") end
  else
    add("for k = #slots, 1, -1 do local s = slots[k]")
    add("if i[k] < s.count then i[k] = i[k] + 1; o[k] = s.options[i[k]]; break end")
    add("i[k] = 1; o[k] = s.options[1] end")
  end
  if shape.stride > 1 then add("end") end
  add("end\nend")
  add("return run, function() return state_now, slot_now end")
  local chunk = load(concat(out, "\n"), "=[rille walks]")
  return chunk(shape.is_timed and host.begin_timed or host.begin, host.ended, states, NIL, missing, fresh, merge_update, slots)
end

-- The same for walks of a list: `shape.rows` has the numbers of the options (from 0) of each, by id.
function core.listed_stage(slots, shape)
  local begin, ended = shape.is_timed and host.begin_timed or host.begin, host.ended
  local rows = shape.rows
  local function run(id, stop)
    while id < stop do
      begin(id)
      slot_now, state_now = 0, nil
      local s
      if shape.takes then
        s = states[id]
        if s == nil then missing(id) elseif s == NIL then s = nil end
      else
        s = fresh()
      end
      state_now = s
      if shape.merges then
        s = merge_update(s)
        state_now = s
      end
      local row = rows[id + 1]
      for k = 1, #slots do
        local slot = slots[k]
        slot_now = slot.place
        slot.run(slot.options[row[k] + 1], s)
      end
      slot_now = 0
      if shape.keeps then core.keep_state(id, s) end
      if shape.tells then ended(id, s) end
      id = id + 1
    end
  end
  return run, core.where
end

-- The same where the common prefix of walks runs once: after each action of it the state is kept, and each walk that
-- branches off there goes on with a copy. `depth`: how many actions from the first on can be shared.
function core.shared_stage(slots, shape, depth)
  local count = #slots
  local saved, tokens = {}, {}
  local before = nil -- the digits of the walk before
  local ran = 0
  local digits = {}
  local last_update = nil
  local rows = shape.rows
  local function take(portion)
    if rows then
      local row = rows[portion + 1]
      for k = 1, count do digits[k] = row[k] end
      return
    end
    for k = count, 1, -1 do
      digits[k] = portion % slots[k].count
      portion = portion // slots[k].count
    end
  end
  local begin, ended = shape.is_timed and host.begin_timed or host.begin, host.ended
  local function run(id, stop, portion)
    while id < stop do
      begin(id)
      take(portion)
      state_now, slot_now = nil, 0
      if update ~= last_update then before, last_update = nil, update end
      -- The first action with another option than in the walk before.
      local level = 0
      if before then
        while level < depth and level < count and saved[level + 1] and before[level + 1] == digits[level + 1] do level = level + 1 end
      end
      local state
      if level == 0 then
        state = merge_update(fresh())
      else
        state = saved[level].state
        state = copy_live(state)
        state_now = state
        for k = 1, level do
          local restore = slots[k].restore
          if restore then
            slot_now = slots[k].place
            restore(saved[level].tokens[k], state)
          end
        end
      end
      state_now = state
      for k = level + 1, count do saved[k] = nil end
      before = before or {}
      for k = 1, count do before[k] = digits[k] end
      for k = level + 1, count do
        local slot = slots[k]
        slot_now = slot.place
        ran = ran + 1
        slot.run(slot.options[digits[k] + 1], state)
        if k <= depth and k < count then
          local taken = {}
          for j = 1, k do
            local snapshot = slots[j].snapshot
            if snapshot then
              slot_now = slots[j].place
              taken[j] = snapshot(state)
            end
          end
          saved[k] = { state = copy_live(state), tokens = taken }
        end
      end
      slot_now = 0
      if shape.keeps then core.keep_state(id, state) end
      if shape.tells then ended(id, state) end
      id = id + 1
      portion = portion + 1
      if portion == shape.portions then portion = 0 end
    end
  end
  -- Returns how many actions have been run since it was asked before.
  local function actions()
    local since = ran
    ran = 0
    return since
  end
  -- Returns how many walks from this portion on are one with it up to the action that failed.
  local function span(portion)
    if rows then
      local level = 0
      while level < count and slots[level + 1].place ~= slot_now do level = level + 1 end
      if level >= count or level >= depth then return 1 end
      local function is_one(other)
        for k = 1, level + 1 do
          if other[k] ~= rows[portion + 1][k] then return false end
        end
        return true
      end
      local many = 1
      while rows[portion + 1 + many] and is_one(rows[portion + 1 + many]) do many = many + 1 end
      return many
    end
    local below = 1
    for k = count, 1, -1 do
      if slots[k].place == slot_now then
        if k > depth then return 1 end
        return below - portion % below
      end
      below = below * slots[k].count
    end
    return 1
  end
  return run, core.where, actions, span
end

-- Shows an option in a line for people.
local function shown(value)
  if type(value) == "string" then return format("%q", value) end
  return tostring(value)
end

-- Runs a serial action on its own; returns what it returned.
function core.serial(slot, option, state)
  state_now, slot_now = state, slot.place
  local returned = slot.run(slot.options[option + 1], state)
  if returned ~= nil and type(returned) ~= "table" then
    error(format("serial action '%s' returned %s; it returns nothing, or a table that is merged into the states", slot.name, shown(returned)), 0)
  end
  return returned
end

-- Runs steps { name =, place =, run =, param =, is_serial = } one after the other from a state. A serial action is given a
-- copy, of the state there or of the one with which walks begin. `pause`, if there is one, is called after each.
function core.steps(steps, state, is_as_run, pause)
  state_now, slot_now = state, 0
  for index, step in ipairs(steps) do
    slot_now = step.place
    if step.is_serial then
      local given = is_as_run and fresh() or copy_live(state)
      local returned = core.serial({ place = step.place, run = step.run, name = step.name, options = { step.param } }, 0, given)
      state = merge(state, returned)
    else
      step.run(step.param, state)
    end
    state_now = state
    if pause then pause(index, format("%s(%s)", step.name, shown(step.param)), state) end
  end
  slot_now = 0
  return state
end

-- Random numbers that depend on nothing but a seed: SplitMix64.
local function mix(z)
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  return z ~ (z >> 31)
end
local function generator(seed, id)
  local at = mix(seed + 0x9e3779b97f4a7c15) ~ mix(id * 2 + 1)
  return function(below)
    at = at + 0x9e3779b97f4a7c15
    return (mix(at) >> 1) % below
  end
end

-- Walks over a machine. `rules`: { name =, place =, run =, options =, count =, precondition =, weight = }.
function core.machine(machine, rules, shape)
  local steps, tried, succeeded = {}, {}, {}
  for index in ipairs(rules) do tried[index], succeeded[index] = 0, 0 end
  local begin, ended = shape.is_timed and host.begin_timed or host.begin, host.ended
  local ran = 0

  local function check(state)
    for _, invariant in ipairs(machine.invariants) do
      if invariant.holds(state) == false then
        local last = steps[#steps]
        local after = last and format("after step %d, %s(%s)", #steps, rules[last.rule].name, shown(rules[last.rule].options[last.option + 1]))
          or "at the beginning"
        error(setmetatable({ kind = "invariant", message = format("invariant '%s' does not hold %s", invariant.name, after) },
          { __tostring = function(raised) return raised.message end }), 0)
      end
    end
  end
  local function step(rule, option, state)
    slot_now = rules[rule].place
    steps[#steps + 1] = { rule = rule, option = option }
    ran = ran + 1
    rules[rule].run(rules[rule].options[option + 1], state)
    check(state)
  end
  local function may(rule, option, state)
    tried[rule] = tried[rule] + 1
    local precondition = rules[rule].precondition
    if not precondition then succeeded[rule] = succeeded[rule] + 1 return true end
    slot_now = rules[rule].place
    if precondition(state, rules[rule].options[option + 1]) then
      succeeded[rule] = succeeded[rule] + 1
      return true
    end
    return false
  end
  local function start()
    steps, state_now, slot_now = {}, nil, 0
    local state = machine.init()
    state_now = state
    check(state)
    return state
  end
  -- Chooses a rule by its weight among those that are left, then its options from a place drawn.
  local function choose(random, state)
    local left, total = {}, 0
    for index, rule in ipairs(rules) do
      left[index] = index
      total = total + rule.weight
    end
    while #left > 0 do
      local at, point = #left, (random(1 << 53) / (1 << 53)) * total
      for index, rule in ipairs(left) do
        point = point - rules[rule].weight
        if point < 0 then at = index break end
      end
      local rule = left[at]
      local first = random(rules[rule].count)
      for offset = 0, rules[rule].count - 1 do
        local option = (first + offset) % rules[rule].count
        if may(rule, option, state) then return rule, option end
      end
      total = total - rules[rule].weight
      table.remove(left, at)
    end
    return nil
  end
  local function run(id, stop)
    while id < stop do
      begin(id)
      local random = generator(shape.seed, id)
      local state = start()
      for _ = 1, shape.max_steps do
        local rule, option = choose(random, state)
        if not rule then break end
        step(rule, option, state)
      end
      slot_now = 0
      if shape.keeps then core.keep_state(id, state) end
      if shape.tells then ended(id, state) end
      id = id + 1
    end
  end
  -- Runs given steps; those whose precondition does not hold are passed over.
  local function replay(list, pause)
    local state = start()
    for index, given in ipairs(list) do
      if may(given.rule, given.option, state) then
        step(given.rule, given.option, state)
        if pause then pause(index, format("%s(%s)", rules[given.rule].name, shown(rules[given.rule].options[given.option + 1])), state) end
      end
    end
    slot_now = 0
    return state
  end
  local function taken() return steps end
  -- Returns the names of the rules that were never run, with how often their preconditions were tried.
  local function idle()
    local list = {}
    for index, rule in ipairs(rules) do
      if succeeded[index] == 0 then list[#list + 1] = { rule.name, tried[index] } end
    end
    return list
  end
  local function actions()
    local since = ran
    ran = 0
    return since
  end
  return { run = run, replay = replay, taken = taken, idle = idle, actions = actions }
end

return core
