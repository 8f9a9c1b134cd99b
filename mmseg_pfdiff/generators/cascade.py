"""PairCascade: phase fractions to finished pairs, sample i from seed i."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .pf_diffseg import PFDiffSeg
from .preprocessor import DecodedPairs
from .super_resolution import PairSuperResolution


class PairCascade:
    """The generator and, if there is one, its super-resolution.

    Args:
        generator: A trained generator.
        super_resolution: A trained super-resolution model whose input is the generator's output, or None.
        device: Where to run; the models are moved there and set to evaluation.

    Raises:
        ValueError: The two do not fit: other classes, other mask code, or other size.
    """

    def __init__(
        self, generator: PFDiffSeg, super_resolution: PairSuperResolution | None = None, device: str = 'cpu'
    ) -> None:
        if super_resolution is not None:
            low, high = generator.data_preprocessor, super_resolution.data_preprocessor
            if low.size * super_resolution.factor != high.size:
                raise ValueError(
                    f'The generator draws {low.size}x{low.size} pairs, the super-resolution model makes '
                    f'{high.size}x{high.size} of {high.size // super_resolution.factor}x'
                    f'{high.size // super_resolution.factor} ones. Give a super-resolution model for this generator.'
                )
            if not torch.equal(low.codec.codes, high.codec.codes):
                raise ValueError('Generator and super-resolution model use different classes or mask codes.')
        self.generator = generator.to(device).eval()
        self.super_resolution = super_resolution.to(device).eval() if super_resolution is not None else None
        self.device = device

    @property
    def size(self) -> int:
        """Height and width of the finished pairs."""
        return (self.super_resolution or self.generator).data_preprocessor.size

    @torch.no_grad()
    def __call__(self, fractions: Tensor, seed: int, indices: Sequence[int]) -> DecodedPairs:
        """Draws one pair for each fraction vector. Pair i is a function of its fractions, the seed and its index.

        Batches of another size give the same pairs up to the rounding of the kernels.

        Args:
            fractions: c', (N, K) float, each row sums to 1.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.

        Returns:
            Images, labels and margins, on the CPU.

        Raises:
            ValueError: Fractions of the wrong shape, negative, or not summing to 1.
        """
        num_classes = self.generator.data_preprocessor.codec.num_classes
        if fractions.shape != (len(indices), num_classes):
            raise ValueError(
                f'fractions must be ({len(indices)}, {num_classes}): one row for each index, one column for each '
                f'class; got {tuple(fractions.shape)}.'
            )
        if (fractions < 0).any() or ((fractions.sum(1) - 1).abs() > 1e-4).any():
            raise ValueError(f'Each row of fractions must be >= 0 and sum to 1, got {fractions.tolist()}.')
        c = fractions.float().to(self.device)
        pairs = self.generator.sample(c, seed, indices)
        drawn = self.generator.data_preprocessor.decode(pairs)
        if self.super_resolution is not None:
            # Decoded and encoded again: the super-resolution model was trained on exact codes.
            crisp = torch.cat([pairs[:, :1], self.generator.data_preprocessor.codec.encode(drawn.labels)], 1)
            condition = self.super_resolution.from_low_resolution(crisp)
            pairs = self.super_resolution.sample(condition, seed, indices)
            drawn = self.super_resolution.data_preprocessor.decode(pairs)
        return DecodedPairs(*(part.cpu() for part in drawn))
