# Steps of setups and cleanups, a caught error, a loop that must pass.
from pyats import aetest
class A(aetest.Testcase):
    @aetest.setup
    def setup(self, steps):
        with steps.start('x', continue_=True) as st: st.failed('f')
    @aetest.test
    def t(self): pass
    @aetest.cleanup
    def cleanup(self, steps):
        with steps.start('x') as st: st.passx('p')
class B(aetest.Testcase):
    @aetest.setup
    def setup(self): self.passx('x')
    @aetest.test
    def t(self): self.skipped('s')
    @aetest.cleanup
    def cleanup(self): self.skipped('z')
class C(aetest.Testcase):
    @aetest.test
    def t(self, steps):
        try:
            with steps.start('x') as st: raise ValueError('v')
        except ValueError: pass
        self.passed('fine')
    @aetest.test
    def u(self, steps):
        with steps.start('x', continue_=True) as st:
            with st.start('y') as s2: s2.failed('f')
            self.after = 1
    @aetest.test
    def v(self): assert getattr(self, 'after', 0) == 0
    @aetest.test
    def w(self, steps):
        with steps.start('x') as st:
            with st.start('y', continue_=True) as s2: s2.errored('f')
            self.after2 = 1
        self.after3 = 1
    @aetest.test
    def x(self): assert hasattr(self, 'after2') and not hasattr(self, 'after3')
@aetest.loop(n=[1,2,3])
class D(aetest.Testcase):
    must_pass = True
    @aetest.test
    def t(self, n): assert n != 2
class E(aetest.Testcase):
    @aetest.test
    def t(self): pass
aetest.main()
