"""The page of the demo: what each step made, in pictures and in the numbers of that run."""

import html
import json
from pathlib import Path

import numpy as np
import torch

from ..data.images import read_image, read_label_map
from ..data.metaldam.dataset import MetalDAMDataset
from ..metrics.fractions import fraction_rows
from ..pairs.folder import PairFolder
from ..pairs.grid import colour_labels, pair_grid
from .html import STYLE, legend, picture, table

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
    body = [
        '<h1>mmseg_pfdiff on a procedural data set</h1>',
        '<p>Made by <code>make demo</code>: drawn micrographs, converted like a MetalDAM release, two small generators '
        'trained on their tiles, pairs drawn from them, and a small U-Net trained without and with these pairs. The '
        'networks are small and briefly trained: this page shows that the chain works, not how well it can work.</p>',
        legend(folder.classes, folder.palette),
        '<h2>Real tiles</h2>',
        picture(_real_tiles(out / 'data', folder)),
        '<h2>Generated pairs</h2>',
        f'<p>{len(folder.rows())} pairs, {sum(row.kept for row in folder.rows())} of them kept for training, the first '
        'of them shown; above each the percentages asked for, in the order '
        f'{html.escape(", ".join(folder.classes))}.</p>',
        picture(_generated(folder)),
        '<h2>Phase fractions asked for and got</h2>',
        _fraction_table(folder),
        '<h2>Segmentation of the test micrographs</h2>',
        '<p>Pairs of networks trained for minutes may well make the segmentor worse.</p>',
        _segmentation_tables(reports),
        picture(_predictions(out / 'data', list(reports.values()), folder)),
        '<p>From left to right: micrograph, label map, U-Net of real tiles only, U-Net of the mix.</p>',
        '<h2>Times</h2>',
        table(['step', 'seconds'], [[name, f'{seconds:.0f}'] for name, seconds in sorted(times.items())]),
        '<p>Each step was one command; its whole output lies in <code>logs/</code>:</p>',
        _commands(out),
        f'<p>{sum(times.values()) / 60:.1f} minutes in all.</p>',
    ]
    page = out / 'index.html'
    page.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>mmseg_pfdiff demo</title>'
        f'<style>{STYLE}</style>{"".join(body)}</html>'
    )
    return page


def _commands(out: Path) -> str:
    """The command of each step, as its log begins with it, paths shortened."""
    logs = sorted((out / 'logs').glob('*.log'))
    lines = [log.read_text().partition('\n')[0].replace(f'{out}', 'OUT').replace(f'{Path.cwd()}/', '') for log in logs]
    return f'<pre>{html.escape(chr(10).join(lines))}</pre>'


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
            rows.append([name, row['micrograph'], *('-' if v is None else f'{v:.2f}' for v in values)])
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
