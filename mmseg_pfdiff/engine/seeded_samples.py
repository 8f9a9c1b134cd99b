"""Random numbers of a training sample that follow from its epoch and its place there, whichever process draws them."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from torch.utils.data import DataLoader, get_worker_info

# What random numbers are drawn for; without it, two lists of numbers that differ by a zero at the end would agree.
EPOCH, ITERATION, SAMPLE = 1, 2, 3


def seed_process(*numbers: int) -> None:
    """Seeds python's, numpy's and torch's random numbers in this process by a list of numbers.

    Args:
        *numbers: Each >= 0. Lists that differ give streams that have nothing to do with each other.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # it takes 32 bits
    # `torch.manual_seed` also looks for GPUs, which takes longer than all else here; worker processes draw on the CPU.
    on_cpu = get_device() == 'cpu' or get_worker_info() is not None
    (torch.default_generator.manual_seed if on_cpu else torch.manual_seed)(seed)


class NumberedIndex(int):
    """An index into a data set that knows the epoch it is drawn in and its place there, both counted from 0."""

    epoch = 0
    place = 0


class NumberedSampler:
    """A sampler whose indices are numbered; all else is the sampler's own.

    Args:
        sampler: Yields indices.
    """

    def __init__(self, sampler: Iterable[int]) -> None:
        self.sampler = sampler
        self.begin(0)

    def begin(self, epoch: int, place: int = 0) -> None:
        """Says what the next index is drawn for.

        Args:
            epoch: Epoch.
            place: Its place there. It goes on from one pass over the sampler to the next.
        """
        self.epoch, self.place = epoch, place

    def __iter__(self) -> Iterator[NumberedIndex]:
        for index in self.sampler:
            numbered = NumberedIndex(index)
            numbered.epoch, numbered.place = self.epoch, self.place
            self.place += 1
            yield numbered

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__['sampler'], name)


class SeededItems:
    """The method `__getitems__`, by which torch asks a data set for the samples of a batch: seeds before each of them.

    Args:
        dataset: Data set.
        seed: Of the training, >= 0.
        rank: Of the training process: each draws numbers of its own.
    """

    def __init__(self, dataset: Any, seed: int, rank: int) -> None:
        self.dataset, self.seed, self.rank = dataset, seed, rank

    def __call__(self, indices: Sequence[NumberedIndex]) -> list:
        """Samples, in order."""
        samples = []
        for index in indices:
            seed_process(SAMPLE, self.seed, self.rank, index.epoch, index.place)
            samples.append(self.dataset[index])
        return samples


def number_samples(loader: DataLoader, seed: int, rank: int) -> NumberedSampler | None:
    """Has each sample of a data loader drawn with random numbers of its own.

    It works in this process and in worker processes, which get the data set with all that is set here.

    Args:
        loader: Of training, not yet iterated. Changed in place.
        seed: Of the training, >= 0.
        rank: Of this process.

    Returns:
        The sampler, to be told of each epoch; None for a loader or data set without indices, which is left as it is.
    """
    try:
        numbered = NumberedSampler(loader.batch_sampler.sampler)
        # Of the instance: torch looks it up there first.
        loader.dataset.__getitems__ = SeededItems(loader.dataset, seed, rank)
    except AttributeError:  # a plain list as data set; a loader without batches, or without a sampler
        return None
    loader.batch_sampler.sampler = numbered
    return numbered
