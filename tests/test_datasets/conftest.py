import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


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
