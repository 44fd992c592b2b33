-- What every Lua file that Rille runs finds in place of the standard functions that would lose something.
-- Called once for each VM, with `host`: the functions that only Rust can give.
local host = ...

local error, select, type = error, select, type
local load0, traceback = load, host.traceback

-- A failed assertion is told from a crash. A message that is an object stays what it is, as in standard Lua.
function assert(value, ...)
  if value then return value, ... end
  local message = ...
  if message == nil or type(message) == "string" then
    return host.raise_assertion(message or "assertion failed!")
  end
  return error(message, 0)
end

-- Bytecode is refused: a malformed chunk can crash the process.
function load(chunk, name, mode, ...)
  if mode ~= nil and mode ~= "t" and mode ~= "bt" then
    return nil, "only text can be loaded, not bytecode (mode '" .. tostring(mode) .. "')"
  end
  if select("#", ...) > 0 then return load0(chunk, name, "t", (...)) end
  return load0(chunk, name, "t")
end

function loadfile(name, mode, ...)
  if name == nil then return nil, "loadfile needs the name of a file here" end
  local file, problem = io.open(name, "rb")
  if not file then return nil, problem end
  local text = file:read("a")
  file:close()
  text = text:gsub("^#[^\n]*", "", 1)
  return load(text, "@" .. name, mode, ...)
end

function dofile(name)
  local chunk, problem = loadfile(name)
  if not chunk then error(problem, 0) end
  return chunk()
end

function os.exit(code, close)
  return host.exit(code, close)
end

-- What a program writes stands behind what was printed before it was started.
if host.before_program then
  local execute, popen = os.execute, io.popen
  local run = host.execute or execute
  function os.execute(command)
    if command == nil then return execute() end
    host.before_program()
    local ok, how, code = run(command)
    -- system(3) ignores SIGINT while the program runs: a Ctrl-C would end that alone, and the script would go on.
    if host.after_program then host.after_program(how == "signal" and code == 2) end
    return ok, how, code
  end
  function io.popen(...)
    host.before_program()
    return popen(...)
  end
end

debug = { traceback = traceback, getinfo = host.getinfo }

-- What an error looks like to those who catch it: `err.kind`, `err.message`, `tostring(err)`; and, as it is a string in
-- standard Lua, `err:match(…)`, `err .. "x"`, `#err`.
local mt, tostring, string = host.error_metatable, tostring, string
local field = host.error_field
local methods = {}
for name, method in next, string do
  methods[name] = function(err, ...) return method(tostring(err), ...) end
end
mt.__index = function(err, name) return methods[name] or field(err, name) end
mt.__tostring = host.error_text
mt.__concat = function(a, b) return tostring(a) .. tostring(b) end
mt.__name = "error object"
mt.__len = function(err) return #tostring(err) end

-- Calls `f` and keeps the error value together with the stack it was raised on.
local function keep(err)
  return { value = err, traceback = traceback("", 2) }
end
return function(f, ...) return xpcall(f, keep, ...) end
