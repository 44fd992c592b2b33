-- Tests two servers that it starts itself on loopback.
--
--   rille run examples/device-lab/job.lua --testbed examples/device-lab/lab.yaml [--with-failure]
local job = require "rille.job"
local args = require "rille.args"
local log = require("rille.log").get("lab")

local parser = args.parser { description = "Tests two servers on loopback." }
parser:option("--with-failure", { action = "store_true", help = "let the echo server be faulty, for a report with a failure" })

local function sorted_names(devices)
  local names = {}
  for name in pairs(devices) do names[#names + 1] = name end
  table.sort(names)
  return names
end

function main(runtime)
  local options = parser:parse_known()
  local testbed = assert(runtime.testbed, "give the lab by --testbed examples/device-lab/lab.yaml")

  -- Times every task, from before its process starts until it has ended.
  local times = {}
  runtime.plugin {
    name = "timer",
    pre_task = function(task) task.started = runtime.job.elapsedtime end,
    post_task = function(task)
      times[#times + 1] = ("%-12s %.2f s"):format(task.taskid, runtime.job.elapsedtime - task.started)
    end,
    post_job = function() log:info("times of the tasks:\n" .. table.concat(times, "\n")) end,
  }

  -- What all tasks share: the ports of the servers and what the tests count.
  local lab = runtime.synchro.dict()
  local stop = runtime.synchro.event()
  local servers, tests = {}, {}
  for _, name in ipairs(sorted_names(testbed.devices)) do
    local device = testbed.devices[name]
    local ready = runtime.synchro.event()
    servers[#servers + 1] = job.Task {
      testscript = device.server, taskid = "server/" .. name, max_runtime = 120,
      device = name, host = testbed.host, faulty = options.with_failure, lab = lab, ready = ready, stop = stop,
    }
    tests[#tests + 1] = {
      testscript = device.script, taskid = name, max_runtime = 60,
      device = name, title = device.title, lab = lab, ready = ready,
    }
  end

  for _, server in ipairs(servers) do server:start() end
  job.parallel(tests)
  stop:set()
  job.wait_all(servers, 10)
  print(("%d requests, %d bytes came back"):format(lab.requests, lab.bytes))
end
