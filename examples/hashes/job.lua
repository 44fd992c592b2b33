-- Computes the SHA-2 examples of NIST with three independent programs at once, and compares their answers.
--
--     rille run examples/hashes/job.lua
local job = require "rille.job"

local algorithms = { "sha256", "sha512" }

-- Each command prints the digest of the file that is named after it as its first word.
local hashlib = [[import hashlib, sys; print(hashlib.new(sys.argv[1], open(sys.argv[2], "rb").read()).hexdigest())]]
local programs = {
  { name = "coreutils", command = function(algorithm) return { algorithm .. "sum" } end },
  { name = "openssl", command = function(algorithm) return { "openssl", "dgst", "-r", "-" .. algorithm } end },
  { name = "python", command = function(algorithm) return { "python3", "-c", hashlib, algorithm } end },
}

function main(runtime)
  runtime.job.name = "SHA-2 examples"

  -- One task for each algorithm and program. They know nothing of each other, so they may all run at once.
  local tasks, names = {}, {}
  for i, program in ipairs(programs) do
    names[i] = program.name
    for _, algorithm in ipairs(algorithms) do
      tasks[#tasks + 1] = {
        testscript = "digest.lua",
        taskid = algorithm .. "-" .. program.name,
        tags = { algorithm, program.name },    -- `--tags openssl` runs those tasks alone
        max_runtime = 60,                      -- seconds; a program that hangs costs its task, not the run
        -- Every other key is a parameter of the script.
        algorithm = algorithm,
        command = program.command(algorithm),
      }
    end
  end
  job.parallel(tasks)

  -- After the others, and not by `needs`: a task that needs another is blocked when that one is skipped, and here a
  -- missing program is no obstacle.
  job.run {
    testscript = "compare.lua",
    taskid = "compare",
    tags = algorithms,
    algorithms = algorithms,
    programs = names,
  }
end
