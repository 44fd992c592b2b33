# What a testcase that is run again and stays bad means for the others, and what processors see.
from pyats import aetest
calls = {}
def count(name):
    calls[name] = calls.get(name, 0) + 1
    return calls[name]
def after(section):
    if section.result.name == 'failed' and section.uid.startswith('Post') and count('post') == 2: section.passed('mended')
@aetest.processors(post=[after])
@aetest.retry(retries=2, retry_wait=0)
class Post(aetest.Testcase):
    @aetest.test
    def a(self): assert False
@aetest.retry(retries=1, retry_wait=0)
class Two(aetest.Testcase):
    @aetest.test
    def a(self): assert count('Two') > 2
@aetest.retry(retries=1, retry_wait=0)
class Three(aetest.Testcase):
    @aetest.retry(retries=1, retry_wait=0)
    @aetest.test
    def a(self): assert count('Three') > 3
@aetest.retry(retries=2, retry_wait=0)
class Must(aetest.Testcase):
    must_pass = True
    @aetest.test
    def a(self): assert False
class After(aetest.Testcase):
    @aetest.test
    def a(self): pass
aetest.main()
