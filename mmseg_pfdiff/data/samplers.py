"""Samplers of data loaders: epochs of a given length, real samples at the end, and a few samples spread evenly."""

import math
from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from .mix import SyntheticPairMix


@DATA_SAMPLERS.register_module()
class FixedLengthSampler(Sampler):
    """Goes through the shuffled data set again and again, `length` samples an epoch.

    Epochs are stretches of one endless row of shuffled passes, so every sample comes up equally often in the long run.
    With the number of real tiles as length, training on a mix takes as many iterations as training on real tiles
    alone. The samples of an epoch follow from (seed, epoch), also in a training that was resumed.

    Args:
        dataset: Data set.
        length: Samples of an epoch, of all processes together, >= 1.
        seed: Same in all processes; MMEngine passes it.
        shuffle: Must be True.

    Raises:
        ValueError: A length below 1, an empty data set, or no shuffling.
    """

    def __init__(self, dataset: Sized, length: int, seed: int | None = None, shuffle: bool = True) -> None:
        if length < 1 or not len(dataset) or not shuffle:
            raise ValueError(
                f'FixedLengthSampler needs length >= 1, samples and shuffle=True; got length={length}, '
                f'{len(dataset)} samples, shuffle={shuffle}.'
            )
        self.rank, self.world_size = get_dist_info()
        self.dataset, self.length, self.seed, self.epoch = dataset, length, seed or 0, 0
        self.size = len(dataset)

    def __iter__(self) -> Iterator[int]:
        start = self.epoch * self.length + self.rank
        yield from (self._sample(start + n * self.world_size) for n in range(len(self)))

    def _sample(self, position: int) -> int:
        """Index of the sample at a position of the endless row."""
        index, place = divmod(position, self.size)
        if (self.size, index) != getattr(self, '_pass', None):
            # Not seed + index: the passes of one seed would be those of the next, shifted.
            rng = np.random.default_rng([self.seed, index])
            self._pass, self._order = (self.size, index), rng.permutation(self.size).tolist()
        return self._order[place]

    def __len__(self) -> int:
        """Samples of an epoch for this process, as many as for every other: else they would wait for each other."""
        return math.ceil(self.length / self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the stretch."""
        self.epoch = epoch


@DATA_SAMPLERS.register_module()
class RealFinishSampler(FixedLengthSampler):
    """Draws from a whole mix up to an epoch, and from its real samples alone from there on.

    What a network learns from synthetic images that are not quite like real ones, it mends in the last epochs. An
    epoch has as many samples before as after.

    Args:
        dataset: The mix.
        length: Samples of an epoch, of all processes together, >= 1.
        start: First epoch of real samples alone, counted from 0, >= 0.
        seed: Same in all processes; MMEngine passes it.
        shuffle: Must be True.

    Raises:
        ValueError: A data set that is no mix, a negative start, or what `FixedLengthSampler` refuses.
    """

    def __init__(
        self, dataset: SyntheticPairMix, length: int, start: int, seed: int | None = None, shuffle: bool = True
    ) -> None:
        if not isinstance(dataset, SyntheticPairMix) or start < 0:
            raise ValueError(
                'RealFinishSampler draws from a SyntheticPairMix, with start >= 0; got a '
                f'{type(dataset).__name__} and start={start}.'
            )
        super().__init__(dataset, length, seed, shuffle)
        self.start = start
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the stretch, and what it is drawn from: real samples stand first in a mix."""
        super().set_epoch(epoch)
        self.size = len(self.dataset.real) if epoch >= self.start else len(self.dataset)


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

    def __init__(self, dataset: Sized, num: int = 16, seed: int | None = None, shuffle: bool = False) -> None:
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
