"""Flags that `argparse` declares. The script ends where it would show its help."""


def find(tell, path, arguments):
    import argparse

    # What is written of arguments is laid out as they are added, for a terminal whose size takes long to find out.
    layout = argparse.HelpFormatter.__init__
    if layout.__defaults__ and layout.__code__.co_varnames[layout.__code__.co_argcount - 1] == "width":
        layout.__defaults__ = layout.__defaults__[:-1] + (80,)

    def listening(parse):
        def heard(self, args=None, namespace=None):
            words = sys.argv[1:] if args is None else list(args)
            tell(declared_by(self, argparse))
            if would_show_help(self, words, argparse):
                # As it would after the help. To show it takes longer than all the rest.
                os._exit(0)
            return parse(self, words, namespace)

        return heard

    for name in ("parse_known_args", "parse_known_intermixed_args"):
        if hasattr(argparse.ArgumentParser, name):
            setattr(argparse.ArgumentParser, name, listening(getattr(argparse.ArgumentParser, name)))

    def error(self, message, fail=argparse.ArgumentParser.error):
        # A parser without a help of its own does not know the argument, and has been heard.
        if "--help" in message:
            os._exit(0)
        fail(self, message)

    argparse.ArgumentParser.error = error
    return True


def would_show_help(parser, words, argparse):
    """Returns whether a parser shows its own help: with arguments before that, it may be that of a command."""
    actions = parser._actions
    has_commands = any(isinstance(action, argparse._SubParsersAction) for action in actions)
    helps = any(type(action) is argparse._HelpAction and "--help" in action.option_strings for action in actions)
    return helps and "--help" in words and not (has_commands and len(words) > 1)


def declared_by(parser, argparse):
    flags = {}
    for action in parser._actions:
        name = next((option[2:] for option in action.option_strings if option.startswith("--")), None)
        kind = type(action).__name__
        if name and kind in ("_StoreAction", "_StoreTrueAction", "_StoreFalseAction", "BooleanOptionalAction"):
            flags[name] = declared(parser, action, kind, argparse.SUPPRESS)
    return flags


TYPES = {str: "string", float: "float", int: "int", bool: "boolean"}


def declared(parser, action, kind, suppress):
    flag = {}
    if action.help and action.help != suppress:
        flag["description"] = expanded(parser, action, suppress)
    if action.default is not None and action.default != suppress:
        flag["default"] = action.default
    choices = several(action.choices)
    # Of a type that is made by a function, what is typed is not yet the value.
    if choices and (all(plain(choice) for choice in choices)):
        flag["choices"] = choices
    if action.required:
        flag["required"] = True
    if action.type in TYPES:
        flag["type"] = TYPES[action.type]
    elif "pytorch" in (getattr(action.type, "__module__", None) or ""):
        flag.update(of_lightning(action))
    if kind in ("_StoreTrueAction", "_StoreFalseAction"):
        flag["arg-switch"] = kind == "_StoreTrueAction"
        flag["choices"] = [True, False]
    elif kind == "BooleanOptionalAction" and len(action.option_strings) == 2:
        flag["choices"] = [True, False]
        flag["arg-switch"] = not action.default
        flag["arg-name"] = action.option_strings[1 if action.default else 0][2:]
    if action.nargs in ("+", "*") or (isinstance(action.nargs, int) and action.nargs > 1):
        flag["arg-split"] = True
    return flag


def several(items):
    """Returns the items of what may be any container, or nothing where there is no end of them."""
    if items is None:
        return []
    try:
        return list(items) if len(items) <= 10000 else []
    except TypeError:
        return []


def expanded(parser, action, suppress):
    """Returns the help with what it says of the argument itself put in, as argparse would show it."""
    known = {name: item for name, item in vars(action).items() if item is not suppress}
    known["prog"] = parser.prog
    for name, item in list(known.items()):
        known[name] = getattr(item, "__name__", item)
    choices = several(action.choices)
    if choices:
        known["choices"] = ", ".join(str(choice) for choice in choices)
    try:
        return action.help % known
    except Exception:
        return action.help


def of_lightning(action):
    """Returns what is known of the functions by which PyTorch Lightning makes values."""
    name = getattr(action.type, "__name__", "")
    if name.startswith("str_to_bool"):
        return {"default": {True: "yes", False: "no"}.get(action.default, action.default)}
    if name == "_int_or_float_type":
        return {"type": "number"}
    if name == "_gpus_allowed_type":
        return {"type": "string"}
    if name == "_precision_allowed_type":
        return {"type": "int", "choices": [16, 32, 64]}
    return {}
