# Loops: names, uids, generators, turns that are not good, loops in loops.
from pyats import aetest
def gen(*values): yield from values
class In(aetest.Testcase):
    @aetest.loop(a=[1, 2], b=[10, 20])
    @aetest.test
    def even(self, a, b): pass
    @aetest.loop(a=[1, 2, 3], b=[10, 20])
    @aetest.test
    def longer_a(self, a, b=None): pass
    @aetest.loop(a=[1], b=[10, 20])
    @aetest.test
    def longer_b(self, b, a=None): pass
    @aetest.loop(b=[1, 2], a=[3, 4], c=['x', 'y'])
    @aetest.test
    def three(self, a, b, c): pass
    @aetest.loop(args=('a', 'b'), argvs=((1, 2), (3, 4)))
    @aetest.test
    def rows(self, a, b): assert b == a + 1
    @aetest.loop(uids=['u1', 'u2'], a=[1, 2, 3])
    @aetest.test
    def few_uids(self, a): pass
    @aetest.loop(uids=['v1', 'v2', 'v3'], a=[1, 2])
    @aetest.test
    def many_uids(self, a=None): pass
    @aetest.loop(uids=['w1', 'w2'])
    @aetest.test
    def only_uids(self): pass
    @aetest.loop(a=[1, 1])
    @aetest.test
    def twice(self, a): pass
    @aetest.loop(a=[])
    @aetest.test
    def empty(self, a): pass
class Lazy(aetest.Testcase):
    @aetest.loop(a=gen(1, 2, 3))
    @aetest.test
    def one(self, a): assert a != 2
class Bad(aetest.Testcase):
    @aetest.loop(a=[1, 2, 3])
    @aetest.test
    def t(self, a):
        if a == 2: self.errored('two')
    @aetest.test
    def after(self): pass
@aetest.loop(n=[1, 2], m=['x', 'y'])
class Cases(aetest.Testcase):
    @aetest.loop(k=[1, 2])
    @aetest.test
    def t(self, n, m, k): assert (n, k) != (2, 2)
@aetest.loop(n=[])
class Empty(aetest.Testcase):
    @aetest.test
    def t(self, n): pass
@aetest.loop(n=[1, 2, 3])
class Setup(aetest.Testcase):
    @aetest.setup
    def setup(self, n): assert n != 2
    @aetest.test
    def t(self): pass
    @aetest.cleanup
    def cleanup(self, n):
        if n == 3: self.passx('three')
@aetest.loop(n=[1, 2, 3])
class Jump(aetest.Testcase):
    @aetest.test
    def t(self, n):
        if n == 1: self.passed('on', goto=['next_tc'])
    @aetest.test
    def u(self): pass
class LoopJump(aetest.Testcase):
    @aetest.loop(n=[1, 2, 3])
    @aetest.test
    def t(self, n):
        if n == 2: self.failed('away', goto=['cleanup'])
    @aetest.test
    def u(self): pass
    @aetest.cleanup
    def cleanup(self): pass
class Nothing(aetest.Testcase): pass
class Must(aetest.Testcase):
    must_pass = True
    @aetest.loop(n=[1, 2])
    @aetest.test
    def t(self, n): assert n != 1
class Behind(aetest.Testcase):
    @aetest.test
    def t(self): pass
aetest.main()
