"""Runs one Python unittest and tells the process that started it what came of it.

It is started as `python3 -c TEXT FOLDER NAME`, with a socket as its standard input, on which it sends one line of JSON.
"""

import io
import json
import os
import sys
import traceback
import unittest


def last_line(text):
    """Returns the last line that says something."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def plain(value):
    """Returns text that any reader of JSON takes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


class Result(unittest.TextTestResult):
    """Keeps the exceptions, of which the text alone does not tell where their message begins."""

    exceptions = ()

    def note(self, err):
        self.exceptions += (err[:2],)

    def addError(self, test, err):
        self.note(err)
        super().addError(test, err)

    def addFailure(self, test, err):
        self.note(err)
        super().addFailure(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(err)
        super().addSubTest(test, subtest, err)


def exception_line(exceptions, text):
    """Returns the line that names the last exception, with the first line of its message."""
    if not exceptions:
        return last_line(text)
    lines = traceback.format_exception_only(*exceptions[-1])
    return lines[-1].splitlines()[0] if lines and lines[-1].strip() else last_line(text)


def judge(result):
    """Returns the status and the reason."""
    for status, entries in (("error", result.errors), ("fail", result.failures)):
        if entries:
            kind = AssertionError
            known = [entry for entry in result.exceptions if issubclass(entry[0], kind) == (status == "fail")]
            return status, exception_line(known, entries[-1][1])
    if result.unexpectedSuccesses:
        return "fail", "unexpected success of " + str(result.unexpectedSuccesses[-1])
    if result.skipped:
        return "skip", last_line(result.skipped[-1][1])
    if result.testsRun == 0:
        return "error", "there was no test to run"
    return "pass", None


def run(name):
    """Runs the test with this dotted name."""
    report = io.StringIO()
    try:
        suite = unittest.TestLoader().loadTestsFromName(name)
    except Exception as error:
        text = traceback.format_exc()
        reason = "cannot load the test {}: {}".format(name, error)
        return {
            "stderr": text,
            "result": "error",
            "fail_reason": reason,
            "fail_class": type(error).__name__,
            "traceback": text,
        }
    result = unittest.TextTestRunner(stream=report, verbosity=0, resultclass=Result).run(suite)
    status, reason = judge(result)
    return {"stdout": report.getvalue(), "result": status, "fail_reason": reason}


def main():
    channel = os.fdopen(os.dup(0), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    folder, name = sys.argv[1:3]
    sys.path[0] = folder
    # The test finds no arguments that are not its own.
    sys.argv = [name]
    try:
        end = run(name)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
    channel.write(json.dumps({key: plain(value) for key, value in end.items()}) + "\n")
    channel.close()


main()
