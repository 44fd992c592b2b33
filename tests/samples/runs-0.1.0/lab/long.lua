local job = require "rille.job"

function main(runtime)
  job.run { testscript = "steady.sh", taskid = "done" }
  job.run { testscript = "stays.sh", taskid = "open" }
end
