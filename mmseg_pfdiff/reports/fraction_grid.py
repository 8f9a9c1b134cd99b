"""Pairs of a rising phase fraction, from left to right (Fig. 5 of the paper)."""

import cv2
import numpy as np
import torch
from torch import Tensor

from ..checkpoints.card import GeneratorCard
from ..models.cascade import PairCascade
from ..pairs.grid import pair_grid
from ..phases.fractions import phase_fractions
from ..progress import progress

# The tile that holds most of a phase is often alone with that much.
TOP_QUANTILE = 0.98


def rising_fractions(vectors: Tensor, phase: int, number: int) -> Tensor:
    """Real fraction vectors in which one phase rises about evenly, so that every request lies in the support.

    Args:
        vectors: (R, K) float, fractions of the real tiles.
        phase: Index of the phase.
        number: How many.

    Returns:
        (number, K), rows of `vectors`, `phase` never falling.
    """
    share = vectors[:, phase]
    wanted = torch.linspace(share.min().item(), share.quantile(TOP_QUANTILE).item(), number, dtype=share.dtype)
    return vectors[(share - wanted[:, None]).abs().argmin(1)]


def fraction_grid(cascade: PairCascade, card: GeneratorCard, number: int = 6, seed: int = 0) -> np.ndarray:
    """Draws a row of pairs for each class, its fraction rising; a row shares its noise.

    Args:
        cascade: Draws them.
        card: Of the generator: classes, palette, real fractions.
        number: Pairs in a row.
        seed: Seed of the noise.

    Returns:
        (height, width, 3) uint8 RGB; above each pair the fraction asked for and the one measured, in percent.
    """
    rows = []
    for phase, name in enumerate(progress(card.classes, desc='rows of pairs', unit='phase')):
        target = rising_fractions(card.vectors, phase, number)
        pairs = cascade.draw(target, seed, [phase] * number)
        measured = phase_fractions(pairs.labels, len(card.classes))[:, phase]
        captions = [f'{100 * a:.1f} / {100 * m:.1f} %' for a, m in zip(target[:, phase], measured, strict=True)]
        panels = list(zip(pairs.images.numpy(), pairs.labels.numpy(), strict=True))
        row = pair_grid(panels, card.palette, captions)
        rows += [_title(name.replace('_', ' '), row.shape[1]), row]
    return np.concatenate(rows)


def _title(text: str, width: int) -> np.ndarray:
    strip = np.full((20, width, 3), 255, np.uint8)
    cv2.putText(strip, f'{text}: asked / measured', (1, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
