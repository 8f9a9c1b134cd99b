"""Samplers of data loaders: epochs of a given length, a share of real samples, and a few samples spread evenly."""

import math
from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from .mix import SyntheticPairMix

# Seeds of the rows of both kinds, beside that of the sampler.
REAL, SYNTHETIC = 1, 2


class ShuffledPasses:
    """An endless row of numbers 0..size-1: one shuffled pass after the other, so that each comes up equally often.

    Args:
        size: Of a pass, >= 1.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pass, self._order = None, []

    def __call__(self, position: int, *seed: int) -> int:
        """The number at a position >= 0 of the row that some numbers, its seed, tell from others."""
        number, place = divmod(position, self.size)
        if (seed, number) != self._pass:
            # Not seed + number: the passes of one seed would be those of the next, shifted.
            self._order = np.random.default_rng([*seed, number]).permutation(self.size).tolist()
            self._pass = seed, number
        return self._order[place]


@DATA_SAMPLERS.register_module()
class FixedLengthSampler(Sampler):
    """Goes through the shuffled data set again and again, `length` samples an epoch.

    Epochs are stretches of one endless row of shuffled passes, so every sample comes up equally often in the long run.
    With the number of real tiles as length, training on a mix takes as many iterations as training on real tiles
    alone. The samples of an epoch follow from (seed, epoch), also in a training that was resumed; `seed` may be set
    later on. Each of several processes takes a stretch of its own.

    Args:
        dataset: Data set.
        length: Samples of an epoch, of all processes together, >= 1.
        seed: Same in all processes; MMEngine passes it.
        shuffle: Must be True.

    Raises:
        ValueError: A length below 1, an empty data set, or no shuffling.
    """

    def __init__(self, dataset: Sized, length: int, seed: int | None = None, *, shuffle: bool = True) -> None:
        if length < 1 or not len(dataset) or not shuffle:
            raise ValueError(
                f'{type(self).__name__} needs length >= 1, samples and shuffle=True; got length={length}, '
                f'{len(dataset)} samples, shuffle={shuffle}.'
            )
        self.rank, self.world_size = get_dist_info()
        self.dataset, self.length, self.seed, self.epoch = dataset, length, seed or 0, 0
        self.all = ShuffledPasses(len(dataset))

    def __iter__(self) -> Iterator[int]:
        # Stretches, as every so-manieth sample of a mix might be of one kind.
        start = self.epoch * self.length + self.rank * len(self)
        yield from map(self.sample, range(start, start + len(self)))

    def sample(self, position: int) -> int:
        """Index of the sample at a position of the endless row of epochs."""
        return self.all(position, self.seed)

    def __len__(self) -> int:
        """Samples of an epoch for this process, as many as for every other: else they would wait for each other."""
        return math.ceil(self.length / self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the stretch."""
        self.epoch = epoch


@DATA_SAMPLERS.register_module()
class MixSampler(FixedLengthSampler):
    """Draws from a mix with a given share of real samples in every batch, and from real ones alone at the end.

    Synthetic images are not quite like real ones. A share keeps the real tiles in charge however many pairs there are
    (FreeMask, Yang et al. 2023, repeats the real set to come to about one half); in the last epochs a network mends
    what it has learnt wrongly. An epoch has as many samples before as after.

    Args:
        dataset: The mix.
        length: Samples of an epoch, of all processes together, >= 1.
        real_share: Share of real samples, in [0, 1], in every stretch of samples to within one; None for the share
            that they have in the mix, all samples shuffled together (the paper).
        real_from: First epoch of real samples alone, counted from 0; None for no such epochs.
        seed: Same in all processes; MMEngine passes it.
        shuffle: Must be True.

    Raises:
        ValueError: A data set that is no mix with synthetic samples, a share or an epoch out of range, or what
            `FixedLengthSampler` refuses.
    """

    def __init__(
        self,
        dataset: SyntheticPairMix,
        length: int,
        real_share: float | None = None,
        real_from: int | None = None,
        seed: int | None = None,
        *,
        shuffle: bool = True,
    ) -> None:
        if not isinstance(dataset, SyntheticPairMix) or not dataset.ratio:
            raise ValueError(
                f'MixSampler draws from a SyntheticPairMix with a ratio of at least 1, got a {type(dataset).__name__}'
                f'{" of ratio 0" if isinstance(dataset, SyntheticPairMix) else ""}. Take a FixedLengthSampler there.'
            )
        if (real_share is not None and not 0 <= real_share <= 1) or (real_from is not None and real_from < 0):
            raise ValueError(
                f'MixSampler needs real_share in [0, 1] or None, and real_from >= 0 or None; got {real_share} and '
                f'{real_from}.'
            )
        super().__init__(dataset, length, seed, shuffle=shuffle)
        self.real_share, self.real_from = real_share, real_from
        # Real samples stand first in a mix. Rows of their own, so that no share moves the other kind's order.
        real = len(dataset.real)
        self.real, self.synthetic = ShuffledPasses(real), ShuffledPasses(len(dataset) - real)

    def sample(self, position: int) -> int:
        """Index of the sample at a position of the endless row of epochs."""
        if self.real_from is not None and self.epoch >= self.real_from:
            return self.real(position, self.seed, REAL)
        if self.real_share is None:
            return self.all(position, self.seed)
        # Real samples before and up to this one, as evenly spread as can be; rounded for what sums of floats miss.
        before, after = (math.floor(round(n * self.real_share, 6)) for n in (position, position + 1))
        if after > before:
            return self.real(before, self.seed, REAL)
        return len(self.dataset.real) + self.synthetic(position - before, self.seed, SYNTHETIC)


@DATA_SAMPLERS.register_module()
class SpacedSampler(Sampler):
    """Always the same `num` indices, evenly spaced; the fixed conditions of a generator's validation.

    Args:
        dataset: Data set.
        num: Number of samples; all, if there are fewer.
        seed: Unused; MMEngine passes it to every sampler.
        shuffle: Must be False.

    Raises:
        ValueError: num below 1, or shuffling asked for.
    """

    def __init__(self, dataset: Sized, num: int = 16, seed: int | None = None, *, shuffle: bool = False) -> None:
        if num < 1 or shuffle:
            raise ValueError(f'SpacedSampler needs num >= 1 and shuffle=False, got num={num}, shuffle={shuffle}.')
        rank, world_size = get_dist_info()
        self.dataset = dataset
        indices = np.linspace(0, len(dataset) - 1, min(num, len(dataset))).round().astype(int).tolist()
        self.indices = indices[rank::world_size]

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def set_epoch(self, epoch: int) -> None:
        """Epochs do not differ."""
