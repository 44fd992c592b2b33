# What a testcase that is made from another has of it.
from pyats import aetest
def no(section): return False
def bad(section): assert False
def passx(section): section.passx('better')
@aetest.loop(n=[1, 2])
class Loop(aetest.Testcase):
    @aetest.test
    def t(self, n=None): assert n != 2
class LoopOf(Loop): pass
@aetest.skip('no')
class Skip(aetest.Testcase):
    @aetest.test
    def t(self): pass
class SkipOf(Skip): pass
@aetest.processors(pre=[no])
class Pre(aetest.Testcase):
    @aetest.test
    def t(self): pass
class PreOf(Pre): pass
@aetest.processors(post=[passx])
class PreBoth(Pre): pass
class Params(aetest.Testcase):
    parameters = {'a': 1, 'b': 2}
    @aetest.test
    def t(self, a, b=0): assert (a, b) == (1, 2)
class ParamsOf(Params):
    parameters = {'b': 3}
    @aetest.test
    def u(self, a=0, b=0): assert (a, b) == (1, 3)
class ParamsSame(Params): pass
class Part(aetest.Testcase):
    @aetest.processors(post=[passx])
    @aetest.test
    def t(self): pass
    @aetest.loop(k=[1, 2])
    @aetest.test
    def u(self, k): pass
class PartOf(Part):
    @aetest.test
    def t(self): pass
class Must(aetest.Testcase):
    must_pass = True
    @aetest.test
    def t(self): pass
class MustOf(Must):
    @aetest.test
    def t(self): assert False
class Behind(aetest.Testcase):
    @aetest.test
    def t(self): pass
aetest.main()
