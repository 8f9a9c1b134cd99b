"""Versions of what decides results."""

from importlib.metadata import PackageNotFoundError, version

from .version import __version__

# OpenMMLab in either of its builds.
PACKAGES = (
    'torch', 'diffusers', 'segmentation-models-pytorch', 'numpy',
    'onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'mmengine', 'mmcv', 'mmsegmentation',
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Versions of this package and of those it computes with; what is not installed is left out."""
    found = {'mmseg_pfdiff': __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
