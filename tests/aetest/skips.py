# Sections that are left out.
from pyats import aetest
class CS(aetest.CommonSetup):
    @aetest.skip('no')
    @aetest.subsection
    def a(self): pass
class A(aetest.Testcase):
    @aetest.skip('no')
    @aetest.setup
    def setup(self): pass
    @aetest.skipIf(True, 'cond')
    @aetest.test
    def t1(self): pass
    @aetest.skipIf(False, 'cond')
    @aetest.test
    def t2(self): pass
    @aetest.skipUnless(False, 'cond')
    @aetest.test
    def t3(self): pass
    @aetest.skip('no')
    @aetest.cleanup
    def cleanup(self): pass
class All(aetest.Testcase):
    @aetest.skip('no')
    @aetest.test
    def t1(self): pass
@aetest.skip('no')
@aetest.loop(n=[1, 2])
class Loop(aetest.Testcase):
    @aetest.test
    def t1(self, n): pass
class SkipLoop(aetest.Testcase):
    @aetest.skip('no')
    @aetest.loop(n=[1, 2])
    @aetest.test
    def t1(self, n): pass
@aetest.skip('no')
class Whole(aetest.Testcase):
    must_pass = True
    @aetest.test
    def t1(self): pass
class Behind(aetest.Testcase):
    @aetest.test
    def t1(self): pass
@aetest.skip('no')
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
aetest.main()
