"""SpacedSampler: a few samples, spread evenly over a data set."""

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


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
