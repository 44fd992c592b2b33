-- `require "rille.log"`: loggers by dotted name, with levels that hold for all below, as in Python's logging.
-- Called once for each VM with the function that emits a record, the one that hears of a level that was set, the levels
-- that hold from the start, by logger name (the root's under ""), and the one that gives the text of a value.
local emit, level_set, levels, text_of = ...

local NUMBER = { DEBUG = 10, INFO = 20, WARNING = 30, ERROR = 40, CRITICAL = 50 }
local ALIAS = { WARN = "WARNING", FATAL = "CRITICAL" }
local NAMES = "DEBUG, INFO, WARNING, ERROR or CRITICAL"

local error, getmetatable, pcall, select, setmetatable, tostring, type =
  error, getmetatable, pcall, select, setmetatable, tostring, type
local concat, format, pack, unpack = table.concat, string.format, table.pack, table.unpack

local loggers, thresholds = {}, {}
local Logger = {}

-- The number that holds for a logger: its own, or that of the nearest logger above it.
local function threshold(name)
  local known = thresholds[name]
  if known then return known end
  local at = name
  while true do
    if levels[at] then
      known = NUMBER[levels[at]]
      break
    elseif at == "" then
      known = NUMBER.INFO
      break
    end
    at = at:match("^(.*)%.[^.]*$") or ""
  end
  thresholds[name] = known
  return known
end

local function level_name(level, depth)
  if type(level) == "number" then
    for name, number in pairs(NUMBER) do
      if number == level then return name end
    end
  end
  local name = type(level) == "string" and level:upper() or text_of(level)
  name = ALIAS[name] or name
  if not NUMBER[name] then
    error(format("%s is no log level; write %s", type(level) == "string" and "'" .. level .. "'" or text_of(level), NAMES), depth + 1)
  end
  return name
end

local function check(self, method)
  if type(self) ~= "table" or getmetatable(self) ~= Logger then
    error("'" .. method .. "' is a method of a logger; write logger:" .. method .. "(…), with a colon", 3)
  end
end

-- A table among the values of a format is its content where a text is wanted, and a table where a number is.
local Content = { __name = "table", __tostring = function(content) return content[1] end }

local function formatted(text, ...)
  local values = pack(...)
  for index = 1, values.n do
    local kind = type(values[index])
    if kind ~= "string" and kind ~= "number" then
      values[index] = kind == "table" and setmetatable({ text_of(values[index]) }, Content)
        or (kind == "boolean" or kind == "nil") and values[index] or text_of(values[index])
    end
  end
  return format(text, unpack(values, 1, values.n))
end

local function write(self, level, method, text, ...)
  check(self, method)
  if NUMBER[level] < threshold(self.name) then return end
  if type(text) ~= "string" then text = text_of(text) end
  if select("#", ...) > 0 then
    local ok, result = pcall(formatted, text, ...)
    if not ok then error(result, 2) end
    text = result
  end
  emit(level, self.name, text)
end

local methods = {}

function methods:debug(text, ...) return write(self, "DEBUG", "debug", text, ...) end
function methods:info(text, ...) return write(self, "INFO", "info", text, ...) end
function methods:warning(text, ...) return write(self, "WARNING", "warning", text, ...) end
function methods:error(text, ...) return write(self, "ERROR", "error", text, ...) end
function methods:critical(text, ...) return write(self, "CRITICAL", "critical", text, ...) end

function methods:log(level, text, ...)
  check(self, "log")
  return write(self, level_name(level, 2), "log", text, ...)
end

function methods:set_level(level)
  check(self, "set_level")
  local name = level ~= nil and level_name(level, 2) or nil
  levels[self.name] = name
  thresholds = {}
  level_set(self.name, name)
  return self
end

function methods:level()
  check(self, "level")
  local number = threshold(self.name)
  for name, its in pairs(NUMBER) do
    if its == number then return name end
  end
end

function methods:is_enabled(level)
  check(self, "is_enabled")
  return NUMBER[level_name(level, 2)] >= threshold(self.name)
end

local METHODS = { "debug", "info", "warning", "error", "critical", "log", "set_level", "level", "is_enabled", "name" }

Logger.__name = "logger"
Logger.__tostring = function(self) return "logger '" .. (self.name == "" and "root" or self.name) .. "'" end
Logger.__index = function(_, key)
  local method = methods[key]
  if method then return method end
  error(format("a logger has no method '%s'; it has: %s", text_of(key), concat(METHODS, ", ")), 2)
end

local module = {}

-- Returns the logger of a dotted name; the same one for the same name.
function module.get(name)
  if name == module then error("'get' is a function of rille.log; write log.get(…), with a dot", 2) end
  if name == nil or name == "root" then name = "" end
  if type(name) ~= "string" then error("log.get takes the name of a logger, such as \"lib.part\"", 2) end
  local logger = loggers[name]
  if not logger then
    logger = setmetatable({ name = name }, Logger)
    loggers[name] = logger
  end
  return logger
end

module.root = module.get("")

-- The module logs as its root, so that `log:info(…)` works without a logger of one's own. With a dot it can mean nothing
-- else.
for name, method in pairs(methods) do
  module[name] = function(first, ...)
    if first == module then return method(module.root, ...) end
    return method(module.root, first, ...)
  end
end

return setmetatable(module, {
  __name = "rille.log",
  __tostring = function() return "rille.log" end,
  __index = function(_, key)
    error(format("rille.log has no field '%s'; it has: get, root, %s", text_of(key), concat(METHODS, ", ")), 2)
  end,
})
