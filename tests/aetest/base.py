# A testcase made from another.
from pyats import aetest
class A(aetest.Testcase):
    groups = ['g']
    @aetest.setup
    def setup(self): self.n = 1
    @aetest.test
    def t1(self): assert self.n == 1
    @aetest.test
    def t2(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class B(A):
    @aetest.test
    def t3(self): pass
    @aetest.test
    def t1(self): self.skipped('other')
class C(B):
    must_pass = True
    @aetest.setup
    def setup(self): self.n = 2
    @aetest.test
    def t4(self): assert self.n == 1
class D(A): pass
aetest.main()
