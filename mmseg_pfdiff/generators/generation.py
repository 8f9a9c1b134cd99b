"""Filling a pair folder: the loop behind `tools/generate_pairs.py`."""

from collections.abc import Callable

import torch
from mmengine.dist import barrier, get_dist_info

from ..datasets import PairFolder
from ..datasets.pair_writer import PairWriter
from ..phases import FractionRequest
from ..progress import progress
from .batches import batches
from .cascade import PairCascade
from .pair_records import PairRecorder


def generate_pairs(
    cascade: PairCascade,
    requests: Callable[[int, int], FractionRequest],
    folder: PairFolder,
    num: int,
    seed: int,
    batch_size: int,
    size: tuple[int, int] | None = None,
    record: PairRecorder | None = None,
) -> int:
    """Writes the pairs 0..num-1 that the folder lacks. Under a launcher, each process writes its share.

    Args:
        cascade: Draws them.
        requests: (seed, index) -> the fractions asked for, e.g. a :class:`FractionSampler`.
        folder: Where to.
        num: Pairs the folder shall hold.
        seed: Seed of the run, >= 0.
        batch_size: Pairs (of larger fields: windows) drawn together, >= 1; changes nothing but speed and memory.
        size: Height and width of the pairs; default: those of the training tiles.
        record: Makes the rows; default: one with its own defaults.

    Returns:
        Number of pairs written now, by all processes.

    Raises:
        ValueError: num or batch_size below 1.
    """
    if num < 1 or batch_size < 1:
        raise ValueError(f'num and batch_size must be at least 1; got num={num}, batch_size={batch_size}.')
    record = record or PairRecorder(cascade, folder.classes, seed)
    rank, world_size = get_dist_info()
    missing = folder.missing(num)
    # All processes have looked before any writes: they deal out the same list.
    barrier()
    share = missing[rank::world_size]
    together = batch_size if size is None else 1
    with (
        PairWriter(folder, rank) as writer,
        progress(total=len(share), desc='pairs', unit='pair', disable=rank > 0) as bar,
    ):
        for indices in batches(share, together):
            asked = [requests(seed, index) for index in indices]
            targets = torch.stack([request.fractions for request in asked])
            pairs = cascade.draw(targets, seed, indices, size, batch_size)
            for n, row in enumerate(record(asked, pairs, indices)):
                writer.put(row, pairs.images[n].numpy(), pairs.labels[n].numpy())
            bar.update(len(indices))
    barrier()
    if rank == 0:
        folder.finish()
    barrier()
    return len(missing)
