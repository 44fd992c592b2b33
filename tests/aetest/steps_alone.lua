-- What one section comes to in its testcase: the only section of each.
local ts = require "rille.testscript"
local function ok() end
local go_on = { continue = true }
local function says(result) return function(step) step[result](step, "f") end end
local function raises() error "v" end
local function case(name, fn) ts.testcase(name):test(name, fn) end

local function after(step_result, word)
  return function(self, _, steps)
    steps:start("a", go_on, says(step_result))
    self[word](self, "said")
  end
end
case("passed_after_failed", after("failed", "passed"))
case("passx_after_failed", after("failed", "passx"))
case("skipped_after_blocked", after("blocked", "skipped"))
case("passed_after_passx", after("passx", "passed"))
case("passed_after_skipped", after("skipped", "passed"))
case("failed_after_errored", after("errored", "failed"))
case("outer_passed", function(_, _, steps)
  steps:start("a", function(a)
    a:start("b", go_on, says "failed")
    a:passed("said")
  end)
end)
case("error_caught", function(_, _, steps) pcall(function() steps:start("a", raises) end) end)
case("error_caught_passed", function(self, _, steps)
  pcall(function() steps:start("a", raises) end)
  self:passed("said")
end)
case("failed_caught_passed", function(self, _, steps)
  pcall(function() steps:start("a", says "failed") end)
  self:passed("said")
end)
case("section_caught_passed", function(self)
  pcall(function() self:failed("f") end)
  self:passed("said")
end)
case("section_caught", function(self) pcall(function() self:failed("f") end) end)
local function continued(fn)
  return function(_, _, steps)
    steps:start("a", go_on, fn)
    steps:start("b", ok)
  end
end
case("assert_continued", continued(function() assert(false) end))
case("error_continued", continued(raises))
case("aborted_continued", continued(says "aborted"))
case("blocked_continued", continued(says "blocked"))
case("blocked_ends", function(_, _, steps)
  steps:start("a", says "blocked")
  steps:start("b", ok)
end)
case("no_step", ok)
