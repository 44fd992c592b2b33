# must_pass of testcases, and common setup that is skipped or passx.
from pyats import aetest
class CS(aetest.CommonSetup):
    @aetest.subsection
    def a(self): self.skipped('x')
    @aetest.subsection
    def b(self): self.passx('y')
class M1(aetest.Testcase):
    @aetest.test
    def t1(self): pass
    @aetest.test
    def t2(self): self.failed('x')
    @aetest.test
    def t3(self): pass
class M2(aetest.Testcase):
    must_pass = True
    @aetest.setup
    def setup(self): self.passx('px')
    @aetest.test
    def t1(self): pass
class M3(aetest.Testcase):
    must_pass = True
    @aetest.setup
    def setup(self): self.skipped('px')
    @aetest.test
    def t1(self): pass
class M4(aetest.Testcase):
    must_pass = True
    @aetest.test
    def t1(self): self.failed('x')
    @aetest.cleanup
    def cleanup(self): pass
class M5(aetest.Testcase):
    @aetest.setup
    def setup(self): pass
    @aetest.test
    def t1(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): self.skipped('z')
aetest.main()
