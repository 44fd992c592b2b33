# So many testcases may fail.
import sys
from pyats import aetest
argument = dict(a.split('=', 1) for a in sys.argv[1:]); sys.argv[1:] = []
def make(n, f):
    def t(self):
        if f != 'none': getattr(self, f)('r')
    globals()[n] = type(n, (aetest.Testcase,), {'__module__': __name__, 't': aetest.test(t)})
for i, f in enumerate(argument['ends'].split('-')): make('T%d' % (i + 1), f)
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
del i, f
aetest.main(max_failures=int(argument['most']))
