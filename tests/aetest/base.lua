-- A testcase made from another.
local ts = require "rille.testscript"
local function ok() end
local a = ts.testcase("A", { groups = { "g" } })
  :setup(function(self) self.n = 1 end)
  :test("t1", function(self) assert(self.n == 1) end)
  :test("t2", ok)
  :cleanup(ok)
local b = ts.testcase("B", { base = a })
  :test("t3", ok)
  :test("t1", function(self) self:skipped("other") end)
ts.testcase("C", { base = b, must_pass = true })
  :setup(function(self) self.n = 2 end)
  :test("t4", function(self) assert(self.n == 1) end)
ts.testcase("D", { base = a })
