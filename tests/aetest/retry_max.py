# Testcases that are run again, and max_failures.
from pyats import aetest
calls = {}
def count(name):
    calls[name] = calls.get(name, 0) + 1
    return calls[name]
@aetest.retry(retries=3, retry_wait=0)
class Flaky(aetest.Testcase):
    @aetest.test
    def a(self): assert count('Flaky') == 3
class Between(aetest.Testcase):
    @aetest.test
    def a(self): pass
@aetest.retry(retries=1, retry_wait=0)
class Bad(aetest.Testcase):
    @aetest.test
    def a(self): assert False
class After(aetest.Testcase):
    @aetest.test
    def a(self): pass
@aetest.retry(retries=1, retry_wait=0)
class Worse(aetest.Testcase):
    @aetest.test
    def a(self): assert False
class Last(aetest.Testcase):
    @aetest.test
    def a(self): pass
aetest.main(max_failures=2)
