# What a datafile sets.
import os, sys
from pyats import aetest
argument = dict(a.split('=', 1) for a in sys.argv[1:]); sys.argv[1:] = []
parameters = dict(speed=1, kept=1, deep=dict(a=1, b=1))
class CommonSetup(aetest.CommonSetup):
    @aetest.subsection
    def own(self): assert self.parameters.get('own') == 5
    @aetest.subsection
    def field(self): assert getattr(self, 'link', None) == 'up'
    @aetest.subsection
    def speed(self): assert self.parameters['speed'] == 9
    @aetest.subsection
    def kept(self): assert self.parameters['kept'] == 1
    @aetest.subsection
    def deep(self): assert self.parameters['deep'] == {'a': 2}
class A(aetest.Testcase):
    groups = ['old']
    parameters = dict(x=1, y=1)
    @aetest.test
    def x(self): assert self.parameters['x'] == 2
    @aetest.test
    def y(self): assert self.parameters['y'] == 1
    @aetest.test
    def uid_(self): assert self.uid == 'alt'
    @aetest.test
    def groups_(self): assert self.groups == ['g1', 'g2']
    @aetest.test
    def routes_(self): assert self.routes == [1, {'b': 2}]
@aetest.loop(n=[1, 2])
class L(aetest.Testcase):
    @aetest.test
    def t(self, n): assert self.parameters['m'] == 7
class P(aetest.Testcase):
    @aetest.test
    def t(self): assert False
class After(aetest.Testcase):
    @aetest.test
    def t(self): pass
class CommonCleanup(aetest.CommonCleanup):
    @aetest.subsection
    def c(self): assert self.parameters.get('at_end') == 'yes'
kwargs = {}
if 'groups' in argument:
    kwargs['groups'] = lambda *groups: argument['groups'] in groups
if 'speed' in argument: kwargs['speed'] = int(argument['speed'])
aetest.main(datafile=os.path.join(os.path.dirname(os.path.abspath(__file__)), argument['datafile']), **kwargs)
