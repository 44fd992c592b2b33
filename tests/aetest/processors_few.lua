-- Processors.
local ts = require "rille.testscript"
local function pre_ok() end
local function pre_false() return false end
local function pre_assert() assert(false, "pre assert") end
local function pre_err() error("pre err") end
local function post_ok() end
local function post_fail() assert(false, "post") end
local function post_err() error("post err") end
local function exc_true() return true end
local function exc_false() return false end
local function exc_failed(self,p,section) section:failed("by exc") end
local function exc_err() error("exc err") end
local function pre_skip(self,p,section) section:skipped("pre skip") end
local function pre_failed(self,p,section) section:failed("pre failed") end
local function post_passx(self,p,section) section:passx("better") end
local function post_passed(self,p,section) section:passed("better") end
local function ok() end
local function bad() error("x") end
local t = ts.testcase("Pr")
t:test("ok", {pre=pre_ok, post=post_ok}, ok)
t:test("prefalse", {pre=pre_false}, ok)
t:test("preassert", {pre=pre_assert, post=post_fail}, ok)
t:test("preerr", {pre=pre_err}, ok)
t:test("preskip", {pre=pre_skip}, ok)
t:test("prefailed", {pre=pre_failed}, ok)
t:test("postfail", {post=post_fail}, ok)
t:test("posterr", {post=post_err}, ok)
t:test("postfalse", {post=pre_false}, ok)
t:test("postpassx", {post=post_passx}, function(self) self:failed("x") end)
t:test("postpassx2", {post=post_passx}, ok)
t:test("postpassed", {post=post_passed}, function(self) self:skipped("x") end)
t:test("exctrue", {exception=exc_true}, bad)
t:test("exctrueassert", {exception=exc_true}, function() assert(false) end)
t:test("exctrueresult", {exception=exc_true}, function(self) self:failed("result") end)
t:test("excfalse", {exception=exc_false}, bad)
t:test("excfailed", {exception=exc_failed}, bad)
t:test("excerr", {exception=exc_err}, function() assert(false) end)
ts.testcase("PrTc", {pre=pre_false}):test("t", ok)
ts.testcase("PoTc", {post=post_fail}):test("t", ok)
ts.testcase("PeTc", {pre=pre_err}):test("t", ok):cleanup(ok)
