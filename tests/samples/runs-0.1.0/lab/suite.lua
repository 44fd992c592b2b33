local walk = require "rille.walk"

local A = walk.action { name = "A", options = { 1, 2 }, run = function() end }
local B = walk.action {
  name = "B",
  options = { "x", "y" },
  run = function(param) if param == "y" then error("no y") end end,
}
return { order = { A, B }, state = {} }
