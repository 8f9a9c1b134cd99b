"""Evaluation of a folder of pairs against a real data set: runs every part, and writes one page and its numbers."""

import json
import re
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..files import remove_leftovers, resolved, write_atomically
from ..json_files import without_nan
from ..metrics.agreement import LOSS_FACTOR, TrainedSegmentor
from ..metrics.pair_check import PairChecker
from ..metrics.real_tiles import cut_windows
from ..pairs.folder import PairFolder
from ..pairs.grid import pair_grid
from ..version import __version__
from .check_report import check_tables, copied_pairs, copy_rule
from .distance_tables import distance_section
from .embedding import embedding_section
from .fraction_plots import distribution_section, target_section
from .html import Section, legend, page, paragraph, picture, record_table
from .microstructure_plots import microstructure_section
from .spectrum_section import spectrum_section
from .tile_sets import TileSet, tile_sets

SHOWN = 8


def evaluate_pairs(
    checker: PairChecker,
    extractor: nn.Module | None = None,
    segmentor: TrainedSegmentor | None = None,
    *,
    copies: bool = True,
    method: str = 'tsne',
    seed: int = 0,
) -> list[Section]:
    """Compares pairs with real tiles in all that is asked for. Nothing is written, neither to the pairs.

    Args:
        checker: Of the pairs and the real data set.
        extractor: Image features; without them distances and maps are left out.
        segmentor: Trained on real tiles; without it the agreement of image and mask is left out.
        copies: Whether to look for copies of training tiles.
        method: Of the maps, 'tsne' or 'pca'.
        seed: Of all that is drawn.

    Returns:
        The parts of the page.

    Raises:
        ValueError: No pair is kept, a set has no labelled tile, or tiles are too few for what is asked for.
    """
    classes = checker.folder.classes
    sets = tile_sets(checker)
    # First what may find that the data do not suffice.
    if copies:
        checker.check_copies()
    if segmentor is not None:
        checker.check_agreement(segmentor)
    sections = [
        _example_section(checker, sets),
        target_section(checker.result.rows, classes),
        distribution_section(sets, classes),
    ]
    if extractor is not None:
        features = checker.features(extractor, seed)
        sections += [
            distance_section(features, extractor, checker.side, seed),
            embedding_section(features, extractor.name, method, seed),
        ]
    sections.append(microstructure_section(sets, classes, checker.enlarge, checker.progress, seed))
    sections.append(spectrum_section(checker.spectra(), checker.side, checker.enlarge, seed))
    if copies:
        sections.append(_copy_section(checker))
    if segmentor is not None:
        sections.append(_agreement_section(checker))
    return sections


def write_evaluation(sections: list[Section], checker: PairChecker, out: Path, seed: int = 0) -> Path:
    """Writes `index.html`, which needs no other file, and `evaluation.json` with six digits of its numbers.

    No other process may write them.

    Args:
        sections: Of :func:`evaluate_pairs`.
        checker: What they were made with.
        out: Folder.
        seed: What they were drawn with.

    Returns:
        Path of the page.
    """
    folder, rows = checker.folder, checker.result.rows
    kept = sum(row.kept for row in rows)
    run = {
        'tool': 'tools/evaluate_pairs.py',
        'pairs': str(folder.root),
        'real_root': str(checker.root),
        'number_of_pairs': len(rows),
        'kept': kept,
        'held_out': checker.part,
        'training_tiles': len(checker.training.names),
        'held_out_tiles': len(checker.held_out.names),
        'side': checker.side,
        'reduction': checker.enlarge,
        'seed': seed,
        'classes': list(folder.classes),
        'mmseg_pfdiff': __version__,
        'pair_folder': folder.description,
    }
    introduction = [
        paragraph(
            f'{len(rows)} pairs in {folder.root}, {kept} of them kept for training, against '
            f'{len(checker.training.names)} training tiles and {len(checker.held_out.names)} tiles of the part '
            f'"{checker.part}" of {checker.root}. Compared at {checker.side}x{checker.side} pixels; real tiles were '
            f'reduced by {checker.enlarge}. Every number of this page stands in evaluation.json.'
        ),
        legend(folder.classes, folder.palette),
    ]
    numbers = {'about': run} | {section.name: section.numbers for section in sections}
    path, json_path = out / 'index.html', out / 'evaluation.json'
    remove_leftovers(path, json_path)
    write_atomically(json_path, _json(numbers).encode())
    write_atomically(path, page('Evaluation of synthetic pairs', introduction, sections).encode())
    return path


def _json(numbers: dict) -> str:
    """JSON with lists of numbers on one line: there are thousands, and people compare two such files."""
    text = json.dumps(without_nan(numbers, digits=6), indent=1, allow_nan=False)
    return re.sub(r'\[[^][{}"]*\]', lambda numbers: ' '.join(numbers[0].split()), text) + '\n'


def check_out(out: Path, folder: PairFolder) -> None:
    """Refuses a folder for the page that would change the pairs.

    Args:
        out: Where the page shall lie.
        folder: The pairs.

    Raises:
        ValueError: It lies in the folder of the pairs, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f'{out} is a file; give a folder for the page.')
    if resolved(folder.root) in (resolved(out), *resolved(out).parents):
        raise ValueError(f'{out} lies in the folder of the pairs, which stays as it is: give another --out.')


def _example_section(checker: PairChecker, sets: dict[str, TileSet]) -> Section:
    """Pairs and real tiles side by side, evenly spread over their sets."""
    kept = [row for row in checker.result.rows if row.kept]
    rows = [kept[n] for n in _spread(len(kept))]
    windows = []
    for row in rows:
        image, label = (cut_windows(maps, checker.side)[0].numpy() for maps in _stacks(checker, row.index))
        windows.append((image, label))
    real = [
        (checker.training.images[n].numpy(), checker.training.labels[n].numpy())
        for n in _spread(len(checker.training.names))
    ]
    enlarge = max(1, 128 // checker.side)
    body = []
    for text, columns in (('Real training tiles:', real), ('Synthetic pairs:', windows)):
        grid = pair_grid(columns, checker.folder.palette, enlarge=enlarge)
        body += [paragraph(text), picture(grid, text)]
    return Section('examples', 'Examples', body, {'pairs': [row.index for row in rows]})


def _stacks(checker: PairChecker, index: int) -> list:
    return [torch.as_tensor(array)[None] for array in checker.folder.read(index)]


def _spread(number: int) -> list[int]:
    return np.unique(np.linspace(0, number - 1, min(SHOWN, number)).astype(int)).tolist()


def _copy_section(checker: PairChecker) -> Section:
    check = checker.result
    records = check_tables(check, checker.folder.classes)['copies']
    text = f'{copy_rule(check)} Held-out tiles show what new micrographs get, disguised training tiles what copies get.'
    ratios = {
        kind: {who: nearest[kind].ratio.tolist() for who, nearest in check.nearest.items()}
        for kind in check.nearest['pairs']
    }
    numbers = {'table': records, 'ratios': ratios, 'copies': copied_pairs(check)}
    return Section('copies', 'Copies of training tiles', [paragraph(text), record_table(records)], numbers)


def _agreement_section(checker: PairChecker) -> Section:
    records = check_tables(checker.result, checker.folder.classes)['agreement']
    text = (
        'IoU of the mask and what a segmentor of real tiles reads in the image, mean over those that hold the class, '
        f'and pixels whose loss exceeds {LOSS_FACTOR} times the mean of their class on held-out tiles.'
    )
    return Section(
        'agreement', 'Agreement of image and mask', [paragraph(text), record_table(records)], {'table': records}
    )
