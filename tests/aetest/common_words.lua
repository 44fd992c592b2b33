-- What blocks testcases, and what does not.
local ts = require "rille.testscript"
local function ok() end
local what = parameters.setup
ts.common_setup():subsection("a", function(self, _, steps)
  if what == "word" then
    steps:start("s", { continue = true }, function(s) s:failed("f") end)
    self:passed("said")
  elseif what == "error" then error "v"
  elseif what == "assert" then assert(false)
  else self[what](self, "r") end
end):subsection("b", ok)
ts.testcase("A"):setup(ok):test("t", ok)
ts.common_cleanup():subsection("z", ok)
