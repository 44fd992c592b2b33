# Jumps, also out of the testcases.
from pyats import aetest
class CS(aetest.CommonSetup):
    @aetest.subsection
    def a(self): pass
class G1(aetest.Testcase):
    @aetest.setup
    def setup(self): pass
    @aetest.test
    def t1(self): self.passed('x', goto=['cleanup'])
    @aetest.test
    def t2(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class G2(aetest.Testcase):
    @aetest.setup
    def setup(self): pass
    @aetest.test
    def t1(self): self.failed('x', goto=['next_tc'])
    @aetest.test
    def t2(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class G2b(aetest.Testcase):
    @aetest.setup
    def setup(self): self.failed('x', goto=['cleanup'])
    @aetest.test
    def t2(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class G2c(aetest.Testcase):
    @aetest.setup
    def setup(self): self.skipped('x', goto=['next_tc'])
    @aetest.test
    def t2(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class G2d(aetest.Testcase):
    @aetest.test
    def t2(self): self.failed('bad', goto=['nowhere'])
    @aetest.test
    def t3(self): pass
class G3(aetest.Testcase):
    @aetest.test
    def t1(self): self.failed('x', goto=['common_cleanup'])
    @aetest.test
    def t2(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class G4(aetest.Testcase):
    @aetest.test
    def t1(self): pass
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
aetest.main()
