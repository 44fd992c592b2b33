"""Collects or runs the items of pytest, and tells the process that started it what they are and what came of them.

Its order is JSON: `mode` ("collect" or "run"), `args` for pytest, and for a run `items`, the items in their order, `limit`,
the seconds that one may take, and `asks`, whether it is to wait for `go` in a line after each. It is started as
`python3 -c TEXT FILE` with the order in a file, and writes lines of JSON to its standard output; or as `python3 -c TEXT`
with a socket as its standard input, on which it gets the order in a line, and sends the lines.
"""

import base64
import faulthandler
import json
import os
import sys
import time

# As `python -m pytest` has it.
sys.path[0] = os.getcwd()

try:
    import pytest
except ImportError as error:
    pytest, MISSING = None, str(error)

# How much of the output of an item is told, in characters.
MOST = 1 << 20

# Marks that say how an item is run, and nothing about what it tests.
NO_TAGS = {"parametrize", "usefixtures", "filterwarnings"}


class Channel:
    """Sends lines of JSON, whatever the items do with the standard streams."""

    def __init__(self):
        self.is_file = len(sys.argv) > 1
        number = 1 if self.is_file else 0
        self.socket = os.fdopen(os.dup(number), "wb" if self.is_file else "r+b", buffering=0)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, number)
        os.close(null)

    def order(self):
        if self.is_file:
            with open(sys.argv[1], "rb") as file:
                return json.load(file)
        line = b""
        while not line.endswith(b"\n"):
            more = self.socket.read(1 << 16)
            if not more:
                raise SystemExit("no order came")
            line += more
        return json.loads(line)

    def send(self, message):
        text = json.dumps(message) + "\n"
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            rest = rest[self.socket.write(rest) :]


def hook(**options):
    """Marks a hook, where there is pytest."""
    return pytest.hookimpl(**options) if pytest else lambda function: function


def uri_of(item):
    """Returns an item as it is named from the working folder."""
    path = str(getattr(item, "path", None) or item.fspath)
    relative = os.path.relpath(path)
    path = path if relative.startswith(os.pardir) else relative
    _, colons, rest = item.nodeid.partition("::")
    return path + colons + rest


def tags_of(item):
    """Returns the marks of an item: its names, each with the plain values that it was given."""
    tags = {}
    for mark in item.iter_markers():
        if mark.name in NO_TAGS:
            continue
        values = [str(value) for value in mark.args if isinstance(value, (str, int)) and not isinstance(value, bool)]
        # A condition or a reason is prose.
        if mark.name in ("skip", "skipif", "xfail"):
            values = []
        known = tags.setdefault(mark.name, [])
        known.extend(value for value in values if value not in known)
    return tags


def first_line(text):
    for line in str(text).splitlines():
        if line.strip():
            return line.strip()
    return ""


def cut(text):
    if len(text) <= MOST:
        return text
    half = MOST // 2
    return text[:half] + "\n[rille: {} characters left out here]\n".format(len(text) - MOST) + text[-half:]


def collect_reason(report):
    """Returns why a file could not be collected: its last line that tells of an error."""
    text = getattr(report.longrepr, "longrepr", None) or str(report.longrepr)
    errors = [line[1:].strip() for line in str(text).splitlines() if line.startswith("E ")]
    return (errors or [first_line(text)])[-1]


class Common:
    """What holds for collecting and for running: all is done in this process."""

    @hook(tryfirst=True)
    def pytest_configure(self, config):
        # Items are shared out already.
        for name, value in (("dist", "no"), ("tx", []), ("numprocesses", None)):
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        # The files that can be collected are run, whatever the others are.
        config.option.continue_on_collection_errors = True


class Collector(Common):
    """Tells which items there are."""

    def __init__(self, channel):
        self.channel = channel

    def pytest_collectreport(self, report):
        path = report.nodeid.partition("::")[0]
        if report.failed:
            reason = collect_reason(report)
            self.channel.send({"event": "broken", "path": path, "reason": reason})
        elif report.skipped:
            self.channel.send({"event": "left_out", "path": path})

    def pytest_collection_finish(self, session):
        self.channel.send({"event": "root", "path": str(getattr(session.config, "rootpath", session.config.rootdir))})
        for item in session.items:
            line = item.location[1]
            message = {"event": "item", "uri": uri_of(item), "tags": tags_of(item), "line": (line or 0) + 1}
            message["path"] = str(getattr(item, "path", None) or item.fspath)
            message["unittest"] = type(item).__name__ == "TestCaseFunction"
            self.channel.send(message)


class Reporter(Common):
    """Runs the items that it is told to, in that order, and tells what came of each."""

    def __init__(self, channel, items, limit, asks):
        self.channel = channel
        self.asks = asks
        self.items = items
        self.wanted = {uri: number for number, uri in enumerate(items)}
        self.limit = limit
        self.numbers = {}
        self.reports = []
        self.broken = {}

    def pytest_collectreport(self, report):
        # An item of a file that is broken, or skipped as a whole, is that file.
        path = report.nodeid.partition("::")[0]
        if report.failed:
            self.broken[path] = ("error", "it cannot be collected: " + collect_reason(report), str(report.longrepr))
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.broken[path] = ("skip", first_line(reason).replace("Skipped: ", "", 1), None)

    @hook(trylast=True)
    def pytest_collection_modifyitems(self, session, config, items):
        chosen = {}
        for item in items:
            number = self.wanted.get(uri_of(item))
            if number is not None and number not in chosen:
                chosen[number] = item
        left_out = [item for item in items if item not in set(chosen.values())]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
        items[:] = [chosen[number] for number in sorted(chosen)]
        self.numbers = {item.nodeid: number for number, item in chosen.items()}


    def pytest_collection_finish(self, session):
        self.session = session
        root = str(getattr(session.config, "rootpath", session.config.rootdir))
        found = set(self.numbers.values())
        for path, (result, reason, text) in self.broken.items():
            whole = os.path.realpath(os.path.join(root, path))
            for uri, number in self.wanted.items():
                if number not in found and os.path.realpath(uri.partition("::")[0]) == whole:
                    self.channel.send({"event": "started", "item": number})
                    self.finished(number, result, reason, 0.0, "", text or "", text)
    @hook(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        number = self.numbers.get(item.nodeid)
        self.reports = []
        self.channel.send({"event": "started", "item": number, "pid": os.getpid()})
        if self.limit:
            # Ends the process from outside of Python, whatever the item does.
            faulthandler.dump_traceback_later(self.limit, exit=True, file=self.stderr)
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        if self.limit:
            faulthandler.cancel_dump_traceback_later()
        result, reason, text = self.judge()
        out = "".join(content for _, title, content in self.sections() if "stdout" in title or "log" in title)
        err = "".join(content for _, title, content in self.sections() if "stderr" in title)
        self.finished(number, result, reason, seconds, out, err, text)


    @hook(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        report = outcome.get_result()
        if call.excinfo is not None:
            report.rille_reason = first_line(call.excinfo.exconly())


    def pytest_runtest_logreport(self, report):
        self.reports.append(report)

    def sections(self):
        """Returns what was captured, each part once."""
        seen = []
        for report in self.reports:
            for title, content in report.sections:
                entry = (report.when, title, content)
                if (title, content) not in [(known, text) for _, known, text in seen]:
                    seen.append(entry)
        return seen

    def judge(self):
        """Returns how the item ended: the status, the reason, and the report of pytest."""
        # What was run again counts as it ended at last.
        last = [report for report in self.reports if report.outcome != "rerun"]
        failed = [report for report in last if report.failed]
        for report in failed:
            if report.when == "call":
                return "fail", self.reason(report), str(report.longrepr)
        for report in failed:
            return "error", "error at {}: {}".format(report.when, self.reason(report)), str(report.longrepr)
        for report in last:
            expected = getattr(report, "wasxfail", None)
            if expected is not None:
                expected = first_line(str(expected).replace("reason: ", "", 1))
                why = ": " + expected if expected else ""
                if report.skipped:
                    return "pass", "failed as expected" + why, None
                return "warn", "passed, although it was expected to fail" + why, None
        for report in last:
            if report.skipped:
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                return "skip", first_line(reason).replace("Skipped: ", "", 1), None
        if not any(report.when == "call" for report in last):
            return "error", "pytest did not say how it ended", None
        return "pass", None, None

    @staticmethod
    def reason(report):
        crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
        text = getattr(report, "rille_reason", None) or getattr(crash, "message", None) or str(report.longrepr)
        strict = "[XPASS(strict)]"
        if text.startswith(strict):
            why = text[len(strict) :].strip()
            return "passed, although it was expected to fail" + (": " + why if why else "")
        return first_line(text)

    def finished(self, number, result, reason, seconds, out, err, text):
        message = {"event": "finished", "item": number, "result": result, "reason": reason, "seconds": seconds}
        message.update(stdout=cut(out), stderr=cut(err), traceback=cut(text) if text else None)
        self.channel.send(message)
        if self.asks and self.channel.socket.readline() != b"go\n":
            self.session.shouldstop = "no other item is to start"


def text_of(argument):
    """An argument whose bytes are no text comes in base 64."""
    if isinstance(argument, str):
        return argument
    return os.fsdecode(base64.b64decode(argument["__base64_encoded__"]))


def main():
    channel = Channel()
    order = channel.order()
    given = [text_of(argument) for argument in order["args"]]
    sys.argv = ["pytest"] + given
    if pytest is None:
        channel.send({"event": "missing", "python": sys.executable, "reason": MISSING})
        return 0
    if order["mode"] == "collect":
        plugin, args = Collector(channel), ["--collect-only", "-q", "--assert=plain"]
    else:
        plugin, args = Reporter(channel, order["items"], order.get("limit"), order["asks"]), ["-q"]
        plugin.stderr = os.fdopen(os.dup(2), "w")
    code = pytest.main(given + args, plugins=[plugin])
    channel.send({"event": "over", "code": int(code)})
    return 0


sys.exit(main())
