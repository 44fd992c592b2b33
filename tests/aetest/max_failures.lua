-- So many testcases may fail.
local ts = require "rille.testscript"
ts.max_failures = math.tointeger(parameters.most)
local n = 0
for result in parameters.ends:gmatch "%w+" do
  n = n + 1
  ts.testcase("T" .. n):test("t", function(self)
    if result ~= "none" then self[result](self, "r") end
  end)
end
ts.common_cleanup():subsection("z", function() end)
