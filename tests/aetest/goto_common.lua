-- Jumps out of common setup and common cleanup.
local ts = require "rille.testscript"
local place, result, target = parameters.jump:match("^(%w+)-(%w+)-([%w_]+)$")
local function stay() end
local function at(where)
  return function(self)
    if where == place then self[result](self, "why", { go_to = target }) end
  end
end
ts.common_setup():subsection("a", at "setup"):subsection("b", stay)
ts.testcase("A"):test("t", stay)
ts.common_cleanup():subsection("y", at "cleanup"):subsection("z", stay)
