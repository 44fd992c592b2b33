# Processors.
from pyats import aetest
def pre_ok(section): pass
def pre_false(section): return False
def pre_assert(section): assert False, 'pre assert'
def pre_err(section): raise ValueError('pre err')
def post_ok(section): pass
def post_fail(section): assert False, 'post'
def post_err(section): raise ValueError('post err')
def post_false(section): return False
def exc_true(section, exc_type, exc_value, exc_traceback): return True
def exc_false(section, exc_type, exc_value, exc_traceback): return False
def exc_failed(section, exc_type, exc_value, exc_traceback): section.failed('by exc')
def exc_err(section, exc_type, exc_value, exc_traceback): raise RuntimeError('exc err')
def pre_skip(section): section.skipped('pre skip')
def pre_failed(section): section.failed('pre failed')
def post_passx(section): section.passx('better')
def post_passed(section): section.passed('better')
P = aetest.processors
class Pr(aetest.Testcase):
    @P(pre=[pre_ok], post=[post_ok])
    @aetest.test
    def ok(self): pass
    @P(pre=[pre_false])
    @aetest.test
    def prefalse(self): pass
    @P(pre=[pre_assert], post=[post_fail])
    @aetest.test
    def preassert(self): pass
    @P(pre=[pre_err])
    @aetest.test
    def preerr(self): pass
    @P(pre=[pre_skip])
    @aetest.test
    def preskip(self): pass
    @P(pre=[pre_failed])
    @aetest.test
    def prefailed(self): pass
    @P(post=[post_fail])
    @aetest.test
    def postfail(self): pass
    @P(post=[post_err])
    @aetest.test
    def posterr(self): pass
    @P(post=[post_false])
    @aetest.test
    def postfalse(self): pass
    @P(post=[post_passx])
    @aetest.test
    def postpassx(self): self.failed('x')
    @P(post=[post_passx])
    @aetest.test
    def postpassx2(self): pass
    @P(post=[post_passed])
    @aetest.test
    def postpassed(self): self.skipped('x')
    @P(exception=[exc_true])
    @aetest.test
    def exctrue(self): raise ValueError('x')
    @P(exception=[exc_true])
    @aetest.test
    def exctrueassert(self): assert False
    @P(exception=[exc_true])
    @aetest.test
    def exctrueresult(self): self.failed('result')
    @P(exception=[exc_false])
    @aetest.test
    def excfalse(self): raise ValueError('x')
    @P(exception=[exc_failed])
    @aetest.test
    def excfailed(self): raise ValueError('x')
    @P(exception=[exc_err])
    @aetest.test
    def excerr(self): assert False
@P(pre=[pre_false])
class PrTc(aetest.Testcase):
    @aetest.test
    def t(self): pass
@P(post=[post_fail])
class PoTc(aetest.Testcase):
    @aetest.test
    def t(self): pass
@P(pre=[pre_err])
class PeTc(aetest.Testcase):
    @aetest.test
    def t(self): pass
    @aetest.cleanup
    def cleanup(self): pass
aetest.main()
