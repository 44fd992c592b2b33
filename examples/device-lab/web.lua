-- Tests the web server of the lab.
local ts = require "rille.testscript"
local lab = require "lab"

local ask

ts.common_setup():subsection("connect", function(_, p) ask = lab.connect(p) end)

local pages = ts.testcase("Pages", { groups = { "sanity" } })

pages:test("index", function(_, p)
  local status, body = ask("get", "/index.html")
  assert(status == "200", "status " .. status)
  assert(body:find(p.title, 1, true), "the page does not say '" .. p.title .. "'")
end)

pages:test("missing", function()
  local status = ask("get", "/nowhere.html")
  assert(status == "404", "status " .. status)
end)

local load = ts.testcase("Load")

load:test("many", function(_, _, steps)
  for turn = 1, 3 do
    steps:start("turn " .. turn, function()
      local status = ask("get", "/")
      assert(status == "200", "status " .. status)
    end)
  end
end)
