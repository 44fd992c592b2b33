-- Compares the digests that the programs left in the run directory: with each other, not with the published ones.
--
-- parameters.algorithms, parameters.programs   names, as they stand in the ids of the tasks that computed the digests
local examples = require "fips180"

-- Returns the digests that a task left, by message; nil unless there is one for each message. Its program may not be
-- installed, or not work; that stands in the task's own result.
local function read(taskid, messages)
  local file = io.open(("%s/%s.digests"):format(runtime.directory, taskid))
  if not file then return nil end
  local digests = {}
  for line in file:lines() do
    local name, digest = line:match("^(.-)\t(%x+)$")
    if name then digests[name] = digest end
  end
  file:close()
  for _, example in ipairs(messages) do
    if not digests[example.name] then return nil end
  end
  return digests
end

local compared = {}
for _, algorithm in ipairs(parameters.algorithms) do
  local answers, names = {}, {}
  for _, program in ipairs(parameters.programs) do
    local digests = read(algorithm .. "-" .. program, examples[algorithm])
    if digests then
      answers[#answers + 1], names[#names + 1] = digests, program
    end
  end
  for i = 2, #answers do
    for _, example in ipairs(examples[algorithm]) do
      local one, other = answers[1][example.name], answers[i][example.name]
      assert(one == other, ("%s of %s: %s says %s, %s says %s"):format(
        algorithm, example.name, names[1], one, names[i], other))
    end
  end
  if #names > 1 then compared[#compared + 1] = ("%s by %s"):format(algorithm, table.concat(names, ", ")) end
end

if #compared == 0 then return "skipped", "no two programs answered, so there is nothing to compare" end
-- The second value is the reason, which stands in the report behind the result.
return "passed", "all agree: " .. table.concat(compared, "; ")
