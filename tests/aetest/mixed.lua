-- Steps of setups and cleanups, a caught error, a loop that must pass.
local ts = require "rille.testscript"
local function ok() end
ts.testcase("A"):setup(function(self,p,steps) steps:start("x",{continue=true},function(st) st:failed("f") end) end):test("t", ok):cleanup(function(self,p,steps) steps:start("x",function(st) st:passx("p") end) end)
ts.testcase("B"):setup(function(self) self:passx("x") end):test("t", function(self) self:skipped("s") end):cleanup(function(self) self:skipped("z") end)
local c = ts.testcase("C")
c:test("t", function(self,p,steps) pcall(function() steps:start("x", function() error("v") end) end) self:passed("fine") end)
c:test("u", function(self,p,steps) steps:start("x",{continue=true},function(st) st:start("y",function(s2) s2:failed("f") end) self.after=1 end) end)
c:test("v", function(self) assert(not self.after) end)
c:test("w", function(self,p,steps) steps:start("x",function(st) st:start("y",{continue=true},function(s2) s2:errored("f") end) self.after2=1 end) self.after3=1 end)
c:test("x", function(self) assert(self.after2 and not self.after3) end)
ts.testcase("D", {must_pass=true, loop={n={1,2,3}}}):test("t", function(self,p) assert(p.n ~= 2) end)
ts.testcase("E"):test("t", ok)
