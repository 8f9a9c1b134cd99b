"""Writes a small procedural data set in the layout of the MetalDAM release, for the demo and the tests.

The micrographs imitate those of MetalDAM: dark austenite cells in a network of brighter matrix, which is thick here and
thin there; patches where cells have become martensite/austenite; small bright precipitates in some cells; wide dark
cracks in every third micrograph. Structures are large and smooth, so that a small network learns them in minutes.

The files have the oddities of the release too: an information bar that the label does not cover, one label stored as
RGB, one a row short, one image without label.
"""

import os
import shutil
from itertools import product
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from ..files import TEMPORARY, write_atomically
from ..folder_lock import locked_folder
from .metaldam.deal import DEFECT_VALUE, MA_VALUE, MicrographStatistics, holdout
from .metaldam.splits import write_split
from .png import encode_picture

MATRIX, AUSTENITE, PRECIPITATE = 0, 1, 3  # label values of the release, with MA_VALUE and DEFECT_VALUE
GREY = {MATRIX: 150.0, AUSTENITE: 82.0, MA_VALUE: 205.0, PRECIPITATE: 245.0, DEFECT_VALUE: 18.0}
RGB_LABEL, SHORT_LABEL, UNLABELLED = 1, 2, 100  # numbers of the odd micrographs
FEWEST = 6
JPEG_QUALITY = 95


class Cells(NamedTuple):
    """The grains of a micrograph.

    Attributes:
        owner: (H, W) index of the cell that a pixel is nearest to.
        gap: (H, W) how much farther the second nearest cell is; small on the network between cells.
        seeds: (n, 2) row and column of each cell.
    """

    owner: np.ndarray
    gap: np.ndarray
    seeds: np.ndarray


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """Noise in [-1, 1] whose structures are about `scale` pixels large, (H, W) float32."""
    grid = [max(2, round(side / scale) + 1) for side in shape]
    noise = rng.uniform(-1, 1, grid).astype(np.float32)
    return np.clip(cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC), -1, 1)


def grow_cells(rng: np.random.Generator, shape: tuple[int, int]) -> Cells:
    """Grows Voronoi cells of 25 to 60 pixels, stretched along a direction of the micrograph, with wavy borders."""
    height, width = shape
    diameter = rng.uniform(34, 46)
    stretch = rng.uniform(1.0, 1.45)
    angle = rng.uniform(0, np.pi)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    rows += 6 * smooth_noise(rng, shape, 40)
    columns += 6 * smooth_noise(rng, shape, 40)
    # Along the direction, lengths count less by `stretch`, so that cells get longer; across it, more.
    along = (np.cos(angle) * columns + np.sin(angle) * rows) / np.sqrt(stretch)
    across = (np.cos(angle) * rows - np.sin(angle) * columns) * np.sqrt(stretch)

    # One seed in every field of a square lattice: the two nearest to a pixel stand at most two fields away.
    row = ((along - along.min()) // diameter).astype(np.intp) + 2
    column = ((across - across.min()) // diameter).astype(np.intp) + 2
    fields = row.max() + 3, column.max() + 3
    seeds = np.stack(np.mgrid[: fields[0], : fields[1]], -1) - 2 + rng.uniform(0.14, 0.86, (*fields, 2))
    seeds = (seeds.reshape(-1, 2) * diameter + (along.min(), across.min())).astype(np.float32)
    nearest = np.full(shape, np.inf, np.float32)
    second = np.full(shape, np.inf, np.float32)
    owner = np.zeros(shape, np.intp)
    for i, j in product(range(-2, 3), repeat=2):
        index = (row + i) * fields[1] + column + j
        distance = np.hypot(along - seeds[:, 0][index], across - seeds[:, 1][index])
        np.minimum(second, np.maximum(nearest, distance), out=second)
        owner = np.where(distance < nearest, index, owner)
        np.minimum(nearest, distance, out=nearest)
    u, v = seeds[:, 0] * np.sqrt(stretch), seeds[:, 1] / np.sqrt(stretch)
    centres = np.stack([np.sin(angle) * u + np.cos(angle) * v, np.cos(angle) * u - np.sin(angle) * v], -1)
    return Cells(owner, second - nearest, centres)


def draw_label(rng: np.random.Generator, shape: tuple[int, int], *, with_defect: bool) -> np.ndarray:
    """A label with the values of the release, (H, W) uint8."""
    cells = grow_cells(rng, shape)
    thickness = rng.uniform(4.5, 9.0) * (1 + 0.55 * smooth_noise(rng, shape, 130))
    label = np.where(cells.gap < thickness, MATRIX, AUSTENITE).astype(np.uint8)
    _add_precipitates(rng, label, cells)
    label[_ma_patches(rng, cells)] = MA_VALUE
    if with_defect:
        label[_crack(rng, shape)] = DEFECT_VALUE
    return label


def _add_precipitates(rng: np.random.Generator, label: np.ndarray, cells: Cells) -> None:
    """Puts a few small ellipses into the middle of some austenite cells."""
    dots = np.zeros_like(label)
    chosen = np.flatnonzero(rng.random(len(cells.seeds)) < 0.08)
    for row, column in cells.seeds[chosen]:
        for _ in range(rng.integers(2, 6)):
            y, x = row + rng.normal(0, 5), column + rng.normal(0, 5)
            axes = (int(rng.integers(2, 4)), int(rng.integers(1, 3)))
            cv2.ellipse(dots, (round(x), round(y)), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    label[(dots == 1) & (label == AUSTENITE)] = PRECIPITATE


def _ma_patches(rng: np.random.Generator, cells: Cells) -> np.ndarray:
    """Turns neighbouring cells to MA until 5 to 20 % of the micrograph are, and rounds the patches off."""
    shape = cells.owner.shape
    liking = smooth_noise(rng, shape, 110)
    sizes = np.bincount(cells.owner.ravel(), minlength=len(cells.seeds))
    mean_liking = np.bincount(cells.owner.ravel(), liking.ravel(), len(cells.seeds)) / np.maximum(sizes, 1)
    order = np.argsort(-np.where(sizes > 0, mean_liking, -np.inf), kind='stable')
    taken = order[: 1 + np.searchsorted(np.cumsum(sizes[order]), rng.uniform(0.06, 0.19) * cells.owner.size)]
    patches = cv2.GaussianBlur(np.isin(cells.owner, taken).astype(np.float32), (0, 0), 4)
    return patches + 0.22 * smooth_noise(rng, shape, 14) > 0.5


def _crack(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A wandering band from one side to the other, with rough edges."""
    height, width = shape
    vertical = rng.random() < 0.4
    length, breadth = (height, width) if vertical else (width, height)
    path = rng.uniform(0.25, 0.75) * breadth + 0.16 * breadth * smooth_noise(rng, (2, length), 120)[0]
    path += rng.uniform(-0.3, 0.3) * np.linspace(-length / 2, length / 2, length)
    half = np.clip(rng.uniform(7, 14) * (1 + 0.5 * smooth_noise(rng, (2, length), 70)[0]), 3, None)
    offset = np.abs(np.arange(breadth)[:, None] - path[None])
    band = offset < half[None] + 2.5 * smooth_noise(rng, (breadth, length), 9)
    return band.T if vertical else band


def draw_image(rng: np.random.Generator, label: np.ndarray) -> np.ndarray:
    """The secondary-electron image of a label: grey level by phase, bright rims, texture, shading, noise.

    Args:
        rng: Source of all randomness.
        label: (H, W) uint8 with the values of the release.

    Returns:
        (H, W) uint8.
    """
    shape = label.shape
    grey = np.zeros(shape, np.float32)
    for value, level in GREY.items():
        grey[label == value] = level + rng.uniform(-6, 6)
    grey += np.where(label == MA_VALUE, 16 * _laths(rng, shape), 0)
    grey += np.where(label == AUSTENITE, 6 * smooth_noise(rng, shape, 10), 0)
    grey += np.where(label == MATRIX, 10 * smooth_noise(rng, shape, 18), 0)
    # Electrons leave more easily at an edge: the higher side of every step gets a bright rim, the lower a dark one.
    grey = cv2.GaussianBlur(grey, (0, 0), 0.9)
    grey += 0.35 * (grey - cv2.GaussianBlur(grey, (0, 0), 3))
    grey *= 1 + 0.06 * smooth_noise(rng, shape, 300)
    grain = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), 0.7)
    return np.clip(grey + 9 * grain, 0, 255).astype(np.uint8)


def _laths(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Fine parallel needles whose direction changes slowly, in [-1, 1]."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    bend = 1.2 * smooth_noise(rng, shape, 90)
    angle = rng.uniform(0, np.pi)
    phase = (np.cos(angle) * columns + np.sin(angle) * rows) * (2 * np.pi / 9) + 6 * bend
    return np.sin(phase) * (0.6 + 0.4 * smooth_noise(rng, shape, 20))


def draw_information_bar(width: int, height: int, number: int) -> np.ndarray:
    """The strip with voltage, magnification and scale that the instrument writes under an image."""
    bar = np.full((height, width), 12, np.uint8)
    size, base = height / 55, round(0.66 * height)
    cv2.putText(bar, f'15.0kV  x5.0k  SE  {number:04d}', (8, base), cv2.FONT_HERSHEY_SIMPLEX, size, 235, 1, cv2.LINE_AA)
    cv2.putText(bar, '5um', (width - 46, base), cv2.FONT_HERSHEY_SIMPLEX, size, 235, 1, cv2.LINE_AA)
    cv2.rectangle(bar, (width - 130, base - 4), (width - 54, base - 2), 235, -1)
    return bar


def write_demo_release(
    root: str | os.PathLike, num_micrographs: int = 12, size: tuple[int, int] = (384, 512), seed: int = 0
) -> Path:
    """Writes `images/micrographN.jpg`, `labels/micrographN.png` and a split. The folder appears when it is whole.

    Args:
        root: Folder to write to; made when missing, and it must not hold anything.
        num_micrographs: How many labelled micrographs, 6 or more.
        size: Height and width that the labels have (one is a row shorter), 64 or more.
        seed: Gives the same files every time, on the same versions of numpy, OpenCV and Pillow.

    Returns:
        Folder of the split, `root/split`: a sixth of the micrographs for test, a sixth for validation.

    Raises:
        ValueError: Too few or too many micrographs, or too small ones.
        FileExistsError: `root` holds something.
        OSError: A file cannot be written, or another process writes to `root`.
    """
    root = Path(root)
    if not FEWEST <= num_micrographs <= UNLABELLED:
        raise ValueError(f'The number of micrographs must be {FEWEST} to {UNLABELLED}, got {num_micrographs}.')
    if min(size) < 64:
        raise ValueError(f'Height and width must be 64 or more, got {size}.')
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f'{root} must be a new or empty folder. Give another one, or delete it.')
    staging = root.absolute().with_name(f'.{root.absolute().name}{TEMPORARY}')
    with locked_folder(root):
        shutil.rmtree(staging, ignore_errors=True)  # of a run that was stopped
        try:
            statistics = _write_micrographs(staging, num_micrographs, size, seed)
            held_out = num_micrographs // 6
            write_split(staging / 'split', holdout(statistics, val=held_out, test=held_out))
            os.replace(staging, root)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return root / 'split'


def _write_micrographs(
    root: Path, num_micrographs: int, size: tuple[int, int], seed: int
) -> list[MicrographStatistics]:
    """Writes images and labels; what the rule of splits wants to know of them."""
    statistics = []
    defect_every = 3 if num_micrographs >= 9 else 2  # three or more with a defect, so that every part can have one
    for number in (*range(num_micrographs), UNLABELLED):
        rng = np.random.default_rng([seed, number])
        label = draw_label(rng, size, with_defect=number % defect_every == 0)
        image = draw_image(rng, label)
        if number == SHORT_LABEL:
            label = label[:-1]
        else:
            image = np.vstack([image, draw_information_bar(size[1], max(16, size[0] // 12), number)])
        name = f'micrograph{number}'
        picture = Image.fromarray(image).convert('RGB')  # three equal channels, as in the release
        write_atomically(root / 'images' / f'{name}.jpg', encode_picture(picture, 'JPEG', quality=JPEG_QUALITY))
        if number == UNLABELLED:
            continue
        stored = np.repeat(label[..., None], 3, axis=2) if number == RGB_LABEL else label
        write_atomically(root / 'labels' / f'{name}.png', encode_picture(Image.fromarray(stored)))
        statistics.append(MicrographStatistics.of(name, label))
    return statistics
