# A jump out of a subsection.
from pyats import aetest
class CS(aetest.CommonSetup):
    @aetest.subsection
    def a(self): self.failed('x', goto=['next_tc'])
    @aetest.subsection
    def b(self): pass
class A(aetest.Testcase):
    @aetest.test
    def t(self): pass
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
aetest.main()
