"""The sets that an evaluation compares: synthetic pairs, training tiles, held-out tiles; all of one size."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.images import read_label_map
from ..metrics.pair_check import PairChecker
from ..metrics.real_tiles import cut_windows
from ..phases.fractions import phase_fractions
from ..phases.labels import IGNORE_INDEX

TRAIN, PAIRS = 'train', 'pairs'
TITLES = {TRAIN: 'real, training', 'val': 'real, validation', 'test': 'real, test', PAIRS: 'synthetic'}
# Colours that stay apart for colour-blind readers.
COLOURS = {TRAIN: '#0072B2', 'val': '#009E73', 'test': '#CC79A7', PAIRS: '#D55E00'}


class TileSet(NamedTuple):
    """The label maps of N tiles.

    Attributes:
        title: Name of the set for the reader.
        colour: Of its points and lines.
        labels: (N, S, S) uint8, 0..K-1 or 255.
        owners: N names; tiles of one micrograph, or windows of one pair, have the same one.
        fractions: (N, K) float64.
    """

    title: str
    colour: str
    labels: Tensor
    owners: list[str]
    fractions: Tensor


def tile_sets(checker: PairChecker) -> dict[str, TileSet]:
    """The training tiles, the held-out tiles, and the pairs that are kept for training.

    Args:
        checker: Of the pairs and the real data.

    Returns:
        Name of the set -> its label maps: 'train', the held-out part, 'pairs'. Pairs larger than a tile are cut into
        windows that cover them.

    Raises:
        ValueError: No pair is kept, or a set has no labelled tile.
        FileNotFoundError: The files of a pair are missing.
    """
    folder, side = checker.folder, checker.side
    rows = [row for row in checker.result.rows if row.kept]
    if not rows:
        raise ValueError(
            f'None of the {len(checker.result.rows)} pairs in {folder.root} is kept for training, so there is no '
            'synthetic set. Generate them with a larger --max-moved, or train the generator longer.'
        )
    labels, owners = [], []
    for row in rows:
        windows = cut_windows(torch.as_tensor(read_label_map(folder.label_path(row.index)))[None], side)
        labels.append(windows)
        owners += [str(row.index)] * len(windows)
    sets = {
        TRAIN: (checker.training.labels, checker.training.owners),
        checker.part: (checker.held_out.labels, checker.held_out.owners),
        PAIRS: (torch.cat(labels), owners),
    }
    return {name: _tile_set(name, *parts, checker.num_classes) for name, parts in sets.items()}


def _tile_set(name: str, labels: Tensor, owners: list[str], num_classes: int) -> TileSet:
    """Tiles that are ignored throughout have no fractions, and are left out."""
    known = (labels != IGNORE_INDEX).flatten(1).any(1)
    if not known.any():
        raise ValueError(f'The set "{TITLES[name]}" holds no labelled tile, so there is nothing to compare.')
    labels, owners = labels[known], list(np.array(owners)[known.numpy()])
    return TileSet(TITLES[name], COLOURS[name], labels, owners, phase_fractions(labels, num_classes))
