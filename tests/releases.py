import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')
PALETTE = [[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]]
PIPELINE = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]


@pytest.fixture
def tiny_release(tmp_path):
    """Builds a release by hand: `tiny_release({'micrograph0': (image, label), ...}) -> folder`."""

    def build(micrographs: dict, root: Path = tmp_path / 'release') -> Path:
        (root / 'images').mkdir(parents=True, exist_ok=True)
        (root / 'labels').mkdir(exist_ok=True)
        for name, (image, label) in micrographs.items():
            if image is not None:
                # PNG keeps the pixels exactly as they are, JPEG would not.
                Image.fromarray(np.asarray(image, np.uint8)).save(root / 'images' / f'{name}.png')
            if label is not None:
                Image.fromarray(np.asarray(label, np.uint8)).save(root / 'labels' / f'{name}.png')
        return root

    return build


@pytest.fixture
def zip_folder():
    """Packs a folder: `zip_folder(folder, path, prefix='') -> path`."""

    def pack(folder: Path, path: Path, prefix: str = '') -> Path:
        with zipfile.ZipFile(path, 'w') as archive:
            for file in sorted(folder.rglob('*')):
                archive.write(file, prefix + file.relative_to(folder).as_posix())
        return path

    return pack


@pytest.fixture
def three_micrographs(tiny_release, tmp_path):
    """A release of three random 40x56 micrographs with all label values, and a split with one in each part."""
    rng = np.random.default_rng(0)
    micrographs = {f'micrograph{i}': (rng.integers(0, 256, (40, 56)), rng.integers(0, 5, (40, 56))) for i in range(3)}
    split = tmp_path / 'split'
    split.mkdir()
    for i, part in enumerate(('train', 'val', 'test')):
        (split / f'{part}.txt').write_text(f'micrograph{i}\n')
    return tiny_release(micrographs), split, micrographs


@pytest.fixture
def real(tmp_path):
    for name in ('img', 'ann'):
        (tmp_path / name).mkdir()
    for n in range(3):
        Image.fromarray(np.full((8, 8), n, np.uint8)).save(tmp_path / f'img/{n}.png')
        Image.fromarray(np.full((8, 8), n, np.uint8)).save(tmp_path / f'ann/{n}.png')
    prefix = dict(img_path='img', seg_map_path='ann')
    return dict(type='MetalDAMDataset', data_root=str(tmp_path), data_prefix=prefix, pipeline=PIPELINE)


@pytest.fixture
def synthetic(tmp_path):
    root = tmp_path / 'pairs'
    write_pairs(root, 7)
    return dict(type='SyntheticPairDataset', data_root=str(root), pipeline=PIPELINE)


def write_pairs(root, num, classes=CLASSES, rejected=()):
    folder = PairFolder.create(root, dict(classes=classes, palette=PALETTE))
    for index in range(num):
        image = np.full((8, 8), 100 + index, np.uint8)
        fractions = (1.0, 0.0, 0.0, 0.0)
        row = PairRow(index, 0, 'uniform', fractions, fractions, index not in rejected)
        folder.write(row, image, np.full((8, 8), index % 4, np.uint8))
    return folder
