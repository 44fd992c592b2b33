local ts = require "rille.testscript"

ts.common_setup():subsection("connect", function() print "connected" end)

local ping = ts.testcase "Ping"
ping:test("near", function() print "1 ms" end)
ping:test("far", function() error "no answer" end)
