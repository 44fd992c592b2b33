# Jumps out of common setup and common cleanup.
import sys
from pyats import aetest
argument = dict(a.split('=', 1) for a in sys.argv[1:]); sys.argv[1:] = []
place, result, target = argument['jump'].split('-')
def do(self, where):
    if where == place: getattr(self, result)('why', goto=[target])
class CommonSetup(aetest.CommonSetup):
    @aetest.subsection
    def a(self): do(self, 'setup')
    @aetest.subsection
    def b(self): pass
class A(aetest.Testcase):
    @aetest.test
    def t(self): pass
class CommonCleanup(aetest.CommonCleanup):
    @aetest.subsection
    def y(self): do(self, 'cleanup')
    @aetest.subsection
    def z(self): pass
aetest.main()
