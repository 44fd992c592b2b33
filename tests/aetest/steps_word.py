# What a section or a step says, beside what its steps came to.
from pyats import aetest

R = ['passed', 'failed', 'errored', 'skipped', 'blocked', 'passx']

def said_after(step_result, word):
    def f(self, steps):
        with steps.start('s', continue_=True) as step: getattr(step, step_result)('step')
        getattr(self, word)('section')
    return f

def inner_after(step_result, word):
    def f(self, steps):
        with steps.start('o', continue_=True) as outer:
            with outer.start('i', continue_=True) as inner: getattr(inner, step_result)('inner')
            getattr(outer, word)('outer')
    return f

def raised_after(step_result, error):
    def f(self, steps):
        with steps.start('s', continue_=True) as step: getattr(step, step_result)('step')
        raise error('section')
    return f

def unsaid(step_result):
    def f(self, steps):
        with steps.start('s', continue_=True) as step: getattr(step, step_result)('step')
    return f

def named(f, name):
    f.__name__ = f.__qualname__ = name
    return aetest.test(f)

Word = type('Word', (aetest.Testcase,), {
    '__module__': __name__, **{f'{a}_{b}': named(said_after(a, b), f'{a}_{b}') for a in R for b in R}})
Inner = type('Inner', (aetest.Testcase,), {
    '__module__': __name__, **{f'{a}_{b}': named(inner_after(a, b), f'{a}_{b}') for a in R for b in R}})
Raised = type('Raised', (aetest.Testcase,), {
    '__module__': __name__,
    **{f'{a}_assert': named(raised_after(a, AssertionError), f'{a}_assert') for a in R},
    **{f'{a}_error': named(raised_after(a, ValueError), f'{a}_error') for a in R}})
Unsaid = type('Unsaid', (aetest.Testcase,), {
    '__module__': __name__, **{'only_' + a: named(unsaid(a), 'only_' + a) for a in R}})
aetest.main()
