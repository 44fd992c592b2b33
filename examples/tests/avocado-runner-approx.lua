-- A kind of tests that is written in Lua: its name is that of the file. A recipe of the kind "approx" passes when its
-- value is within a distance of what is expected.
local runner = require "rille.runner"

runner.kind("approx", function(runnable, emit)
    local given = runnable.kwargs
    local distance = math.abs(given.value - given.expected)
    emit { type = "log", log = ("%s is %g off %s"):format(given.value, distance, given.expected) }
    emit { type = "whiteboard", log = tostring(distance) }
    if distance > given.within then
        return { result = "fail", fail_reason = ("%g is more than %g"):format(distance, given.within) }
    end
    return { result = "pass" }
end)
