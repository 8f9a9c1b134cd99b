"""Filling a pair folder: the loop behind `tools/generate_pairs.py`."""

from collections.abc import Callable, Iterator

import torch
from mmengine.dist import barrier, get_dist_info
from tqdm import tqdm

from ..datasets import PairFolder, PairRow
from ..datasets.pair_writer import PairWriter
from ..phases import FractionRequest, phase_fractions
from .batches import batches
from .cascade import PairCascade
from .preprocessor import DecodedPairs


def generate_pairs(
    cascade: PairCascade,
    requests: Callable[[int, int], FractionRequest],
    folder: PairFolder,
    num: int,
    seed: int,
    batch_size: int,
    max_moved: float = 0.03,
    size: tuple[int, int] | None = None,
) -> int:
    """Writes the pairs 0..num-1 that the folder lacks. Under a launcher, each process writes its share.

    Args:
        cascade: Draws them.
        requests: (seed, index) -> the fractions asked for, e.g. a :class:`FractionSampler`.
        folder: Where to.
        num: Pairs the folder shall hold.
        seed: Seed of the run, >= 0.
        batch_size: Pairs (of larger fields: windows) drawn together, >= 1; changes nothing but speed and memory.
        max_moved: Largest share of pixels that may be moved to meet the fractions. A pair beyond it is written, but
            marked as not kept: its image no longer shows what its mask says.
        size: Height and width of the pairs; default: those of the training tiles.

    Returns:
        Number of pairs written now, by all processes.

    Raises:
        ValueError: num or batch_size below 1, max_moved out of range.
    """
    if num < 1 or batch_size < 1 or not 0 <= max_moved <= 1:
        raise ValueError(
            f'num and batch_size must be at least 1, max_moved in [0, 1]; got num={num}, batch_size={batch_size}, '
            f'max_moved={max_moved}.'
        )
    rank, world_size = get_dist_info()
    missing = folder.missing(num)
    # All processes have looked before any writes: they deal out the same list.
    barrier()
    share = missing[rank::world_size]
    together = batch_size if size is None else 1
    with PairWriter(folder, rank) as writer, tqdm(total=len(share), desc='pairs', unit='pair', disable=rank > 0) as bar:
        for indices in batches(share, together):
            asked = [requests(seed, index) for index in indices]
            pairs = cascade(torch.stack([request.fractions for request in asked]), seed, indices, size, batch_size)
            for n, row in enumerate(describe_rows(cascade, folder, asked, pairs, seed, indices, max_moved)):
                writer.put(row, pairs.images[n].numpy(), pairs.labels[n].numpy())
            bar.update(len(indices))
    barrier()
    if rank == 0:
        folder.finish()
    barrier()
    return len(missing)


def describe_rows(
    cascade: PairCascade,
    folder: PairFolder,
    asked: list[FractionRequest],
    pairs: DecodedPairs,
    seed: int,
    indices: list[int],
    max_moved: float,
) -> Iterator[PairRow]:
    """The rows of drawn pairs.

    Measures: `plain_<class>`, the fraction that the nearest codes alone gave; `moved`, the share of pixels that the
    quota moved; `moved_margin`, by how much those pixels had been decided, on the mean; `seam` of the windows.

    Args:
        cascade: What drew them.
        folder: Names the classes.
        asked: N requests.
        pairs: N pairs.
        seed: Seed of the run.
        indices: N indices.
        max_moved: As of :func:`generate_pairs`.

    Yields:
        N rows.
    """
    num_classes = len(folder.classes)
    measured = phase_fractions(pairs.labels, num_classes).tolist()
    plain = phase_fractions(pairs.plain, num_classes).tolist()
    moved = pairs.labels != pairs.plain
    for n, index in enumerate(indices):
        share = moved[n].double().mean().item()
        measures = {f'plain_{name}': value for name, value in zip(folder.classes, plain[n], strict=True)}
        measures['moved'] = share
        measures['moved_margin'] = pairs.margins[n][moved[n]].mean().item() if share else 0.0
        measures['seam'] = cascade.seam_score(pairs.images[n])
        kept = share <= max_moved
        reason = '' if kept else f'{100 * share:.1f} % of the pixels moved to meet the fractions'
        target = tuple(asked[n].fractions.tolist())
        yield PairRow(index, seed, asked[n].group, target, tuple(measured[n]), kept, reason, measures)
