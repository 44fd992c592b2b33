"""Values that a script writes out, where its syntax is newer than the reader of who asks. NAME, where it is not empty, is
that of the dict or namespace that has them, and is the only argument."""


def find(tell, path, arguments):
    tell(written_out(path, arguments[0]))
    return False


class Items(dict):
    pass


def written_out(path, name):
    import ast

    with open(path, "rb") as file:
        tree = ast.parse(file.read(), path)
    values = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and statement.col_offset == 0:
            try:
                found = literal(statement.value, ast)
            except ValueError:
                continue
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    values.setdefault(target.id, found)
    if name:
        values = nested(values.get(name), "")
    flags = {}
    for name, item in values.items():
        if not name.startswith("_") and not isinstance(item, Items):
            flags[name] = written(item)
    return flags


def literal(node, ast):
    if isinstance(node, ast.List):
        return [literal(item, ast) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [key and literal(key, ast) for key in node.keys]
        if None in keys:
            raise ValueError(node)
        values = [literal(item, ast) for item in node.values]
        return Items((key, item) for key, item in zip(keys, values) if isinstance(key, str))
    if isinstance(node, ast.Call):
        function = node.func
        called = getattr(function, "id", None) or getattr(function, "attr", "")
        if not called.endswith("SimpleNamespace") or any(word.arg is None for word in node.keywords):
            raise ValueError(node)
        return Items((word.arg, literal(word.value, ast)) for word in node.keywords)
    if isinstance(node, (ast.Tuple, ast.Set)):
        raise ValueError(node)
    found = ast.literal_eval(node)
    if not plain(found):
        raise ValueError(node)
    return found


def nested(item, above):
    if not isinstance(item, Items):
        return {above: item} if above else {}
    flags = {}
    for name, inner in item.items():
        flags.update(nested(inner, above + "." + name if above else name))
    return flags


def written(item):
    if isinstance(item, list):
        return {"default": item, "arg-split": True}
    kinds = ((str, "string"), (bool, "boolean"), (int, "number"), (float, "number"))
    kind = next((name for kind, name in kinds if isinstance(item, kind)), None)
    return {"default": item, "type": kind}
