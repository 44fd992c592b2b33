# Sections that are run again.
from pyats import aetest
calls = {}
def count(name):
    calls[name] = calls.get(name, 0) + 1
    return calls[name]
class CommonSetup(aetest.CommonSetup):
    @aetest.subsection
    def plain(self): assert count('plain') == 1
    @aetest.retry(retries=2, retry_wait=0)
    @aetest.subsection
    def flaky(self): assert count('flaky') == 2
@aetest.retry(retries=2, retry_wait=0)
class Flaky(aetest.Testcase):
    @aetest.setup
    def setup(self): self.n = 1
    @aetest.test
    def a(self):
        assert self.n == 1
        self.n = 2
    @aetest.test
    def b(self): assert count('Flaky') == 2
    @aetest.cleanup
    def cleanup(self): pass
@aetest.retry(retries=2, retry_wait=0)
class Bad(aetest.Testcase):
    @aetest.test
    def a(self): assert False
@aetest.retry(retries=1, retry_wait=0)
class Errored(aetest.Testcase):
    @aetest.test
    def a(self): raise ValueError(count('Errored'))
@aetest.retry(retries=1, retry_wait=0)
class Setup(aetest.Testcase):
    @aetest.setup
    def setup(self): assert count('Setup') == 2
    @aetest.test
    def a(self): pass
@aetest.retry(retries=1, retry_wait=0)
class Good(aetest.Testcase):
    @aetest.test
    def a(self): assert count('Good') == 1
@aetest.retry(retries=2, retry_wait=0)
class Words(aetest.Testcase):
    @aetest.test
    def a(self): self.blocked('no')
@aetest.retry(retries=2, retry_wait=0)
class Passx(aetest.Testcase):
    @aetest.test
    def a(self):
        assert count('Passx') > 1
        self.passx('with a remark')
@aetest.retry(retries=2, retry_wait=0)
class Skipped(aetest.Testcase):
    @aetest.test
    def a(self):
        assert count('Skipped') > 1
        self.skipped('not now')
class Parts(aetest.Testcase):
    @aetest.retry(retries=1, retry_wait=0)
    @aetest.setup
    def setup(self): assert count('Parts.setup') == 2
    @aetest.retry(retries=3, retry_wait=0)
    @aetest.test
    def a(self): assert count('Parts.a') == 3
    @aetest.retry(retries=1, retry_wait=0)
    @aetest.test
    def b(self): assert False
    @aetest.test
    def c(self): pass
    @aetest.retry(retries=1, retry_wait=0)
    @aetest.cleanup
    def cleanup(self): assert count('Parts.cleanup') == 2
@aetest.retry(retries=1, retry_wait=0)
@aetest.loop(n=[1, 2])
class Loop(aetest.Testcase):
    @aetest.test
    def a(self, n): assert n == 1 or count('Loop') == 2
@aetest.retry(retries=1, retry_wait=0)
class Steps(aetest.Testcase):
    @aetest.test
    def a(self, steps):
        with steps.start('one', continue_=True): assert count('Steps') == 2
        with steps.start('two'): pass
@aetest.retry(retries=1, retry_wait=0)
class Must(aetest.Testcase):
    must_pass = True
    @aetest.test
    def a(self): assert count('Must') == 2
class After(aetest.Testcase):
    @aetest.test
    def a(self): pass
class CommonCleanup(aetest.CommonCleanup):
    @aetest.retry(retries=1, retry_wait=0)
    @aetest.subsection
    def flaky(self): assert count('cleanup') == 2
aetest.main()
