"""Runs a module of an operation as the main program, with the flags of the run.

    python -m rille.op_main MODULE [ARGUMENT...] [--] [--FLAG VALUE...]

How flags reach the module is said by the environment variable FLAGS_DEST: as arguments (`args`), as its global
variables (`globals`), as items of a dict (`dict:NAME`, `global:NAME`) or attributes of a namespace
(`namespace:NAME`). Needs nothing but Python 3.8.
"""

import ast
import importlib
import json
import os
import re
import sys
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


def nested_variable(name, tree, is_namespace):
    """Returns the items as those of a variable of the module, `config` or `config.train`."""
    names = name.split(".")
    for inner in reversed(names[1:]):
        tree = {inner: tree}
    return {names[0]: Items(tree, is_namespace)}


class Items:
    """What is put into the dict or the namespace that a module assigns to a variable."""

    def __init__(self, tree, is_namespace):
        self.tree = tree
        self.is_namespace = is_namespace


def merged(value, tree, is_namespace):
    """Returns what a module assigned, with items put into it."""
    if isinstance(value, dict):
        for name, item in tree.items():
            value[name] = merged(value.get(name), item, False) if isinstance(item, dict) else item
        return value
    if hasattr(value, "__dict__"):
        for name, item in tree.items():
            setattr(value, name, merged(getattr(value, name, None), item, True) if isinstance(item, dict) else item)
        return value
    return namespace(tree) if is_namespace else tree


def find(module):
    """Returns the file of a module, `package.module` or `folder/module`, and the package it is in."""
    folder, _, name = module.replace(os.sep, "/").rpartition("/")
    places = list(sys.path)
    if folder:
        candidates = [os.path.join(path, folder) for path in sys.path]
        folder = next((path for path in candidates if os.path.isdir(path)), folder)
        places.insert(0, folder)
        sys.path.insert(own_folders(), folder)
    parts = name.split(".")
    packages = None
    for path in places:
        base = os.path.join(path, *parts)
        if os.path.isfile(base + ".py"):
            return base + ".py", ".".join(parts[:-1])
        if os.path.isfile(os.path.join(base, "__main__.py")):
            return os.path.join(base, "__main__.py"), name
        if os.path.isdir(base) and os.path.isfile(os.path.join(base, "__init__.py")):
            packages = packages or base
    if module == "guild.pass":
        # Guild's module that does nothing, which definitions use where only files are of interest.
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), "__init__.py"), ""
    if packages:
        fail("No module named %s.__main__ ('%s' is a package and cannot be directly executed)" % (name, name))
    fail("No module named %s" % name)


def own_folders():
    """Returns how many folders at the front of the path are the run's: its directory and its source code."""
    own = {os.getcwd(), os.path.abspath(os.environ.get("GUILD_SOURCECODE") or os.curdir)}
    count = 0
    while count < len(sys.path) and os.path.abspath(sys.path[count]) in own:
        count += 1
    return count


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
    if variables:
        main_module.__dict__.update(Assignments(variables).change(tree))
    code = compile(tree, path, "exec", dont_inherit=True)
    sys.excepthook = lambda kind, error, trace: show(kind, error, trace, path)
    exec(code, main_module.__dict__)


def show(kind, error, trace, path):
    """Shows an error from the module on: what runs it is not the user's."""
    at = trace
    while at is not None and at.tb_frame.f_code.co_filename != path:
        at = at.tb_next
    sys.__excepthook__(kind, error.with_traceback(at or trace), at or trace)


class Assignments:
    """Gives variables other values where a module first assigns to them."""

    def __init__(self, variables):
        self.variables = variables
        self.left = set(variables)

    def change(self, tree):
        """Changes a module. Returns the variables that it has from the beginning."""
        self.statements(tree.body)
        begin = {name: value for name, value in self.variables.items() if not isinstance(value, Items)}
        for name in self.left:
            value = self.variables[name]
            if isinstance(value, Items):
                begin[name] = merged(None, value.tree, value.is_namespace)
        return begin

    def statements(self, body):
        at = 0
        while at < len(body):
            statement = body[at]
            at += 1
            if isinstance(statement, ast.Assign):
                more = self.assign(statement)
                body[at:at] = more
                at += len(more)
            elif isinstance(statement, ast.AnnAssign):
                target = statement.target
                if statement.value is not None and isinstance(target, ast.Name) and target.id in self.left:
                    self.left.discard(target.id)
                    statement.value = self.value(target.id, statement.value)
            elif isinstance(statement, ast.If):
                # Only one of the two is run.
                left = set(self.left)
                self.statements(statement.body)
                after, self.left = self.left, left
                self.statements(statement.orelse)
                self.left &= after
            elif isinstance(statement, (ast.Try, ast.With)):
                self.statements(statement.body)

    def assign(self, statement):
        """Changes an assignment, or returns the statements that follow it."""
        targets = statement.targets
        if len(targets) == 1 and isinstance(targets[0], ast.Name):
            if targets[0].id in self.left:
                self.left.discard(targets[0].id)
                statement.value = self.value(targets[0].id, statement.value)
            return []
        more = []
        for node in (node for target in targets for node in ast.walk(target)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in self.left:
                self.left.discard(node.id)
                assigned = ast.copy_location(ast.Name(id=node.id, ctx=ast.Load()), statement)
                again = ast.Assign(targets=[ast.Name(id=node.id, ctx=ast.Store())], value=self.value(node.id, assigned))
                more.append(ast.fix_missing_locations(ast.copy_location(again, statement)))
        return more

    def value(self, name, assigned):
        """Returns the expression that is assigned instead."""
        value = self.variables[name]
        if isinstance(value, Items):
            text = "__import__('rille.op_main', fromlist=['merged']).merged(0, %r, %r)" % (value.tree, value.is_namespace)
            node = ast.parse(text, mode="eval").body
            node.args[0] = assigned
        else:
            node = ast.parse(literal(value), mode="eval").body
        # Errors are told for the line of the assignment.
        for inner in ast.walk(node):
            if inner is not assigned and isinstance(inner, (ast.expr, ast.keyword)) and not is_within(inner, assigned):
                ast.copy_location(inner, assigned)
        return node


def is_within(node, other):
    return any(inner is node for inner in ast.walk(other))


def literal(value):
    """Returns a value as an expression."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "float('%r')" % value
    return repr(value)


if __name__ == "__main__":
    main()
