local ts = require "rille.testscript"
local calls = {}
local function count(name)
  calls[name] = (calls[name] or 0) + 1
  return calls[name]
end
local function after(self, _, section)
  if section.result == "failed" and section.uid == "Post" and count "post" == 2 then self:passed("mended") end
end
ts.testcase("Post", { retry = 2, post = after }):test("a", function() assert(false) end)
ts.testcase("Two", { retry = 1 }):test("a", function() assert(count "Two" > 2) end)
ts.testcase("Three", { retry = 1 }):test("a", { retry = 1 }, function() assert(count "Three" > 3) end)
ts.testcase("Must", { retry = 2, must_pass = true }):test("a", function() assert(false) end)
ts.testcase("After"):test("a", function() end)
