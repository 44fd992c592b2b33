"""Tells which flags a script has.

    python -c TEXT FILE PACKAGE PROJECT [ARGUMENT...]

TEXT is this file and behind it one of its neighbours with a function `find`: that calls `tell` with flags as often as it
finds some, and returns whether the script is to be run for that, with `--help`. They are written as a line of JSON to the standard output, of which the last one counts; what the
script itself prints goes to the standard error. Needs nothing but Python 3.6.
"""

import os
import sys


def main(find):
    path, package, project = sys.argv[1:4]
    arguments = sys.argv[4:]
    sink = os.dup(1)
    os.dup2(2, 1)
    if sys.path and sys.path[0] == "":
        # The folders of the script are those that are named.
        del sys.path[0]

    def tell(flags):
        told = ", ".join("%s: {%s}" % (quoted(name), attributes(flag)) for name, flag in flags.items())
        files = ", ".join(quoted(file) for file in files_of(project))
        write(sink, '{"flags": {%s}, "files": [%s]}\n' % (told, files))

    sys.argv = [path] + arguments + ["--help"]
    if find(tell, path, arguments):
        run(path, package)


def run(path, package):
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    module = type(sys)("__main__")
    module.__file__ = path
    module.__package__ = package
    module.__builtins__ = __builtins__
    module.__spec__ = None
    if package:
        __import__(package)
    sys.modules["__main__"] = module
    exec(code, module.__dict__)


def write(sink, text):
    rest = text.encode("ascii")
    while rest:
        rest = rest[os.write(sink, rest) :]


def files_of(project):
    """Returns the files of the project that have been imported, without those of an environment that is in it."""
    inside = os.path.join(project, "")
    others = [os.path.join(path, "") for path in (sys.prefix, sys.base_prefix) if path.startswith(inside)]
    files = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and file.startswith(inside) and "site-packages" not in file:
            if not any(file.startswith(other) for other in others):
                files.add(file)
    return sorted(files)


# What is found as JSON. The module of that name takes longer to import than many a script.


def quoted(text):
    from _json import encode_basestring_ascii

    return encode_basestring_ascii(str(text).encode("utf-8", "replace").decode("utf-8"))


def attributes(flag):
    return ", ".join("%s: %s" % (quoted(name), value(item)) for name, item in flag.items())


def value(item):
    if item is None:
        return "null"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        text = int.__repr__(item)
        return text if -(2**63) <= item < 2**64 else '{"number": "%s"}' % text
    if isinstance(item, float):
        text = float.__repr__(item)
        return '{"number": "%s"}' % text if text in ("inf", "-inf", "nan") else text
    if isinstance(item, (list, tuple)):
        return "[%s]" % ", ".join(value(inner) for inner in item)
    return quoted(item)


def plain(item):
    return item is None or isinstance(item, (bool, int, float, str))
