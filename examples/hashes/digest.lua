-- Computes the digests of the example messages with one program and compares them with the published ones.
--
-- parameters.algorithm   "sha256" or "sha512"
-- parameters.command     the program and its arguments, a list; the name of a file is added
local examples = require "fips180"    -- found beside this file

local algorithm, command = parameters.algorithm, parameters.command
local program = command[1]

local function quote(word)
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

-- Runs the program on a file. Returns the digest it says.
local function digest_of(path)
  local words = {}
  for i, word in ipairs(command) do words[i] = quote(word) end
  words[#words + 1] = quote(path)
  local pipe = assert(io.popen(table.concat(words, " ")))
  local text = pipe:read("a")
  -- `error` and not `assert`: a program that does not work makes this task errored, a wrong digest makes it failed.
  if not pipe:close() then error(program .. " did not work; what it wrote is in this task's stderr") end
  return text:match("^%x+") or error(program .. " printed no digest: " .. text)
end

-- Whoever has not installed it learns that from the report, and the run is none the worse for it.
if not os.execute("command -v " .. quote(program) .. " >/dev/null") then
  return "skipped", program .. " is not installed"
end

-- The answers go into the run directory, where compare.lua finds them and where they stay with the run.
local answers = assert(io.open(("%s/%s.digests"):format(runtime.directory, runtime.task.taskid), "w"))
local wrong = {}
for _, example in ipairs(examples[algorithm]) do
  -- A task starts in a folder of its own, so this name cannot clash with that of another task.
  local message = assert(io.open("message", "wb"))
  message:write(example.message)
  message:close()

  local digest = digest_of("message")
  print(("%s of %s: %s"):format(algorithm, example.name, digest))
  answers:write(example.name, "\t", digest, "\n")
  if digest ~= example.digest then
    wrong[#wrong + 1] = example.name
  end
end
answers:close()
assert(#wrong == 0, ("%s differs from the published %s of %s"):format(program, algorithm, table.concat(wrong, ", ")))
