"""PairEnlarger: a model that draws pairs at a higher resolution, by diffusion or in one pass, as a cascade needs it."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from mmengine.model import BaseModel
from torch import Tensor

from .preprocessor import DecodedPairs


@runtime_checkable
class PairEnlarger(Protocol):
    """`PairSuperResolution`, `PairPainter`.

    The attributes are not declared below: since Python 3.12, `isinstance` looks those of a protocol up without
    `__getattr__`, by which alone a PyTorch module has its submodules, such as the preprocessor.

    Attributes:
        data_preprocessor: A :class:`PairDataPreprocessor`; its size is that of enlarged training tiles.
        factor: Of the enlargement.
        in_windows: Whether a field larger than the training tiles is drawn in overlapping windows of that size.
    """

    def enlarge(
        self,
        pairs: Tensor,
        seed: int,
        indices: Sequence[int],
        *,
        size: tuple[int, int],
        target: Tensor | None = None,
        exact: bool = False,
        speck_area: int = 0,
        window_batch: int = 16,
    ) -> DecodedPairs:
        """Draws N pairs, pair i a function of its low-resolution pair, its fractions, the seed and its index.

        Args:
            pairs: (N, 1+M, h, w) float32 in [-1, 1], pairs of the low resolution.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.
            size: Height and width of the result, at most (h, w) times the factor; what is beyond is cut off.
            target: (N, K) phase fractions asked for, or None.
            exact: Give each label map exactly these.
            speck_area: Of :meth:`PhaseCodec.decode`.
            window_batch: Windows in one network evaluation.

        Returns:
            The pairs, (N, *size) each, on the model's device.
        """

    def prepare(self, *, half: bool, channels_last: bool, compiled: bool) -> None:
        """Sets precision, memory layout and compilation of the network that draws."""


def check_fit(generator: BaseModel, enlarger: PairEnlarger) -> None:
    """Refuses a model that does not take what a generator draws.

    Args:
        generator: Has a :class:`PairDataPreprocessor`.
        enlarger: The other one.

    Raises:
        ValueError: Sizes, classes or mask codes differ.
    """
    low, high = generator.data_preprocessor, enlarger.data_preprocessor
    if low.size * enlarger.factor != high.size:
        side = high.size // enlarger.factor
        raise ValueError(
            f'The generator draws {low.size}x{low.size} pairs, the super-resolution model makes '
            f'{high.size}x{high.size} of {side}x{side} ones. Give a super-resolution model for this generator.'
        )
    if not torch.equal(low.codec.codes.cpu(), high.codec.codes.cpu()):
        raise ValueError(
            'Generator and super-resolution model use different classes or mask codes. Give models that were trained '
            'on the same data set with the same code.'
        )
