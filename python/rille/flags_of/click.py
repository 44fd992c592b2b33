"""Options that `click` declares. The script ends where its command would begin."""


def find(tell, path, arguments):
    import click

    def heard(self, *args, **options):
        command = self
        for word in arguments:
            command = getattr(command, "commands", {}).get(word)
            if command is None:
                return
        tell(options_of(command, click))
        os._exit(0)

    def main(self, *args, **options):
        heard(self)
        return shown(self, *args, **options)

    shown = click.Command.main
    click.Command.main = main
    return True


def options_of(command, click):
    flags = {}
    for option in command.params:
        name = next((word[2:] for word in option.opts if word.startswith("--")), None)
        # One that is counted takes no value.
        if name and isinstance(option, click.Option) and not option.count:
            flags[name] = option_of(option, click)
    return flags


def option_of(option, click):
    flag = {}
    if option.help:
        flag["description"] = option.help
    default = None if callable(option.default) or type(option.default).__name__ == "Sentinel" else option.default
    if option.is_flag:
        default = default or False
    several_values = option.nargs != 1
    if default is not None and not (option.multiple and not several_values):
        flag["default"] = default
    if several_values:
        flag["arg-split"] = True
    if isinstance(option.type, click.Choice) and all(plain(choice) for choice in option.type.choices):
        flag["choices"] = list(option.type.choices)
    if option.required:
        flag["required"] = True
    if option.is_flag:
        flag["arg-switch"] = not default
        negative = [word for word in option.secondary_opts if word.startswith("--")]
        if default and negative:
            flag["arg-name"] = negative[0][2:]
    types = click.types
    for kind, name in (
        (types.BoolParamType, "boolean"),
        (types.IntParamType, "int"),
        (types.FloatParamType, "float"),
        (types.StringParamType, "string"),
    ):
        if isinstance(option.type, kind):
            flag["type"] = name
    return flag
