-- Processors of steps' errors, global ones, lists of them, and those of common setup and setup.
local ts = require "rille.testscript"
local function ok() end
local function no() return false end
local function bad() assert(false, "p") end
local function passx(_, _, section) section:passx("better") end
local function failed(_, _, section) section:failed("worse") end
local function handled() return true end
local function passed_error(_, _, section) section:passed("handled") end
local global = {
  pre_false = { pre = no }, post_assert = { post = bad }, post_passx = { post = passx },
  exception_true = { exception = handled },
}
if parameters.global then ts.global_processors(global[parameters.global]) end

ts.common_setup():subsection("a", ok)
local step = ts.testcase("Step")
step:test("error_true", { exception = handled }, function(_, _, steps) steps:start("a", function() error "v" end) end)
step:test("assert_true", { exception = handled }, function(_, _, steps) steps:start("a", function() assert(false) end) end)
step:test("error_passed", { exception = passed_error }, function(_, _, steps) steps:start("a", function() error "v" end) end)
step:test("post_passx", { post = passx }, function(_, _, steps)
  steps:start("a", { continue = true }, function(a) a:failed("f") end)
end)
local several = ts.testcase("Several")
several:test("pre_false_assert", { pre = { no, bad } }, ok)
several:test("pre_assert_false", { pre = { bad, no } }, ok)
several:test("post_passx_failed", { post = { passx, failed } }, ok)
several:test("post_failed_passx", { post = { failed, passx } }, ok)
several:test("post_assert_passx", { post = { bad, passx } }, ok)
several:test("pre_false_post", { pre = no, post = bad }, ok)
ts.testcase("OnSetup"):setup({ pre = no }, ok):test("t", ok)
ts.testcase("OnSetupAssert"):setup({ pre = bad }, ok):test("t", ok)
ts.testcase("OnSetupPost"):setup({ post = passx }, bad):test("t", ok)
ts.common_cleanup({ pre = bad }):subsection("z", ok)
