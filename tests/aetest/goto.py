# Every result with every target, from a setup, a test and a cleanup.
import sys
from pyats import aetest

R = ['passed', 'failed', 'errored', 'skipped', 'blocked', 'passx']
T = ['cleanup', 'next_tc']

def make(name, place, result, target):
    def jump(self): getattr(self, result)('why', goto=[target])
    def stay(self): pass
    def part(kind, f, n):
        def g(self): return f(self)
        g.__name__ = g.__qualname__ = n
        return kind(g)
    d = {'__module__': __name__}
    d['setup'] = part(aetest.setup, jump if place == 'setup' else stay, 'setup')
    d['t1'] = part(aetest.test, jump if place == 'test' else stay, 't1')
    d['t2'] = part(aetest.test, stay, 't2')
    d['cleanup'] = part(aetest.cleanup, jump if place == 'cleanup' else stay, 'cleanup')
    return type(name, (aetest.Testcase,), d)

class CommonSetup(aetest.CommonSetup):
    @aetest.subsection
    def a(self): pass
argument = dict(a.split('=', 1) for a in sys.argv[1:]); sys.argv[1:] = []
if argument:
    place, result, target = argument['jump'].split('-')
    Jumps = make('Jumps', place, result, target)
    Last = make('Last', None, None, None)
else:
    for place in ['setup', 'test', 'cleanup']:
        for result in R:
            for target in T + ['nowhere']:
                name = f'{place}_{result}_{target}'
                globals()[name] = make(name, place, result, target)
class CommonCleanup(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
aetest.main()
