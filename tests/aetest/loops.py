# Loops: of testcases and subsections, with uids, of functions.
from pyats import aetest
def gen():
    yield 1
    yield 2
class CS(aetest.CommonSetup):
    @aetest.loop(x=['p','q'])
    @aetest.subsection
    def sub(self, x): pass
    @aetest.subsection
    def mark(self): aetest.loop.mark(Marked, v=[7,8])
@aetest.loop(n=[1,2])
class Lt(aetest.Testcase):
    @aetest.setup
    def setup(self, n): self.k = n
    @aetest.test
    def t(self, n): assert self.k == n
    @aetest.loop(m=['a','b'])
    @aetest.test
    def u(self, n, m): assert not (n == 2 and m == 'b')
class Marked(aetest.Testcase):
    @aetest.test
    def t(self, v): assert v == 7
class In(aetest.Testcase):
    @aetest.loop(x=[])
    @aetest.test
    def empty(self, x): pass
    @aetest.loop(x=gen())
    @aetest.test
    def g(self, x): pass
    @aetest.loop(uids=['u1','u2'], a=[1,2])
    @aetest.test
    def ids(self, a): pass
    @aetest.loop(args=('a','b'), argvs=((1,2),(3,4)))
    @aetest.test
    def av(self, a, b): assert b == a + 1
    @aetest.loop(a=[1,2], b=[10,20])
    @aetest.test
    def prod(self, a, b): pass
    @aetest.loop(d=[{'x':1}, None, True, 1.5, 'sp ace'])
    @aetest.test
    def kinds(self, d): pass
aetest.main()
