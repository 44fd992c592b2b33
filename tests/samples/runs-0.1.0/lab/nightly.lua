local job = require "rille.job"

function main(runtime)
  job.run { testscript = "ping.lua", taskid = "ping", parameters = { host = "r1" } }
  job.run { testscript = "steady.sh", taskid = "steady" }
  job.run { testscript = "faulty.sh", taskid = "faulty" }
end
