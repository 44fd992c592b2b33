-- A jump out of a subsection.
local ts = require "rille.testscript"
local function ok() end
local c = ts.common_setup()
c:subsection("a", function(self) self:failed("x", {go_to="next_tc"}) end)
c:subsection("b", ok)
ts.testcase("A"):test("t", ok)
ts.common_cleanup():subsection("z", ok)
