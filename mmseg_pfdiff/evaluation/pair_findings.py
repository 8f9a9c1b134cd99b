"""What a check of pairs found."""

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from ..datasets import PairRow
from .agreement import AgreementLimits
from .image_distances import FrechetDistance, KernelDistance
from .memorisation import NearestTiles

KINDS = ('image', 'mask')


@dataclass
class PairCheck:
    """What was found; all about pairs is in the order of `rows`.

    Attributes:
        rows: Rows with their new measures: `nearest_<kind>` and `copy_ratio_<kind>` for image and mask, and, where a
            segmentor has read the pairs, `agreement` (mean IoU), `agreement_<class>` (missing for a class that the
            mask lacks) and `disagreeing` (share of the known pixels that FreeMask's rule marks).
        tiles: Names of the training tiles.
        nearest: Who -> kind -> nearest tiles; who is 'pairs', a part of the data set, or 'disguised'. A larger pair
            is represented by its window of the lowest ratio.
        limits: Of the agreement; None without a segmentor.
        agreement: Who -> (N, K) IoU, as in `Reading`.
        disagreeing: Who -> mean of that share.
        marks: Such pixels of each pair, packed by `numpy.packbits`.
        distances: (from, to) -> kind -> (KID, Frechet distance).
    """

    rows: list[PairRow]
    tiles: list[str]
    nearest: dict[str, dict[str, NearestTiles]] = field(default_factory=dict)
    limits: AgreementLimits | None = None
    agreement: dict[str, Tensor] = field(default_factory=dict)
    disagreeing: dict[str, float] = field(default_factory=dict)
    marks: list[np.ndarray] = field(default_factory=list)
    distances: dict[tuple[str, str], dict[str, tuple[KernelDistance, FrechetDistance]]] = field(default_factory=dict)
