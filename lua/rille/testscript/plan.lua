-- From definitions to the sections that are to run: loops expanded, chosen, put in order, numbered and announced.
local core = ...
local host = core.host
local ipairs = ipairs

-- Returns a uid that no sibling has.
local function unique(used, uid)
  local free, count = uid, 1
  while used[free] do
    count = count + 1
    free = uid .. "#" .. count
  end
  used[free] = true
  return free
end
core.unique = unique

-- Returns the uid that a datafile has for a testcase, or else its name.
function core.uid_of(definition)
  return definition.uid or definition.name
end

-- Returns how often a section that fails is run again: what the command line says of its uid, what it says itself, what the
-- command line says of all testcases.
function core.retries_of(node)
  local definition = node.definition
  local is_testcase = definition.kind == "testcase"
  local named = is_testcase and host.retries and host.retries(node.uid, core.uid_of(definition)) or nil
  return named or definition.retry or is_testcase and host.choice.retry or 0
end

local function announce(node, parent, before)
  local definition = node.definition
  node.retries = core.retries_of(node)
  node.number = host.plan(definition.kind, node.uid, parent, definition.line, definition.description, definition.groups,
    node.retries, before)
  return node
end

-- Adds to `entries` what a definition stands for: itself, or the turns of its loop.
local function expand(entries, definition, used)
  local loop, name = definition.loop, core.uid_of(definition)
  if loop == nil then
    entries[#entries + 1] = { definition = definition, uid = unique(used, name) }
  elseif loop.poll then
    entries[#entries + 1] = { definition = definition, uid = unique(used, name), is_lazy = true, used = used }
  elseif #loop.turns == 0 then
    entries[#entries + 1] = { definition = definition, uid = unique(used, name), is_empty = true }
  else
    for turn, values in ipairs(loop.turns) do
      local uid = unique(used, core.turn_uid(loop, name, values, turn))
      entries[#entries + 1] = { definition = definition, uid = uid, values = values }
    end
  end
end

-- Announces what a testcase, or common setup or cleanup, is made of.
local function announce_parts(node)
  local definition, parts, used = node.definition, {}, {}
  if definition.setup then expand(parts, definition.setup, used) end
  for _, test in ipairs(definition.tests) do expand(parts, test, used) end
  if definition.cleanup then expand(parts, definition.cleanup, used) end
  for _, part in ipairs(parts) do announce(part, node.number) end
  node.parts = parts
  return node
end

-- Announces one more turn of a lazy loop: a section that was not known before.
function core.announce_turn(node, uid, values, parent)
  local turn = { definition = node.definition, uid = unique(node.used, uid), values = values }
  announce(turn, parent)
  if node.parts then announce_parts(turn) end
  return turn
end

-- Announces another attempt at a section: a section of the same name in the place of the one that failed.
function core.announce_retry(node, parent)
  local again = { definition = node.definition, uid = node.uid, values = node.values, attempt = (node.attempt or 1) + 1 }
  announce(again, parent, node.number)
  if node.parts then announce_parts(again) end
  host.log("INFO", ("%s %s is run again: attempt %d of %d"):format(
    node.definition.kind, node.uid, again.attempt, again.retries + 1))
  return again
end

local function fits(entry)
  return host.fits(entry.uid, core.uid_of(entry.definition), entry.definition.groups or {})
end

-- Returns the testcases that are chosen.
local function chosen(entries)
  local choice, kept = host.choice, {}
  for _, entry in ipairs(entries) do
    if fits(entry) then kept[#kept + 1] = entry end
  end
  if not choice.ask or #kept == 0 then return kept end
  local uids, groups, asked = {}, {}, {}
  for i, entry in ipairs(kept) do uids[i], groups[i] = entry.uid, entry.definition.groups or {} end
  for i, is_chosen in ipairs(host.select(uids, groups)) do
    if is_chosen then asked[#asked + 1] = kept[i] end
  end
  return asked
end

-- Returns the testcases in random order, and the seed.
local function shuffled(entries)
  local seed = host.choice.random_seed or core.settings.random_seed or host.draw_seed()
  host.log("INFO", ("testcases run in random order, with the seed %d"):format(seed))
  local mixed = {}
  for place, index in ipairs(host.shuffle(#entries, seed)) do mixed[place] = entries[index] end
  return mixed, seed
end

local function common(definition)
  if definition == nil then return nil end
  if host.choice.is_limited and not host.fits_common(definition.name) then return nil end
  return { definition = definition, uid = definition.name }
end

-- Returns the sections that are to run, announced; or nil and why there are none.
function core.make_plan()
  local all, used = {}, {}
  for _, case in ipairs(core.testcases) do core.inherit(case) end
  for _, case in ipairs(core.testcases) do expand(all, case, used) end
  local setup, cleanup = common(core.common_setup), common(core.common_cleanup)
  local entries, seed = all, nil
  if host.choice.is_limited then
    entries = chosen(all)
    -- Common sections alone run only when they were asked for by name.
    local is_named = (core.common_setup ~= nil) ~= (setup ~= nil) or (core.common_cleanup ~= nil) ~= (cleanup ~= nil)
    if #entries == 0 and #all > 0 and not (is_named and (setup or cleanup)) then
      local names = {}
      for i, entry in ipairs(all) do names[i] = entry.uid end
      if core.common_setup then names[#names + 1] = "common_setup" end
      if core.common_cleanup then names[#names + 1] = "common_cleanup" end
      for _, entry in ipairs(all) do
        for _, group in ipairs(entry.definition.groups or {}) do names[#names + 1] = group end
      end
      return nil, host.nothing_fits(names)
    end
  end
  if host.choice.random or core.settings.random then entries, seed = shuffled(entries) end
  if setup then announce_parts(announce(setup, 0)) end
  for _, entry in ipairs(entries) do announce_parts(announce(entry, 0)) end
  if cleanup then announce_parts(announce(cleanup, 0)) end
  host.commit()
  return { setup = setup, testcases = entries, cleanup = cleanup, seed = seed }
end
