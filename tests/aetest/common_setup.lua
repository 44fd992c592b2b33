-- A common setup that fails, and a common cleanup that raises.
local ts = require "rille.testscript"
local function ok() end
local c = ts.common_setup()
c:subsection("a", function(self) self:failed("x") end)
c:subsection("b", ok)
ts.testcase("T1"):setup(ok):test("t", ok):cleanup(ok)
local d = ts.common_cleanup()
d:subsection("z", ok) d:subsection("z2", function() error("x") end) d:subsection("z3", ok)
