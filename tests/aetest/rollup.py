# What two results come to.
from pyats import aetest
R = ['passed','failed','errored','skipped','blocked','aborted','passx']
def mk(r):
    def f(self): getattr(self, r)('why '+r)
    f.__name__ = 't_'+r
    return f
def tc(name, rs):
    d = {'__module__': __name__}
    for n, r in enumerate(rs):
        g = mk(r); g.__name__ = 't%d_%s' % (n, r); g.__qualname__ = g.__name__
        d[g.__name__] = aetest.test(g)
    return type(name, (aetest.Testcase,), d)
for a in R:
    if a == 'aborted': continue
    for b in R:
        if b == 'aborted': continue
        globals()['T_%s_%s' % (a,b)] = tc('T_%s_%s' % (a,b), [a,b])
T_zab = tc('T_zab', ['passed','aborted','passed'])
T_zac = tc('T_zac', ['passed'])
aetest.main()
