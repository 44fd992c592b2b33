-- `require "rille.args"`: parsers of command-line arguments, for jobfiles and tasks.
-- Called once for each VM, with `host`: the words, and the functions that only Rust can give.
local host = ...

local getmetatable, ipairs, pairs, pcall, select, setmetatable, tonumber, tostring, type =
  getmetatable, ipairs, pairs, pcall, select, setmetatable, tonumber, tostring, type
local concat, insert, sort, write = table.concat, table.insert, table.sort, io.write

-- No call that raises is a tail call: the stack is shown to the user.
local function definition(text) host.raise("definition", text) end

-- Names and sentences.
local function shown(value)
  local kind = type(value)
  if kind == "string" then return "'" .. value .. "'" end
  if kind == "table" or kind == "function" or kind == "userdata" or kind == "thread" then return host.shown(value) end
  return tostring(value)
end

local function hint(word, names)
  local near = host.nearest(word, names)
  return near and ("; did you mean '%s'?"):format(near) or ""
end

local function names_of(table)
  local names = {}
  for name in pairs(table) do insert(names, name) end
  sort(names, function(a, b) return host.text(a) < host.text(b) end)
  return names
end

local function check_keys(what, given, known)
  if type(given) ~= "table" then
    definition(("%s takes a table, not %s"):format(what, shown(given)))
  end
  for _, name in ipairs(names_of(given)) do
    if not known[name] then
      local names = names_of(known)
      local near = hint(host.text(name), names)
      if near == "" then near = "; it has: " .. concat(names, ", ") end
      definition(("%s has no key %s%s"):format(what, shown(name), near))
    end
  end
end

-- Types: a text becomes a value, or nil and what it must be.
local types = {}
function types.string(text) return text end
function types.number(text)
  local number = tonumber(text)
  if number and number == number and number ~= math.huge and number ~= -math.huge then return number end
  return nil, "must be a number"
end
function types.integer(text)
  local number = math.tointeger(tonumber(text))
  if number then return number end
  return nil, "must be a whole number"
end
local booleans = { ["true"] = true, yes = true, on = true, ["1"] = true,
                   ["false"] = false, no = false, off = false, ["0"] = false }
function types.boolean(text)
  local boolean = booleans[text:lower()]
  if boolean == nil then return nil, "must be true or false" end
  return boolean
end

local is_default = {
  string = function(value) return type(value) == "string" end,
  number = function(value) return type(value) == "number" end,
  integer = function(value) return math.type(value) == "integer" end,
  boolean = function(value) return type(value) == "boolean" end,
}

local actions = { store = true, append = true, store_true = true, store_false = true, count = true }
local takes_value = { store = true, append = true }
local option_keys = { help = true, default = true, type = true, choices = true, required = true, action = true,
                      metavar = true, dest = true, nargs = true, const = true }
local parser_keys = { description = true, epilog = true, name = true, add_help = true }

-- What an option stands for where nobody gave it.
local function initial(option)
  local default = option.default
  if option.action == "append" then
    local list = {}
    for index, item in ipairs(default or {}) do list[index] = item end
    return list
  end
  if default ~= nil then return default end
  if option.action == "store_true" then return false end
  if option.action == "store_false" then return true end
  if option.action == "count" then return 0 end
  return nil
end

local function check_option(option, given)
  local what = "option " .. option.name
  check_keys(what, given, option_keys)
  local action = given.action or "store"
  if not actions[action] then
    definition(("%s: action must be one of %s, not %s%s"):format(
      what, concat(names_of(actions), ", "), shown(action), hint(host.text(action), names_of(actions))))
  end
  option.action = action
  if not takes_value[action] then
    for _, key in ipairs { "type", "choices", "nargs", "metavar", "const" } do
      if given[key] ~= nil then
        definition(("%s: '%s' makes no sense with action '%s', which takes no value"):format(what, key, action))
      end
    end
  end
  local kind = given.type or "string"
  if type(kind) ~= "function" and not types[kind] then
    definition(("%s: type must be a function or one of %s, not %s%s"):format(
      what, concat(names_of(types), ", "), shown(kind), hint(host.text(kind), names_of(types))))
  end
  option.type, option.convert = kind, types[kind] or kind
  local choices = given.choices
  if choices ~= nil and (type(choices) ~= "table" or host.check_list(choices, what .. ": choices") == 0) then
    definition(("%s: choices must be a list of values, not %s"):format(what, shown(choices)))
  end
  local nargs = given.nargs
  local is_number = math.type(nargs) == "integer" and nargs >= 1
  if nargs ~= nil and not is_number and nargs ~= "?" and nargs ~= "*" and nargs ~= "+" then
    definition(("%s: nargs must be a whole number from 1, '?', '*' or '+', not %s"):format(what, shown(nargs)))
  end
  if given.const ~= nil and nargs ~= "?" then
    definition(("%s: const is the value of an option without one, and needs nargs = '?'"):format(what))
  end
  for _, key in ipairs { "help", "metavar", "dest" } do
    if given[key] ~= nil and type(given[key]) ~= "string" then
      definition(("%s: %s must be a text, not %s"):format(what, key, shown(given[key])))
    end
  end
  if given.required ~= nil and type(given.required) ~= "boolean" then
    definition(("%s: required must be true or false, not %s"):format(what, shown(given.required)))
  end
  local default = given.default
  if default ~= nil then
    local check = action == "store" and (nargs == nil or nargs == "?") and is_default[kind]
    if check and not check(default) then
      definition(("%s: default must be of type %s, not %s"):format(what, kind, shown(default)))
    end
    if action == "append" and type(default) ~= "table" then
      definition(("%s: default must be a list, not %s"):format(what, shown(default)))
    end
    if action == "append" then host.check_list(default, what .. ": default") end
    if action == "count" and math.type(default) ~= "integer" then
      definition(("%s: default must be a whole number, not %s"):format(what, shown(default)))
    end
  end
  option.choices, option.nargs, option.const, option.default = choices, nargs, given.const, default
  option.help, option.required = given.help, given.required
  option.dest = given.dest or option.dest
  option.metavar = given.metavar
end

local Parser = {}
local methods = {}
Parser.__name = "parser of arguments"
function Parser.__tostring() return "a parser of arguments" end
function Parser.__index(_, name)
  local method = methods[name]
  if method then return method end
  local near = hint(host.text(name), names_of(methods))
  if name == "add_argument" then near = "; did you mean 'option'?" end
  if near == "" then near = "; it has: " .. concat(names_of(methods), ", ") end
  host.raise("usage", ("a parser has no method %s%s"):format(shown(name), near))
end

-- Called with a dot, a method has something else than the parser as its first argument.
local function check_colon(self, method)
  if type(self) ~= "table" or getmetatable(self) ~= Parser then
    host.raise("usage", ("'%s' is a method of a parser; write parser:%s(…), with a colon"):format(method, method))
  end
end

function methods:option(...)
  check_colon(self, "option")
  local count = select("#", ...)
  local given = count > 0 and select(count, ...)
  if type(given) ~= "table" then given = {} else count = count - 1 end
  local flags = {}
  for index = 1, count do
    local flag = select(index, ...)
    if type(flag) ~= "string" or not (flag:match("^%-%-[^%-=%s][^=%s]*$") or flag:match("^%-[^%-=%s]$")) then
      definition(("option takes names such as \"--my-arg\" or \"-m\", and a table; not %s"):format(shown(flag)))
    end
    insert(flags, flag)
  end
  if #flags == 0 then definition("option takes a name, such as \"--my-arg\", and a table") end
  local long
  for _, flag in ipairs(flags) do
    if not long and flag:sub(1, 2) == "--" then long = flag end
  end
  local option = { flags = flags, name = long or flags[1] }
  option.dest = option.name:gsub("^%-+", ""):gsub("%-", "_")
  check_option(option, given)
  for _, flag in ipairs(flags) do
    local other = self.by_flag[flag]
    if other and not other.is_help then
      definition(("option %s is defined twice"):format(flag))
    end
    self.by_flag[flag] = option
  end
  insert(self.options, option)
  return self
end

-- The help, as text.
local function value_name(option)
  if not takes_value[option.action] then return "" end
  local name = option.metavar
  if not name and option.choices then
    local words = {}
    for index, choice in ipairs(option.choices) do words[index] = host.text(choice) end
    name = "{" .. concat(words, ",") .. "}"
  end
  name = name or option.dest:upper()
  local nargs = option.nargs
  if nargs == "?" then return " [" .. name .. "]" end
  if nargs == "*" then return " [" .. name .. " ...]" end
  if nargs == "+" then return " " .. name .. " [" .. name .. " ...]" end
  return (" " .. name):rep(nargs or 1)
end

function methods:usage()
  check_colon(self, "usage")
  local line = { "Usage: " .. self.name }
  local rows = {}
  if self.by_flag["--help"] and self.by_flag["--help"].is_help then
    insert(rows, { self.by_flag["-h"] == self.by_flag["--help"] and "-h, --help" or "--help", "show this help and end" })
    insert(line, "[--help]")
  end
  for _, option in ipairs(self.options) do
    local one = option.flags[1] .. value_name(option)
    insert(line, option.required and one or "[" .. one .. "]")
    local notes = {}
    if option.required then insert(notes, "required") end
    if option.default ~= nil and type(option.default) ~= "table" then
      insert(notes, "default: " .. host.text(option.default))
    end
    local text = option.help or ""
    if #notes > 0 then text = text .. (text == "" and "" or " ") .. "(" .. concat(notes, ", ") .. ")" end
    insert(rows, { concat(option.flags, ", ") .. value_name(option), text })
  end
  local text = { concat(line, " ") }
  if self.description then insert(text, "\n" .. self.description) end
  local width = 0
  for _, row in ipairs(rows) do
    if #row[1] > width and #row[1] <= 28 then width = #row[1] end
  end
  if #rows > 0 then insert(text, "\nOptions:") end
  for _, row in ipairs(rows) do
    local gap = #row[1] <= width and (" "):rep(width - #row[1] + 2) or "\n" .. (" "):rep(width + 4)
    insert(text, row[2] == "" and "  " .. row[1] or "  " .. row[1] .. gap .. row[2])
  end
  if self.epilog then insert(text, "\n" .. self.epilog) end
  return concat(text, "\n") .. "\n"
end

-- Which of the words that were handed on some parser of this process has taken.
local taken = {}

-- A word that can be a value: no option, or a negative number.
local function is_value(item)
  local word = item and item.word
  return word and (word:sub(1, 1) ~= "-" or word == "-" or tonumber(word) ~= nil)
end

local function convert(run, option, text)
  local called, value, problem = pcall(option.convert, text)
  if not called then
    run.fail(("%s: '%s' cannot be used: %s"):format(option.name, text, host.text(value)))
  elseif value == nil then
    run.fail(("%s %s, not '%s'"):format(option.name, problem or "does not take this value", text))
  end
  if option.choices then
    local words = {}
    for index, choice in ipairs(option.choices) do
      if choice == value then return value end
      words[index] = host.text(choice)
    end
    run.fail(("%s must be one of %s, not '%s'%s"):format(option.name, concat(words, ", "), text, hint(text, words)))
  end
  return value
end

-- Collects the values of an option from what stands in the word itself, and the words behind it.
local function collect(run, option, inline)
  local nargs = option.nargs
  local function take() return run.take().word end
  if nargs == nil then
    if inline then return convert(run, option, inline) end
    if not is_value(run.peek()) then
      local next = run.peek()
      local found = next and (", but '%s' follows; write %s=%s if that is the value"):format(
        next.word, option.name, next.word) or ""
      run.fail(("%s needs a value%s"):format(option.name, found))
    end
    return convert(run, option, take())
  end
  if nargs == "?" then
    if inline then return convert(run, option, inline) end
    if is_value(run.peek()) then return convert(run, option, take()) end
    return option.const
  end
  local list = {}
  if inline then
    insert(list, convert(run, option, inline))
  else
    while is_value(run.peek()) and (type(nargs) == "string" or #list < nargs) do
      insert(list, convert(run, option, take()))
    end
  end
  if nargs == "+" and #list == 0 then run.fail(option.name .. " needs at least one value") end
  if type(nargs) == "number" and #list ~= nargs then
    run.fail(("%s needs %d values, not %d"):format(option.name, nargs, #list))
  end
  return list
end

local function apply(run, option, inline)
  if option.is_help then run.help() end
  local values, dest, action = run.values, option.dest, option.action
  run.seen[option] = true
  if not takes_value[action] and inline then
    run.fail(("%s takes no value, so not '%s'"):format(option.name, inline))
  end
  if action == "store_true" then values[dest] = true
  elseif action == "store_false" then values[dest] = false
  elseif action == "count" then values[dest] = (values[dest] or 0) + 1
  elseif action == "append" then insert(values[dest], (collect(run, option, inline)))
  else values[dest] = collect(run, option, inline) end
end

-- Reads `-v`, `-abc`, `-n5`, `-n 5` and `-n=5`; returns false for a word that is not wholly this parser's.
local function short(self, run, word)
  local letters = {}
  local at = 2
  while at <= #word do
    local option = self.by_flag["-" .. word:sub(at, at)]
    if not option then return false end
    if takes_value[option.action] then
      local inline = word:sub(at + 1)
      insert(letters, { option, inline ~= "" and inline:gsub("^=", "") or nil })
      break
    end
    insert(letters, { option })
    at = at + 1
  end
  for _, letter in ipairs(letters) do apply(run, letter[1], letter[2]) end
  return true
end

local function one_word(self, run, word)
  local name, inline = word:match("^(%-%-[^=]+)=(.*)$")
  local option = self.by_flag[name or word]
  if option then
    apply(run, option, inline)
    return true
  end
  return word:sub(1, 1) == "-" and word:sub(1, 2) ~= "--" and #word > 1 and short(self, run, word)
end

local values_mt = { __name = "rille.args.Values" }

local function start_values(self)
  local values, known = {}, {}
  for _, option in ipairs(self.options) do
    known[option.dest] = true
    if values[option.dest] == nil then values[option.dest] = initial(option) end
  end
  local mt = { __name = values_mt.__name }
  function mt.__index(_, name)
    if known[name] then return nil end
    local names = names_of(known)
    local near = hint(host.text(name), names)
    if near == "" then near = "; it has: " .. concat(names, ", ") end
    host.raise("usage", ("the parser has no option for %s%s"):format(shown(name), near))
  end
  return setmetatable(values, mt)
end

-- What a list of words came from: the items of the rest that a parser has left, by the list that it returned.
local origins = setmetatable({}, { __mode = "k" })

-- Returns the items of what was handed on, each with its word and its place.
local function handed_on_items()
  local items = {}
  for index, word in ipairs(host.handed_on) do items[index] = { word = word, place = index } end
  return items
end

-- The words to parse: lists of items, each with its word and, if it was handed on, its place. A list that the user has
-- from `runtime.argv`, or from another parser, stands for the words that it came from, also where some were taken out.
local function lists_of(what, argv)
  if argv == nil then
    local own = {}
    for index, word in ipairs(host.own) do own[index] = { word = word } end
    return { own, handed_on_items() }
  end
  if type(argv) ~= "table" then
    host.raise("usage", ("%s takes a list of words, not %s"):format(what, shown(argv)))
  end
  host.check_list(argv, what)
  local known, at = host.is_handed_on(argv) and handed_on_items() or origins[argv] or {}, 0
  local list = {}
  for index, word in ipairs(argv) do
    if type(word) ~= "string" and type(word) ~= "number" then
      host.raise("usage", ("%s: word %d must be a text, not %s"):format(what, index, shown(word)))
    end
    list[index] = { word = tostring(word) }
    for other = at + 1, #known do
      if known[other].word == word then
        list[index], at = known[other], other
        break
      end
    end
  end
  return { list }
end

-- Parses one list; returns the items that are not this parser's.
local function parse_list(self, run, list)
  local rest, at = {}, 0
  function run.peek() return list[at + 1] end
  function run.take()
    at = at + 1
    insert(run.used, list[at])
    return list[at]
  end
  while at < #list do
    at = at + 1
    local item, first = list[at], at
    if item.word == "--" then
      for index = at, #list do insert(rest, list[index]) end
      break
    end
    if one_word(self, run, item.word) then
      insert(run.used, list[first])
    else
      insert(rest, item)
    end
  end
  return rest
end

local function complain(self, run, rest)
  local unknown = {}
  for _, item in ipairs(rest) do
    if item.word ~= "--" and not (item.place and taken[item.place]) then insert(unknown, item.word) end
  end
  if #unknown == 0 then return end
  local first = unknown[1]
  local name = first:match("^[^=]+") or first
  local near = host.nearest(name, names_of(self.by_flag))
  local slip = host.slips[first]
  local text = "unknown argument "
  if #unknown > 1 then text = "unknown arguments " end
  local tail = near and ("; did you mean '%s'?"):format(near)
    or slip and ("; did you mean %s of rille?"):format(slip)
    or #self.options > 0 and "; '--help' after '--' lists the options"
    or "; there are no options"
  run.fail(text .. concat(unknown, " ") .. tail)
end

local function parse(self, what, argv, is_strict)
  local lists = lists_of(what, argv)
  local run = { values = start_values(self), used = {}, seen = {} }
  -- What was complained about was read.
  function run.fail(text)
    if argv == nil then host.read_all() end
    host.refuse(text)
  end
  function run.help()
    if argv == nil then host.read_all() end
    write(self:usage())
    host.help()
  end
  local rest = {}
  for _, list in ipairs(lists) do
    for _, item in ipairs(parse_list(self, run, list)) do insert(rest, item) end
  end
  if is_strict then complain(self, run, rest) end
  local missing = {}
  for _, option in ipairs(self.options) do
    if option.required and not run.seen[option] then insert(missing, option.name) end
  end
  if #missing > 0 then
    run.fail(concat(missing, ", ") .. (#missing == 1 and " is required" or " are required"))
  end
  local places = {}
  for _, item in ipairs(run.used) do
    if item.place then
      taken[item.place] = true
      insert(places, item.place)
    end
  end
  if #places > 0 then host.read(places) end
  local words = {}
  for index, item in ipairs(rest) do words[index] = item.word end
  origins[words] = rest
  return run.values, words
end

function methods:parse(argv)
  check_colon(self, "parse")
  return (parse(self, "parse", argv, true))
end
function methods:parse_known(argv)
  check_colon(self, "parse_known")
  local values, rest = parse(self, "parse_known", argv, false)
  return values, rest
end

local args = {}

function args.parser(given)
  if given == args then host.raise("usage", "'parser' is a function of rille.args; write args.parser { … }, with a dot") end
  given = given or {}
  check_keys("parser", given, parser_keys)
  for _, key in ipairs { "description", "epilog", "name" } do
    if given[key] ~= nil and type(given[key]) ~= "string" then
      definition(("parser: %s must be a text, not %s"):format(key, shown(given[key])))
    end
  end
  local parser = {
    description = given.description or false,
    epilog = given.epilog or false,
    name = given.name or host.program,
    options = {},
    by_flag = {},
  }
  if given.add_help ~= false then
    local help = { is_help = true, name = "--help", action = "store_true" }
    parser.by_flag["--help"], parser.by_flag["-h"] = help, help
  end
  return setmetatable(parser, Parser)
end

return setmetatable(args, {
  __name = "rille.args",
  __tostring = function() return "rille.args" end,
  __index = function(_, name)
    host.raise("usage", ("rille.args has no field %s%s"):format(shown(name), hint(host.text(name), { "parser" })))
  end,
})
