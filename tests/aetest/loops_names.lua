-- Loops: names, uids, generators, turns that are not good, loops in loops.
local ts = require "rille.testscript"
local function ok() end
local function gen(n)
  local i = 0
  return function()
    i = i + 1
    if i <= n then return i end
  end
end
local case = ts.testcase("In")
case:test("even", { loop = { a = { 1, 2 }, b = { 10, 20 } } }, ok)
case:test("longer_a", { loop = { a = { 1, 2, 3 }, b = { 10, 20 } } }, ok)
case:test("longer_b", { loop = { a = { 1 }, b = { 10, 20 } } }, ok)
case:test("three", { loop = { b = { 1, 2 }, a = { 3, 4 }, c = { "x", "y" } } }, ok)
case:test("rows", { loop = { { a = 1, b = 2 }, { a = 3, b = 4 } } }, function(_, p) assert(p.b == p.a + 1) end)
case:test("few_uids", { loop = { a = { 1, 2, 3 } }, uids = { "u1", "u2" } }, ok)
case:test("many_uids", { loop = { a = { 1, 2 } }, uids = { "v1", "v2", "v3" } }, ok)
case:test("only_uids", { uids = { "w1", "w2" } }, ok)
case:test("twice", { loop = { a = { 1, 1 } } }, ok)
case:test("empty", { loop = { a = {} } }, ok)
ts.testcase("Lazy"):test("one", { loop = { a = gen(3) } }, function(_, p) assert(p.a ~= 2) end)
local bad = ts.testcase("Bad")
bad:test("t", { loop = { a = { 1, 2, 3 } } }, function(self, p) if p.a == 2 then self:errored("two") end end)
bad:test("after", ok)
ts.testcase("Cases", { loop = { { m = "x", n = 1 }, { m = "y", n = 2 } } })
  :test("t", { loop = { k = { 1, 2 } } }, function(_, p) assert(not (p.n == 2 and p.k == 2)) end)
ts.testcase("Empty", { loop = { n = {} } }):test("t", ok)
ts.testcase("Setup", { loop = { n = { 1, 2, 3 } } })
  :setup(function(_, p) assert(p.n ~= 2) end)
  :test("t", ok)
  :cleanup(function(self, p) if p.n == 3 then self:passx("three") end end)
ts.testcase("Jump", { loop = { n = { 1, 2, 3 } } })
  :test("t", function(self, p) if p.n == 1 then self:passed("on", { go_to = "next_tc" }) end end)
  :test("u", ok)
ts.testcase("LoopJump")
  :test("t", { loop = { n = { 1, 2, 3 } } }, function(self, p) if p.n == 2 then self:failed("away", { go_to = "cleanup" }) end end)
  :test("u", ok)
  :cleanup(ok)
ts.testcase("Nothing")
ts.testcase("Must", { must_pass = true }):test("t", { loop = { n = { 1, 2 } } }, function(_, p) assert(p.n ~= 1) end)
ts.testcase("Behind"):test("t", ok)
