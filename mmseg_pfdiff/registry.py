"""The scope `mmseg_pfdiff` in OpenMMLab's registries: what it names is looked up in mmseg's.

mmengine imports this module for a config that is based on `mmseg_pfdiff::...`, and marks all that comes from there with
this scope. Components of the package are registered with mmseg's registries, so that other configs need no scope.
"""

from typing import Any

import mmseg.registry
from mmengine.registry import Registry

for _registry in list(vars(mmseg.registry).values()):
    if isinstance(_registry, Registry):
        # Something that is looked up in a registry is looked for in those above it, as far as these are filled.
        _registry.import_from_location()
        Registry(_registry.name, parent=_registry, scope='mmseg_pfdiff', locations=['mmseg_pfdiff'])


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
