# Steps: continue, steps in steps, and what they come to.
from pyats import aetest
class St(aetest.Testcase):
    @aetest.test
    def cont(self, steps):
        with steps.start('one', continue_=True) as s: s.failed('no')
        with steps.start('two') as s: pass
    @aetest.test
    def nested(self, steps):
        with steps.start('outer') as s:
            with s.start('inner', continue_=True) as i: i.passx('meh')
            with s.start('inner2') as i: i.skipped('sk')
    @aetest.test
    def endbad(self, steps):
        with steps.start('a') as s: assert False
        self.errored('never')
    @aetest.test
    def stepskip(self, steps):
        with steps.start('a') as s: s.skipped('x')
        with steps.start('b') as s: s.passed('y')
        self.passx('z')
    @aetest.test
    def stepblocked(self, steps):
        with steps.start('a', continue_=True) as s: s.blocked('x')
        self.passed('but')
    @aetest.test
    def stepaborted(self, steps):
        with steps.start('a', continue_=True) as s: s.aborted('x')
    @aetest.test
    def steperr(self, steps):
        with steps.start('a', continue_=True) as s: raise ValueError('x')
        with steps.start('b', continue_=True) as s: s.failed('x')
    @aetest.test
    def selfinstep(self, steps):
        with steps.start('a', continue_=True) as s: self.failed('self')
        with steps.start('b') as s: pass
    @aetest.test
    def onlyskip(self, steps):
        with steps.start('a') as s: s.skipped('x')
aetest.main()
