# What each kind of processor makes of each end of a section, of a testcase and of common setup.
from pyats import aetest

R = ['passed', 'failed', 'errored', 'skipped', 'blocked', 'passx']

def returns(value): return lambda *_: value
def raises(error):
    def f(*_): raise error('raised')
    return f
def says(result): return lambda section, *_: getattr(section, result)('said')
WAYS = {'nothing': returns(None), 'true': returns(True), 'false': returns(False), 'assert': raises(AssertionError),
        'error': raises(ValueError), **{r: says(r) for r in R}}
def of_stage(stage, f):
    def around(section): return f(section)
    def at_error(section, exc_type, exc_value, exc_traceback): return f(section)
    return at_error if stage == 'exception' else around
ENDS = {**{r: (lambda r: lambda self: getattr(self, r)('done'))(r) for r in R}, 'assert': raises(AssertionError), 'error': raises(ValueError)}

for stage in ['pre', 'post', 'exception']:
    for way, processor in WAYS.items():
        d = {'__module__': __name__}
        for end, f in ENDS.items():
            def make(f, n):
                def g(self): f(self)
                g.__name__ = g.__qualname__ = n
                return g
            n = 'on_' + end
            d[n] = aetest.processors(**{stage: [of_stage(stage, processor)]})(aetest.test(make(f, n)))
        globals()[f'{stage}_{way}'] = type(f'{stage}_{way}', (aetest.Testcase,), d)
for stage in ['pre', 'post', 'exception']:
    for way, processor in WAYS.items():
        for end in ['passed', 'failed']:
            def make(f):
                def t(self): f(self)
                return t
            def make_cleanup():
                def cleanup(self): pass
                return cleanup
            name = f'case_{stage}_{way}_on_{end}'
            c = type(name, (aetest.Testcase,), {
                '__module__': __name__, 't': aetest.test(make(ENDS[end])), 'cleanup': aetest.cleanup(make_cleanup())})
            globals()[name] = aetest.processors(**{stage: [of_stage(stage, processor)]})(c)
del c, make, make_cleanup
aetest.main()
