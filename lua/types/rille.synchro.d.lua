---@meta

--- Makes objects that `main` and the tasks of a run share: hand one to a task as a parameter, alone or inside a table, and
--- every holder sees every change. Each call is atomic. An object keeps its value when a holder dies; what a holder that
--- dies held of a lock or a semaphore is released.
---
--- A value is nil, a boolean, a number, infinity too, a string (any bytes), a table of these, or another shared object.
--- Anything else, a function say, and a list with a hole raise `usage` with their place.
---
--- A call that waits and has no time limit raises `broken` when nobody is left who could end the wait, `cancelled` when the
--- run was asked to stop, and `closed` when the run is ending.
---@class rille.Synchro
local Synchro = {}

---@alias rille.Shareable nil|boolean|number|string|table|rille.SharedObject
---@alias rille.SharedKey string|number|boolean
---@alias rille.SharedObject rille.SharedDict|rille.SharedList|rille.SharedQueue|rille.SharedLock|rille.SharedEvent|rille.SharedBarrier|rille.SharedValue

--- Makes a dict.
---@param content? table<rille.SharedKey, rille.Shareable>
---@return rille.SharedDict
function Synchro.dict(content) end

--- Makes a list.
---@param content? rille.Shareable[]
---@return rille.SharedList
function Synchro.list(content) end

--- Makes a queue.
---@return rille.SharedQueue
function Synchro.queue() end

--- Makes a lock. Who holds it cannot take it again.
---@return rille.SharedLock
function Synchro.lock() end

--- Makes a lock that its holder may take again; it must then be released as often.
---@return rille.SharedLock
function Synchro.rlock() end

--- Makes a semaphore.
---@param n integer   # how many may hold it at once, from 1
---@return rille.SharedLock
function Synchro.semaphore(n) end

--- Makes an event that is not set.
---@return rille.SharedEvent
function Synchro.event() end

--- Makes a barrier.
---@param n integer   # how many it waits for, from 1
---@return rille.SharedBarrier
function Synchro.barrier(n) end

--- Makes a value.
---@param v? rille.Shareable
---@return rille.SharedValue
function Synchro.value(v) end

--- Makes a namespace: a dict whose keys are names.
---@param content? table<string, rille.Shareable>
---@return rille.SharedDict
function Synchro.namespace(content) end

--- Values by key: `d.key`, `d[key]`, `d.key = value` (nil removes it), `#d`, `pairs(d)` (what there is now, in the order in
--- which the keys came). Keys are strings, whole numbers and booleans. The names of the methods cannot be set as fields:
--- `d:get` and `d:set` take every key.
---@class rille.SharedDict: { [rille.SharedKey]: any }
local Dict = {}

--- Returns the value under a key; nil if there is none.
---@param key rille.SharedKey
---@return any
function Dict:get(key) end

--- Sets the value under a key; nil removes it.
---@param key rille.SharedKey
---@param value rille.Shareable
function Dict:set(key, value) end

--- Returns whether there is such a key.
---@param key rille.SharedKey
---@return boolean
function Dict:has(key) end

--- Removes a key and returns its value.
---@param key rille.SharedKey
---@return any
function Dict:pop(key) end

--- Adds to the number under a key in one step; a key that is not there counts as 0. Whole numbers stay whole.
---
--- Raises `usage` for something that is no number, and where the sum is too large.
---@param key rille.SharedKey
---@param n? number    # default 1
---@return number sum
function Dict:add(key, n) end

--- Returns the keys, in the order in which they came.
---@return rille.SharedKey[]
function Dict:keys() end

--- Sets several keys in one step.
---@param values table<rille.SharedKey, rille.Shareable>
function Dict:update(values) end

--- Returns a table with everything.
---@return table<rille.SharedKey, any>
function Dict:copy() end

--- Removes everything.
function Dict:clear() end

--- Values in order, from 1: `l[i]`, `l[i] = value` (up to `#l + 1`), `#l`, `ipairs(l)` and `pairs(l)`.
---@class rille.SharedList: { [integer]: any }
local List = {}

--- Returns the item at a position; nil if there is none.
---@param index integer
---@return any
function List:get(index) end

--- Sets the item at a position, from 1 to `#l + 1`.
---@param index integer
---@param value rille.Shareable
function List:set(index, value) end

--- Adds an item to the end.
---@param value rille.Shareable
function List:append(value) end

--- Adds an item before a position, from 1 to `#l + 1`.
---@param index integer
---@param value rille.Shareable
function List:insert(index, value) end

--- Adds items to the end in one step.
---@param values rille.Shareable[]
function List:extend(values) end

--- Removes an item and returns it; nil if the list is empty.
---@param index? integer   # default: the last
---@return any
function List:pop(index) end

--- Adds to the number at a position in one step.
---@param index integer
---@param n? number    # default 1
---@return number sum
function List:add(index, n) end

--- Returns a table with everything.
---@return any[]
function List:copy() end

--- Removes everything.
function List:clear() end

--- Values that wait to be taken, first in, first out. `#q` is their number.
---@class rille.SharedQueue
local Queue = {}

--- Puts a value in; never waits.
---@param value rille.Shareable
function Queue:put(value) end

--- Takes the first value, and waits for one.
---@param timeout? number       # seconds, from 0. Default: no limit
---@return any value            # nil if the time was over
---@return "timeout"|nil reason
function Queue:get(timeout) end

--- Takes the first value, if there is one.
---@return any value            # nil if there is none
---@return "empty"|nil reason
function Queue:try_get() end

--- A lock, an rlock or a semaphore. `#l` is the number of free slots.
---@class rille.SharedLock
local Lock = {}

--- Holds it while a function runs, and releases it also when that raises.
---@param f fun(...): ...
---@param ... any   # handed to the function
---@return any ...   # what the function returns
function Lock:with(f, ...) end

--- Takes it, and waits for it.
---@param timeout? number       # seconds, from 0. Default: no limit
---@return boolean is_held       # false if the time was over
---@return "timeout"|nil reason
function Lock:acquire(timeout) end

--- Takes it, if it is free.
---@return boolean is_held
---@return "timeout"|nil reason
function Lock:try_acquire() end

--- Gives it back. Raises `usage` if this task does not hold it.
function Lock:release() end

--- Returns whether nothing of it is free.
---@return boolean
function Lock:is_held() end

--- Set or not; those who wait go on when it is set.
---@class rille.SharedEvent
local Event = {}

--- Sets it.
function Event:set() end

--- Makes it unset.
function Event:clear() end

---@return boolean
function Event:is_set() end

--- Waits until it is set.
---@param timeout? number       # seconds, from 0. Default: no limit
---@return boolean is_set        # false if the time was over
---@return "timeout"|nil reason
function Event:wait(timeout) end

--- Lets nobody pass before so many have come; then it is as new. `#b` is the number of those who wait.
---@class rille.SharedBarrier
local Barrier = {}

--- Waits for the others.
---@param timeout? number       # seconds, from 0; when it is over the arrival is withdrawn. Default: no limit
---@return integer|nil index    # which arrival it was, from 1; nil if the time was over
---@return "timeout"|nil reason
function Barrier:wait(timeout) end

--- One value.
---@class rille.SharedValue
---@field value any             # can be set
local Value = {}

--- Returns the value.
---@return any
function Value:get() end

--- Sets the value.
---@param value rille.Shareable
function Value:set(value) end

--- Adds to the number in one step; nil counts as 0.
---@param n? number    # default 1
---@return number sum
function Value:add(n) end
