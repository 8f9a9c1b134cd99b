"""The API pages' view of the package: an extension of griffe, which reads the sources for them."""

import re
from collections.abc import Iterator

import griffe

ROLE = re.compile(r':(?:class|func|meth|data|attr|mod):`(~?)([\w.]+)`')


def plain_name(reference: re.Match) -> str:
    """The name in code style; the last part alone where a tilde asks for it."""
    tilde, name = reference.groups()
    return f'`{name.rpartition(".")[2] if tilde else name}`'


def rooms(module: griffe.Module) -> Iterator[griffe.Module]:
    """The packages in a package, itself first."""
    yield module
    for inner in module.modules.values():
        if not inner.is_alias and inner.is_init_module:
            yield from rooms(inner)


class ApiPages(griffe.Extension):
    """Turns the references of docstrings (`:class:` and the like) into Markdown, and shows each name once."""

    def on_instance(self, *, obj: griffe.Object, **kwargs) -> None:
        """Called for each object, before its docstring is parsed."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(plain_name, obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **kwargs) -> None:
        """Called when the package is read: what a room offers is shown in the module that defines it, not again."""
        for room in rooms(pkg):
            room.exports = None
