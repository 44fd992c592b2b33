# Where a step that is not good ends what it is a part of.
from pyats import aetest

class Three(aetest.Testcase):
    @aetest.test
    def none(self, steps):
        with steps.start('a') as a:
            with a.start('b') as b:
                with b.start('c') as c: c.failed('f')
                with b.start('d') as d: pass
            with a.start('e') as e: pass
        with steps.start('g') as g: pass
    @aetest.test
    def innermost(self, steps):
        with steps.start('a') as a:
            with a.start('b') as b:
                with b.start('c', continue_=True) as c: c.failed('f')
                with b.start('d') as d: pass
            with a.start('e') as e: pass
        with steps.start('g') as g: pass
    @aetest.test
    def middle(self, steps):
        with steps.start('a') as a:
            with a.start('b', continue_=True) as b:
                with b.start('c') as c: c.failed('f')
                with b.start('d') as d: pass
            with a.start('e') as e: pass
        with steps.start('g') as g: pass
    @aetest.test
    def outermost(self, steps):
        with steps.start('a', continue_=True) as a:
            with a.start('b') as b:
                with b.start('c') as c: c.failed('f')
                with b.start('d') as d: pass
            with a.start('e') as e: pass
        with steps.start('g') as g: pass
    @aetest.test
    def raised(self, steps):
        with steps.start('a') as a:
            with a.start('b', continue_=True) as b:
                with b.start('c') as c: raise ValueError('v')
                with b.start('d') as d: pass
            with a.start('e') as e: assert False
        with steps.start('g') as g: pass
    @aetest.test
    def continued_then_bad(self, steps):
        with steps.start('a', continue_=True) as a:
            with a.start('b', continue_=True) as b: b.errored('f')
            with a.start('c') as c: c.failed('g')
        with steps.start('g') as g: pass
    @aetest.test
    def skipped_goes_on(self, steps):
        with steps.start('a') as a:
            with a.start('b') as b: b.skipped('f')
            a.skipped('g')
        with steps.start('g') as g: g.passx('x')
    @aetest.test
    def outer_reported_inside(self, steps):
        with steps.start('a', continue_=True) as a:
            with a.start('b', continue_=True) as b: a.failed('of a')
            with a.start('c') as c: pass
        with steps.start('g') as g: pass
    @aetest.test
    def section_reported_inside(self, steps):
        with steps.start('a', continue_=True) as a:
            with a.start('b', continue_=True) as b: self.passed('of the section')
        with steps.start('g') as g: g.failed('never')
    @aetest.test
    def section_skipped_inside(self, steps):
        with steps.start('a', continue_=True) as a: self.skipped('of the section')
    @aetest.test
    def section_passx_inside(self, steps):
        with steps.start('a') as a: self.passx('of the section')

class Caught(aetest.Testcase):
    @aetest.test
    def error_caught(self, steps):
        try:
            with steps.start('a') as a: raise ValueError('v')
        except ValueError: pass
        with steps.start('b') as b: pass
    @aetest.test
    def error_caught_passed(self, steps):
        try:
            with steps.start('a') as a: raise ValueError('v')
        except ValueError: pass
        self.passed('fine')
    @aetest.test
    def assert_caught_passed(self, steps):
        try:
            with steps.start('a') as a: assert False
        except AssertionError: pass
        self.passed('fine')
    @aetest.test
    def result_caught(self, steps):
        try:
            with steps.start('a') as a: a.failed('f')
        except Exception: pass
        self.passed('fine')
    @aetest.test
    def section_result_caught(self):
        try: self.failed('f')
        except Exception: pass
        self.passed('fine')
    @aetest.test
    def inner_error_caught(self, steps):
        with steps.start('a') as a:
            try:
                with a.start('b') as b: raise ValueError('v')
            except ValueError: pass
        with steps.start('c') as c: pass

class Setup(aetest.Testcase):
    @aetest.setup
    def setup(self, steps):
        with steps.start('a', continue_=True) as a: a.failed('f')
        self.passed('said')
    @aetest.test
    def t(self): pass
    @aetest.cleanup
    def cleanup(self, steps):
        with steps.start('a', continue_=True) as a: a.blocked('f')
aetest.main()
