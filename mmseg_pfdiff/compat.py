"""Checks of the installed OpenMMLab packages, and versions of what decides results."""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from PIL import Image

from .version import __version__

# Pillow takes pictures of more than 89 million pixels for attacks, also where mmseg reads label maps with it; stitched
# micrographs have 400 million. This is OpenCV's own limit.
MAX_PIXELS = 2**30
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

# Import name -> its distributions with the range that works: first included, last excluded.
# Upstream: 1.2 is the first mmseg with SegDataSample metas as used here; mmcv 2.2 is refused by mmseg 1.2.2 itself.
# The maintained builds (onedl-*) keep the import names; their 0.10.12 / 2.3.6 / 1.4.2 are the ones tested.
SUPPORTED = {
    'mmengine': {'mmengine': ('0.10.0', '0.11.0'), 'onedl-mmengine': ('0.10.9', '0.11.0')},
    'mmcv': {'mmcv': ('2.1.0', '2.2.0'), 'onedl-mmcv': ('2.3.0', '2.4.0')},
    'mmseg': {'mmsegmentation': ('1.2.0', '1.3.0'), 'onedl-mmsegmentation': ('1.4.0', '1.5.0')},
}
REMEDY = (
    'Install one of the two builds of OpenMMLab (they share their import names; remove one before installing the '
    'other). The maintained one, in a minute:\n'
    "    MMCV_WITH_OPS=0 pip install 'onedl-mmengine>=0.10.9,<0.11' 'onedl-mmcv>=2.3,<2.4' "
    "'onedl-mmsegmentation>=1.4,<1.5' ftfy regex\n"
    'The upstream one, which compiles for a quarter of an hour, with torch installed first:\n'
    "    pip install 'setuptools<81' && pip install --no-build-isolation 'mmcv>=2.1,<2.2' && "
    "pip install 'mmengine>=0.10,<0.11' 'mmsegmentation>=1.2,<1.3' ftfy regex"
)
# OpenMMLab in either of its builds.
PACKAGES = (
    'torch', 'diffusers', 'segmentation-models-pytorch', 'numpy',
    'onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'mmengine', 'mmcv', 'mmsegmentation',
)  # fmt: skip


def release(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, `'2.1.0rc1'` -> `(2, 1, 0)`: pre-releases count as their release.

    Raises:
        ValueError: The text starts with no number.
    """
    match = re.match(r'\d+(\.\d+)*', text)
    if match is None:
        raise ValueError(f'A version must start with a number, got {text!r}.')
    return tuple(int(part) for part in match.group().split('.'))


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_openmmlab(supported: dict | None = None, find_version=installed_version) -> dict[str, str]:
    """Checks that mmengine, mmcv and mmseg are installed in versions this package works with.

    Args:
        supported: Import name -> {distribution: (lowest, first refused)}. Defaults to :data:`SUPPORTED`.
        find_version: Distribution name -> its version or None.

    Returns:
        Import name -> the distribution found.

    Raises:
        ImportError: A package is missing, is there in both builds, or is out of range; the message names what was
            found, both bounds and the command that mends it.
    """
    installed = {}
    for module, distributions in (supported or SUPPORTED).items():
        versions = {name: v for name in distributions if (v := find_version(name)) is not None}
        ranges = ', '.join(f'{name} >={low},<{high}' for name, (low, high) in distributions.items())
        if len(versions) != 1:
            state = 'is not installed' if not versions else f'is installed more than once: {versions}'
            raise ImportError(f'{module} {state}. mmseg_pfdiff needs one of: {ranges}.\n{REMEDY}')
        [(name, got)] = versions.items()
        low, high = distributions[name]
        if not release(low) <= release(got) < release(high):
            raise ImportError(f'{name} {got} is installed, mmseg_pfdiff needs {ranges}.\n{REMEDY}')
        installed[module] = name
    if len({name.startswith('onedl-') for name in installed.values()}) > 1:
        raise ImportError(f'Parts of both builds of OpenMMLab are installed: {list(installed.values())}.\n{REMEDY}')
    return installed


def import_openmmlab() -> None:
    """Imports the three packages; a broken one raises the error that names the remedy.

    Raises:
        ImportError: One of them is missing, out of range, or fails to import.
    """
    distributions = check_openmmlab()
    try:
        import mmcv  # noqa: F401
        import mmengine.config.utils
        import mmseg.datasets
        import mmseg.models  # noqa: F401
    except (ImportError, AssertionError) as error:  # mmseg asserts the versions it wants
        message = f'OpenMMLab is installed ({distributions}) but fails to import: {error}.\n{REMEDY}'
        raise ImportError(message) from error
    # mmengine looks for `package::config` where a distribution is installed, which it knows by this table.
    packages = mmengine.config.utils.MODULE2PACKAGE
    if distributions['mmseg'] == 'onedl-mmsegmentation':
        packages['mmseg'] = 'mmseg'  # the maintained build changed the distribution's name
    # Our own: a module and no distribution is looked for in the folder that it is imported from. Of an editable
    # install, the distribution lies elsewhere.
    packages['mmseg_pfdiff'] = 'mmseg_pfdiff.version'


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keeps Python from looking for garbage, as importing makes many objects of which none is.

    The search takes a seventh of the time that importing this package takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def package_versions() -> dict[str, str]:
    """Versions of this package and of those it computes with; what is not installed is left out."""
    versions = {'mmseg_pfdiff': __version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
