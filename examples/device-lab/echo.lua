-- Tests the echo server of the lab.
local ts = require "rille.testscript"
local lab = require "lab"

local ask

ts.common_setup():subsection("connect", function(_, p) ask = lab.connect(p) end)

local echo = ts.testcase("Echo", { groups = { "sanity" } })

echo:setup(function(self) self.bytes = 0 end)

-- One test a size: packet[size=1], packet[size=64], …
echo:test("packet", { loop = { size = { 1, 64, 1500, 65536 } } }, function(self, p)
  local length, verdict = ask("echo", p.size)
  self.bytes = self.bytes + tonumber(length)
  assert(tonumber(length) == p.size, ("sent %d bytes, got %s back"):format(p.size, length))
  assert(verdict:find("^same"), "the bytes that came back are others")
end)

echo:cleanup(function(self, p) p.lab:add("bytes", self.bytes) end)
