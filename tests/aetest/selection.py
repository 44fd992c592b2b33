# Testcases chosen by uids and groups.
import sys
from pyats import aetest
from pyats.datastructures.logic import And, Or, Not
class CS(aetest.CommonSetup):
    @aetest.subsection
    def a(self): pass
class A(aetest.Testcase):
    groups = ['sanity','fast']
    @aetest.test
    def t1(self): pass
    @aetest.test
    def t2(self): pass
class B(aetest.Testcase):
    groups = ['sanity','slow']
    @aetest.test
    def t1(self): pass
class C(aetest.Testcase):
    @aetest.test
    def t1(self): pass
@aetest.loop(x=[1,2])
class D(aetest.Testcase):
    groups = ['fast']
    @aetest.test
    def t1(self): pass
class CC(aetest.CommonCleanup):
    @aetest.subsection
    def z(self): pass
k, e = sys.argv[1].split('=', 1); sys.argv[1:] = []
aetest.main(**{k: eval(e)})
