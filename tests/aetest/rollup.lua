-- What two results come to.
local ts = require "rille.testscript"
local R = {'passed','failed','errored','skipped','blocked','aborted','passx'}
local function tc(name, rs)
  local t = ts.testcase(name)
  for n, r in ipairs(rs) do
    t:test(("t%d_%s"):format(n-1, r), function(self) self[r](self, "why "..r) end)
  end
end
for _, a in ipairs(R) do if a ~= "aborted" then for _, b in ipairs(R) do if b ~= "aborted" then tc(("T_%s_%s"):format(a,b), {a,b}) end end end end
tc("T_zab", {"passed","aborted","passed"})
tc("T_zac", {"passed"})
