# Processors of steps' errors, global ones, lists of them, and those of common setup and setup.
import sys
from pyats import aetest
argument = dict(a.split('=', 1) for a in sys.argv[1:]); sys.argv[1:] = []
kind = argument.get('global')

def false(section): return False
def bad(section): assert False, 'p'
def passx(section): section.passx('better')
def failed(section): section.failed('worse')
def true_error(section, exc_type, exc_value, exc_traceback): return True
def passed_error(section, exc_type, exc_value, exc_traceback): section.passed('handled')
P = aetest.processors
if kind == 'pre_false': global_processors = {'pre': [false], 'post': [], 'exception': []}
if kind == 'post_assert': global_processors = {'pre': [], 'post': [bad], 'exception': []}
if kind == 'post_passx': global_processors = {'pre': [], 'post': [passx], 'exception': []}
if kind == 'exception_true': global_processors = {'pre': [], 'post': [], 'exception': [true_error]}

class CS(aetest.CommonSetup):
    @aetest.subsection
    def a(self): pass
class Step(aetest.Testcase):
    @P(exception=[true_error])
    @aetest.test
    def error_true(self, steps):
        with steps.start('a') as a: raise ValueError('v')
    @P(exception=[true_error])
    @aetest.test
    def assert_true(self, steps):
        with steps.start('a') as a: assert False
    @P(exception=[passed_error])
    @aetest.test
    def error_passed(self, steps):
        with steps.start('a') as a: raise ValueError('v')
    @P(post=[passx])
    @aetest.test
    def post_passx(self, steps):
        with steps.start('a', continue_=True) as a: a.failed('f')
class Several(aetest.Testcase):
    @P(pre=[false, bad])
    @aetest.test
    def pre_false_assert(self): pass
    @P(pre=[bad, false])
    @aetest.test
    def pre_assert_false(self): pass
    @P(post=[passx, failed])
    @aetest.test
    def post_passx_failed(self): pass
    @P(post=[failed, passx])
    @aetest.test
    def post_failed_passx(self): pass
    @P(post=[bad, passx])
    @aetest.test
    def post_assert_passx(self): pass
    @P(pre=[false], post=[bad])
    @aetest.test
    def pre_false_post(self): pass
class OnSetup(aetest.Testcase):
    @P(pre=[false])
    @aetest.setup
    def setup(self): pass
    @aetest.test
    def t(self): pass
class OnSetupAssert(aetest.Testcase):
    @P(pre=[bad])
    @aetest.setup
    def setup(self): pass
    @aetest.test
    def t(self): pass
class OnSetupPost(aetest.Testcase):
    @P(post=[passx])
    @aetest.setup
    def setup(self): assert False
    @aetest.test
    def t(self): pass
@P(pre=[bad])
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
aetest.main()
