# What setup, test and cleanup say, and must_pass of a testcase.
import sys
from pyats import aetest
argument = dict(a.split('=', 1) for a in sys.argv[1:]); sys.argv[1:] = []
place, what, must = (argument['say'] + '-').split('-')[:3]
def do(self, where):
    if where != place: return
    if what == 'error': raise ValueError('v')
    if what == 'assert': assert False
    getattr(self, what)('r')
class A(aetest.Testcase):
    must_pass = must == 'must'
    @aetest.setup
    def setup(self): do(self, 'setup')
    @aetest.test
    def t1(self): do(self, 'test')
    @aetest.test
    def t2(self): pass
    @aetest.cleanup
    def cleanup(self): do(self, 'cleanup')
class B(aetest.Testcase):
    @aetest.test
    def t(self): pass
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
aetest.main()
