# What one section comes to in its testcase: the only section of each.
from pyats import aetest

def passed_after_failed(self, steps):
    with steps.start('a', continue_=True) as a: a.failed('f')
    self.passed('said')
def passx_after_failed(self, steps):
    with steps.start('a', continue_=True) as a: a.failed('f')
    self.passx('said')
def skipped_after_blocked(self, steps):
    with steps.start('a', continue_=True) as a: a.blocked('f')
    self.skipped('said')
def passed_after_passx(self, steps):
    with steps.start('a') as a: a.passx('f')
    self.passed('said')
def passed_after_skipped(self, steps):
    with steps.start('a') as a: a.skipped('f')
    self.passed('said')
def failed_after_errored(self, steps):
    with steps.start('a', continue_=True) as a: a.errored('f')
    self.failed('said')
def outer_passed(self, steps):
    with steps.start('a') as a:
        with a.start('b', continue_=True) as b: b.failed('f')
        a.passed('said')
def error_caught(self, steps):
    try:
        with steps.start('a') as a: raise ValueError('v')
    except ValueError: pass
def error_caught_passed(self, steps):
    try:
        with steps.start('a') as a: raise ValueError('v')
    except ValueError: pass
    self.passed('said')
def failed_caught_passed(self, steps):
    try:
        with steps.start('a') as a: a.failed('f')
    except BaseException: pass
    self.passed('said')
def section_caught_passed(self, steps):
    try: self.failed('f')
    except BaseException: pass
    self.passed('said')
def section_caught(self, steps):
    try: self.failed('f')
    except BaseException: pass
def assert_continued(self, steps):
    with steps.start('a', continue_=True) as a: assert False
    with steps.start('b') as b: pass
def error_continued(self, steps):
    with steps.start('a', continue_=True) as a: raise ValueError('v')
    with steps.start('b') as b: pass
def aborted_continued(self, steps):
    with steps.start('a', continue_=True) as a: a.aborted('x')
    with steps.start('b') as b: pass
def blocked_continued(self, steps):
    with steps.start('a', continue_=True) as a: a.blocked('x')
    with steps.start('b') as b: pass
def blocked_ends(self, steps):
    with steps.start('a') as a: a.blocked('x')
    with steps.start('b') as b: pass
def no_step(self, steps): pass
for f in [
    passed_after_failed, passx_after_failed, skipped_after_blocked, passed_after_passx, passed_after_skipped, failed_after_errored, outer_passed, error_caught, error_caught_passed, failed_caught_passed, section_caught_passed, section_caught, assert_continued, error_continued, blocked_continued, blocked_ends, no_step, aborted_continued,
]:
    n = f.__name__
    globals()[n] = type(n, (aetest.Testcase,), {'__module__': __name__, 't': aetest.test(f)})
del f, n
aetest.main()
