"""The page of the demo: what each step made, in pictures and in the numbers of that run."""

import json
import math
from pathlib import Path

import numpy as np
import torch

from ..data.images import read_image, read_label_map
from ..data.metaldam.dataset import MetalDAMDataset
from ..files import write_atomically
from ..metrics.fractions import fraction_rows
from ..pairs.folder import PairFolder
from ..pairs.grid import colour_labels, pair_grid
from ..texts import shown
from .html import legend, picture, render, table

# Configs of the two segmentors, and so their work dirs.
REAL, MIXED = 'unet_r18_128x128_real', 'unet_r18_128x128_ratio2'


def write_demo_page(out: Path) -> Path:
    """Writes `index.html` from what the steps of `tools/demo.py` left.

    Args:
        out: Folder of the demo.

    Returns:
        Path of the page; it needs no other file.
    """
    folder = PairFolder(out / 'pairs')
    times = {path.stem.replace('_', ' '): float(path.read_text()) for path in (out / 'logs').glob('*.seconds')}
    reports = {'real tiles only': out / REAL, 'real tiles, and two pairs for each': out / MIXED}
    rows = folder.rows()
    text = render(
        'demo.html',
        title='mmseg_pfdiff on a procedural data set',
        legend=legend(folder.classes, folder.palette),
        real_tiles=picture(_real_tiles(out / 'data', folder)),
        number=len(rows),
        kept=sum(row.kept for row in rows),
        classes=folder.classes,
        generated=picture(_generated(folder)),
        fractions=_fraction_table(folder),
        segmentation=_segmentation_tables(reports),
        predictions=picture(_predictions(out / 'data', list(reports.values()), folder)),
        times=table(['step', 'seconds'], [[name, f'{seconds:.0f}'] for name, seconds in sorted(times.items())]),
        commands=_commands(out),
        minutes=sum(times.values()) / 60,
    )
    page = out / 'index.html'
    write_atomically(page, text.encode())
    return page


def _commands(out: Path) -> str:
    """The command of each step, as its log begins with it, paths shortened."""
    logs = sorted((out / 'logs').glob('*.log'))
    lines = [log.read_text().partition('\n')[0].replace(f'{out}', 'OUT').replace(f'{Path.cwd()}/', '') for log in logs]
    return '\n'.join(lines)


def _grid(columns: list[list[np.ndarray]], palette, captions: list[str] | None) -> np.ndarray:
    """Two rows of eight columns."""
    rows = []
    for start in (0, 8):
        part = slice(start, start + 8)
        rows.append(pair_grid(columns[part], palette, captions[part] if captions else None))
    return np.concatenate(rows)


def _real_tiles(data: Path, folder: PairFolder) -> np.ndarray:
    images = sorted((data / 'tiles/img_dir/train').glob('*.png'))
    chosen = [images[i] for i in np.linspace(0, len(images) - 1, 16).astype(int)]
    columns = [[read_image(path), read_label_map(data / 'tiles/ann_dir/train' / path.name)] for path in chosen]
    return _grid(columns, folder.palette, None)


def _generated(folder: PairFolder) -> np.ndarray:
    rows = folder.rows()[:16]
    columns = [folder.read(row.index) for row in rows]
    captions = ['/'.join(f'{100 * value:.0f}' for value in row.target) for row in rows]
    return _grid(columns, folder.palette, captions)


def _fraction_table(folder: PairFolder) -> str:
    rows = folder.rows()
    target, measured = (torch.tensor([getattr(row, name) for row in rows]) for name in ('target', 'measured'))
    cells = fraction_rows(target, measured, folder.classes)
    return table(['phase', 'asked, mean %', 'got, mean %', 'mean absolute error, points', 'R2 %'], cells)


def _segmentation_tables(reports: dict[str, Path]) -> str:
    head = [
        'trained on',
        'micrograph',
        'pixel accuracy %',
        'mIoU %',
        *(f'IoU {c} %' for c in MetalDAMDataset.METAINFO['classes']),
    ]
    rows = []
    for name, work_dir in reports.items():
        for row in json.loads((work_dir / 'test.json').read_text()):
            values = (row['aAcc'], row['mIoU'], *row['IoU'].values())
            rows.append([name, row['micrograph'], *(shown(value, '.2f', math.inf) for value in values)])
    return table(head, rows)


def _predictions(data: Path, work_dirs: list[Path], folder: PairFolder) -> np.ndarray:
    rows = []
    for path in sorted((data / 'img_dir/test').glob('*.png')):
        image = np.repeat(read_image(path)[..., None], 3, 2)
        labels = [read_label_map(data / 'ann_dir/test' / path.name)]
        labels += [read_label_map(work_dir / 'predictions' / path.name) for work_dir in work_dirs]
        panels = [image, *(colour_labels(label, folder.palette) for label in labels)]
        rows.append(np.concatenate([np.pad(p, ((0, 4), (0, 4), (0, 0)), constant_values=255) for p in panels], 1))
    return np.concatenate(rows)
