-- `lock:with(f, ...)`: holds the lock while `f` runs, and releases it whichever way `f` is left. In Lua, so that an error
-- keeps its stack and a coroutine may yield.
-- Called once, with the functions that acquire and release.
local acquire, release = ...
local pcall, setmetatable = pcall, setmetatable

return function(lock, f, ...)
  acquire(lock)
  local held <close> = setmetatable({}, {
    __close = function(_, err)
      if err == nil then release(lock) else pcall(release, lock) end
    end,
  })
  return f(...)
end
