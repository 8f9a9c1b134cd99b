"""What stands in `pairs.csv` of a drawn pair."""

from collections.abc import Sequence

import torch

from ..datasets import PairRow
from ..phases import FractionRequest, FractionSupport, phase_fractions
from .cascade import PairCascade
from .preprocessor import DecodedPairs


class PairRecorder:
    """Makes the rows of drawn pairs.

    Measures: `plain_<class>`, the fraction that the nearest codes alone gave; `moved`, the share of pixels that have
    another class in the label map (the quota's doing, and the clean-up's of specks); `moved_margin`, by how much those
    pixels had been decided, on the mean; `seam` of the windows; `support_distance`, from the fractions asked for to
    the nearest real vector, and `out_of_support`, 1 where it exceeds the limit, else 0.

    Args:
        cascade: What draws the pairs.
        classes: K names.
        seed: Seed of the run.
        max_moved: Largest share of pixels that may have moved. A pair beyond it is marked as not kept: its image no
            longer shows what its mask says.
        support: The real fraction vectors; None leaves the last two measures out.

    Raises:
        ValueError: max_moved out of range.
    """

    def __init__(
        self,
        cascade: PairCascade,
        classes: Sequence[str],
        seed: int,
        max_moved: float = 0.03,
        support: FractionSupport | None = None,
    ) -> None:
        if not 0 <= max_moved <= 1:
            raise ValueError(f'max_moved must be a share in [0, 1], got {max_moved}.')
        self.cascade, self.classes, self.seed = cascade, tuple(classes), seed
        self.max_moved, self.support = max_moved, support

    def __call__(self, asked: Sequence[FractionRequest], pairs: DecodedPairs, indices: Sequence[int]) -> list[PairRow]:
        """The rows of N pairs.

        Args:
            asked: N requests.
            pairs: N pairs.
            indices: N indices.

        Returns:
            N rows.
        """
        targets = torch.stack([request.fractions for request in asked])
        measured = phase_fractions(pairs.labels, len(self.classes))
        measures = self._measures(targets, pairs)
        return [
            PairRow(
                index,
                self.seed,
                asked[n].group,
                tuple(targets[n].tolist()),
                tuple(measured[n].tolist()),
                kept=measures[n]['moved'] <= self.max_moved,
                reason=self._reason(measures[n]['moved']),
                measures=measures[n],
            )
            for n, index in enumerate(indices)
        ]

    def _reason(self, share: float) -> str:
        return '' if share <= self.max_moved else f'{100 * share:.1f} % of the pixels moved to meet the fractions'

    def _measures(self, targets: torch.Tensor, pairs: DecodedPairs) -> list[dict[str, float]]:
        plain = phase_fractions(pairs.plain, len(self.classes)).tolist()
        moved = pairs.labels != pairs.plain
        measures = []
        for n in range(len(targets)):
            found = {f'plain_{name}': value for name, value in zip(self.classes, plain[n], strict=True)}
            found['moved'] = moved[n].double().mean().item()
            found['moved_margin'] = pairs.margins[n][moved[n]].mean().item() if moved[n].any() else 0.0
            found['seam'] = self.cascade.seam_score(pairs.images[n])
            measures.append(found)
        if self.support is not None:
            for found, distance in zip(measures, self.support(targets).tolist(), strict=True):
                found['support_distance'] = distance
                found['out_of_support'] = int(distance > self.support.limit)
        return measures
