-- Printing in order with everything else that the host shows: `print`, `io.write` and the standard streams of a jobfile.
-- Called once for a VM whose output goes through Rust, with the function that writes.
local write = ...
local error, select, type, pack = error, select, type, table.pack

local to_text = function(...)
  local parts = pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  return parts
end

function print(...)
  write("stdout", table.concat(to_text(...), "\t") .. "\n")
end

local function stream(name)
  local methods = {}
  function methods:write(...)
    local parts = pack(...)
    for i = 1, parts.n do
      local kind = type(parts[i])
      if kind ~= "string" and kind ~= "number" then
        error(("bad argument #%d to 'write' (string expected, got %s)"):format(i, kind), 2)
      end
    end
    write(name, table.concat(to_text(...)))
    return self
  end
  function methods:flush() return self end
  function methods:setvbuf() return true end
  function methods:close() return nil, "the standard streams stay open" end
  function methods:seek() return nil, "Illegal seek" end
  return setmetatable({}, {
    __index = methods,
    __name = "FILE*",
    __tostring = function() return "file (" .. name .. ")" end,
  })
end

local output0, write0, type0 = io.output, io.write, io.type
local stdout, stderr = stream("stdout"), stream("stderr")
local redirected = false
io.stdout, io.stderr = stdout, stderr

function io.write(...)
  if redirected then return write0(...) end
  return stdout:write(...)
end

function io.output(file)
  if file == nil then return redirected and output0() or stdout end
  redirected = file ~= stdout
  if not redirected then return stdout end
  return output0(file)
end

function io.type(object)
  if object == stdout or object == stderr then return "file" end
  return type0(object)
end
