"""Image-mask pair synthesis for micrographs as a plug-in of mmsegmentation.

Importing the package registers every component with mmseg's registries:
`custom_imports = dict(imports=['mmseg_pfdiff'])` in a config is all that is needed.
"""

from .compat import import_openmmlab, no_garbage_collection
from .version import __version__

with no_garbage_collection():
    import_openmmlab()
    from . import checkpoints, data, engine, metrics, models, pairs, phases, requests

__all__ = ['__version__', 'checkpoints', 'data', 'engine', 'metrics', 'models', 'pairs', 'phases', 'requests']
