"""What the `type` of a config stands for."""

from typing import Any

from mmengine.registry import Registry


def class_of(kind: Any, registry: Registry) -> type | None:
    """The class that the `type` of a config stands for.

    Args:
        kind: A name as the registry knows it, with or without scope, a full path, or the class itself.
        registry: Where to look.

    Returns:
        The class; None if there is none of that name.
    """
    if isinstance(kind, str):
        try:
            kind = registry.get(kind)
        except RuntimeError:  # mmengine's word for a name that it does not find
            return None
    return kind if isinstance(kind, type) else None
