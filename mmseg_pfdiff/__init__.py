"""Image-mask pair synthesis for micrographs as a plug-in of mmsegmentation.

Importing the package registers every component with mmseg's registries:
`custom_imports = dict(imports=['mmseg_pfdiff'])` in a config is all that is needed.
"""

from .compat import import_openmmlab
from .version import __version__

import_openmmlab()

from . import datasets, engine, evaluation, generators, phases, segmentors  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'generators', 'phases', 'segmentors']
