local ts = require "rille.testscript"
local calls = {}
local function count(name)
  calls[name] = (calls[name] or 0) + 1
  return calls[name]
end
ts.max_failures = 2
ts.testcase("Flaky", { retry = 3 }):test("a", function() assert(count "Flaky" == 3) end)
ts.testcase("Between"):test("a", function() end)
ts.testcase("Bad", { retry = 1 }):test("a", function() assert(false) end)
ts.testcase("After"):test("a", function() end)
ts.testcase("Worse", { retry = 1 }):test("a", function() assert(false) end)
ts.testcase("Last"):test("a", function() end)
