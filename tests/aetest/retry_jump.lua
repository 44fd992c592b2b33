local ts = require "rille.testscript"
local calls = {}
local function count(name)
  calls[name] = (calls[name] or 0) + 1
  return calls[name]
end
local jump = ts.testcase("Jump", { retry = 1 })
jump:test("a", function(self)
  if count "Jump" == 1 then self:failed("away", { go_to = "common_cleanup" }) end
end)
jump:test("b", function() end)
ts.testcase("After"):test("a", function() end)
ts.testcase("Away", { retry = 1 }):test("a", function(self) self:failed("away", { go_to = "common_cleanup" }) end)
ts.testcase("Last"):test("a", function() end)
