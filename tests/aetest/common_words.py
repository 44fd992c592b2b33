# What blocks testcases, and what does not.
import sys
from pyats import aetest
argument = dict(a.split('=', 1) for a in sys.argv[1:]); sys.argv[1:] = []
what = argument['setup']
class CS(aetest.CommonSetup):
    @aetest.subsection
    def a(self, steps):
        if what == 'word':
            with steps.start('s', continue_=True) as s: s.failed('f')
            self.passed('said')
        elif what == 'error': raise ValueError('v')
        elif what == 'assert': assert False
        else: getattr(self, what)('r')
    @aetest.subsection
    def b(self): pass
class A(aetest.Testcase):
    @aetest.setup
    def setup(self): pass
    @aetest.test
    def t(self): pass
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
aetest.main()
