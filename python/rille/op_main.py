"""Runs a module of an operation as the main program, with the flags of the run.

    python -m rille.op_main MODULE [ARGUMENT...] [--] [--FLAG VALUE...]

How flags reach the module is said by the environment variable FLAGS_DEST: as arguments (`args`), as its global
variables (`globals`), as items of a dict (`dict:NAME`, `global:NAME`) or attributes of a namespace
(`namespace:NAME`). Needs nothing but Python 3.8.
"""

import sys

# Nothing of the user's must be found under the name of a module that is needed here, and the folder that Python puts
# first is that of the run, which holds results.
if sys.path and sys.path[0] in ("", __import__("os").getcwd()):
    del sys.path[0]

import ast
import importlib
import json
import os
import re
import types


def main():
    if len(sys.argv) < 2:
        fail("expected the name of a module")
    module, arguments = sys.argv[1], sys.argv[2:]
    dest = os.environ.get("FLAGS_DEST") or "args"
    flag_args, base_args = split_arguments(arguments)
    variables = {}
    if dest == "args" or dest.startswith("args:"):
        rest = base_args + flag_args
    elif dest == "globals":
        variables, others = flags_of(flag_args)
        rest = base_args + others
    elif dest.startswith(("global:", "dict:", "namespace:")):
        kind, name = dest.split(":", 1)
        flags, others = flags_of(flag_args)
        rest = base_args + others
        variables = nested_variable(name, nested(flags), kind == "namespace")
    else:
        # Such flags are passed some other way.
        rest = base_args
    path, package = find(module)
    sys.argv = [path] + rest
    run(path, package, variables)


def fail(message):
    sys.stderr.write("%s\n" % message)
    sys.exit(1)


def split_arguments(arguments):
    """Returns the arguments after the last `--`, and those before it; without one all are flags."""
    for at in range(len(arguments) - 1, -1, -1):
        if arguments[at] == "--":
            return arguments[at + 1 :], arguments[:at]
    return arguments, []


def flags_of(arguments):
    """Returns flags by name, and what is none. A name without a value is true, one with several has a list."""
    values, others, name = {}, [], None
    for argument in arguments:
        if argument.startswith("--") and len(argument) > 2:
            name = argument[2:]
            values.setdefault(name, [])
        elif name is None:
            others.append(argument)
        else:
            values[name].append(decoded(argument))
    flags = {}
    for name, given in values.items():
        flags[name] = True if not given else given[0] if len(given) == 1 else given
    return flags, others


NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
WORDS.update((word, True) for word in "yes Yes YES true True TRUE on On ON".split())
WORDS.update((word, False) for word in "no No NO false False FALSE off Off OFF".split())
WORDS.update((sign + word, float(sign + word[1:])) for sign in ("", "-", "+") for word in (".inf", ".Inf", ".INF"))
WORDS.update((word, float("nan")) for word in (".nan", ".NaN", ".NAN"))


def decoded(text):
    """Returns the value of one line of YAML: a word, a number, or something in quotes or brackets."""
    if text in WORDS:
        return WORDS[text]
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if text[:1] in ('"', "[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    if re.match(r"[-+]?[0-9]+$", text):
        return int(text)
    if re.match(r"[-+]?0x[0-9a-fA-F]+$", text):
        return int(text, 16)
    return float(text) if NUMBER.match(text) else text


def nested(flags):
    """Returns flags whose names have dots as dicts within dicts."""
    tree = {}
    for name, value in sorted(flags.items()):
        parts, at = name.split("."), tree
        for depth, part in enumerate(parts[:-1]):
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                fail("flag '%s' cannot be nested: '%s' has a value itself" % (name, ".".join(parts[: depth + 1])))
        at[parts[-1]] = value
    return tree


def namespace(tree):
    if not isinstance(tree, dict):
        return tree
    return types.SimpleNamespace(**{name: namespace(value) for name, value in tree.items()})


class Merge(dict):
    """Items to put into the dict or namespace that the module assigns to a variable."""


def nested_variable(name, tree, is_namespace):
    names = name.split(".")
    for inner in reversed(names[1:]):
        tree = {inner: tree}
    merge = Merge(tree)
    merge.is_namespace = is_namespace
    return {names[0]: merge}


def merged(value, tree, is_namespace):
    """Returns what a module assigned, with items put into it."""
    if isinstance(value, dict) and not is_namespace:
        result = dict(value) if type(value) is dict else value
        for name, item in tree.items():
            inner = result.get(name)
            is_tree = isinstance(item, dict) and (isinstance(inner, dict) or hasattr(inner, "__dict__"))
            result[name] = merged(inner, item, not isinstance(inner, dict)) if is_tree else item
        return result
    if hasattr(value, "__dict__") and not isinstance(value, dict):
        for name, item in tree.items():
            inner = getattr(value, name, None)
            is_tree = isinstance(item, dict) and (isinstance(inner, dict) or hasattr(inner, "__dict__"))
            setattr(value, name, merged(inner, item, not isinstance(inner, dict)) if is_tree else item)
        return value
    return namespace(tree) if is_namespace else plain(tree)


def plain(tree):
    return {name: plain(value) if isinstance(value, dict) else value for name, value in tree.items()}


def find(module):
    """Returns the file of a module, `package.module` or `folder/module`, and the package it is in."""
    folder, _, name = module.replace(os.sep, "/").rpartition("/")
    if folder:
        candidates = [os.path.join(path, folder) for path in sys.path]
        folder = next((path for path in candidates if os.path.isdir(path)), folder)
        sys.path.insert(0, folder)
    parts = name.split(".")
    packages = None
    for path in sys.path:
        base = os.path.join(path, *parts)
        if os.path.isfile(base + ".py"):
            return base + ".py", ".".join(parts[:-1])
        if os.path.isfile(os.path.join(base, "__main__.py")):
            return os.path.join(base, "__main__.py"), name
        if os.path.isdir(base) and os.path.isfile(os.path.join(base, "__init__.py")):
            packages = packages or base
    if packages:
        fail("No module named %s.__main__ ('%s' is a package and cannot be directly executed)" % (name, name))
    fail("No module named %s" % name)


def run(path, package, variables):
    """Runs a file as the main program, whose first assignments to these variables get other values."""
    with open(path, "rb") as file:
        source = file.read()
    main_module = types.ModuleType("__main__")
    main_module.__file__ = path
    main_module.__package__ = package
    main_module.__builtins__ = __builtins__
    main_module.__spec__ = None
    if package:
        importlib.import_module(package)
    # What the module imports must not find this program under its name.
    sys.modules["__main__"] = main_module
    tree = ast.parse(source, path)
    values = {}
    if variables:
        values = assign(tree, variables)
    for name, value in values.items():
        setattr(main_module, name, value)
    code = compile(tree, path, "exec", dont_inherit=True)
    exec(code, main_module.__dict__)


def assign(tree, variables):
    """Changes the first assignment to each variable at the top of a module. Returns the variables to begin with."""
    begin, left = {}, dict(variables)
    hidden = {}

    def replaced(target, value_node):
        name = target.id
        value = left.pop(name)
        key = "__rille_flag_%d__" % len(hidden)
        while key in variables:
            key += "_"
        if isinstance(value, Merge):
            items, is_namespace = dict(value), value.is_namespace
            hidden[key] = lambda assigned: merged(assigned, items, is_namespace)
            arguments = [value_node]
        else:
            hidden[key] = value
            arguments = None
        node = ast.Name(id=key, ctx=ast.Load())
        if arguments is not None:
            node = ast.Call(func=node, args=arguments, keywords=[])
        ast.copy_location(node, value_node)
        return ast.fix_missing_locations(node)

    def visit(statements):
        for statement in statements:
            if isinstance(statement, ast.Assign):
                names = [target for target in statement.targets if isinstance(target, ast.Name) and target.id in left]
                if len(statement.targets) == 1 and names:
                    statement.value = replaced(names[0], statement.value)
                elif names:
                    # `a = b = 1`: only the one named gets the value.
                    for target in names:
                        statement.targets.remove(target)
                        begin_with(target.id)
                    if not statement.targets:
                        statement.targets = [ast.copy_location(ast.Name(id="_", ctx=ast.Store()), names[0])]
            elif isinstance(statement, ast.AnnAssign):
                target = statement.target
                if statement.value is not None and isinstance(target, ast.Name) and target.id in left:
                    statement.value = replaced(target, statement.value)
            elif isinstance(statement, ast.If):
                visit(statement.body)
                visit(statement.orelse)
            elif isinstance(statement, (ast.Try, ast.With)):
                visit(statement.body)

    def begin_with(name):
        value = left.pop(name)
        begin[name] = merged(None, dict(value), value.is_namespace) if isinstance(value, Merge) else value

    visit(tree.body)
    for name in list(left):
        begin_with(name)
    begin.update(hidden)
    return begin


if __name__ == "__main__":
    main()
