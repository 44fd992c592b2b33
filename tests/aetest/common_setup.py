# A common setup that fails, and a common cleanup that raises.
from pyats import aetest
class CS(aetest.CommonSetup):
    @aetest.subsection
    def a(self): self.failed('x')
    @aetest.subsection
    def b(self): pass
class T1(aetest.Testcase):
    @aetest.setup
    def setup(self): pass
    @aetest.test
    def t(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
    @aetest.subsection
    def z2(self): raise ValueError('x')
    @aetest.subsection
    def z3(self): pass
aetest.main()
