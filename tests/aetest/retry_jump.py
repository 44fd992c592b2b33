# A jump out of a section that is run again.
from pyats import aetest
calls = {}
def count(name):
    calls[name] = calls.get(name, 0) + 1
    return calls[name]
@aetest.retry(retries=1, retry_wait=0)
class Jump(aetest.Testcase):
    @aetest.test
    def a(self):
        if count('Jump') == 1: self.failed('away', goto=['common_cleanup'])
    @aetest.test
    def b(self): pass
class After(aetest.Testcase):
    @aetest.test
    def a(self): pass
@aetest.retry(retries=1, retry_wait=0)
class Away(aetest.Testcase):
    @aetest.test
    def a(self): self.failed('away', goto=['common_cleanup'])
class Last(aetest.Testcase):
    @aetest.test
    def a(self): pass
aetest.main()
