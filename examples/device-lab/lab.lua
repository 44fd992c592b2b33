-- Talks to the devices of the lab.
local log = require("rille.log").get("lab")

local lab = {}

local function quoted(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

-- Waits until the device of a section is there, and returns a function that asks it something.
function lab.connect(p)
  assert(p.ready:wait(20), p.device .. " did not come up")
  local port = p.lab[p.device]
  local folder = runtime.job.file:match("^(.*)/")
  log:info("%s is at port %d", p.device, port)
  return function(what, argument)
    local command = ("python3 %s %s %s %d %s"):format(quoted(folder .. "/client.py"), what, p.testbed.host, port, quoted(argument))
    log:debug(command)
    local pipe <close> = assert(io.popen(command))
    local first, rest = pipe:read("l", "a")
    assert(first, "the device does not answer")
    p.lab:add("requests", 1)
    return first, rest
  end
end

return lab
