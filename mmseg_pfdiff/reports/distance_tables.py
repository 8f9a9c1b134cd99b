"""Tables of how far synthetic images and masks are from real ones, and how much they cover (Table 2 of the paper)."""

import math
from collections.abc import Mapping

from torch import Tensor

from ..metrics.distances import (
    KINDS,
    NEIGHBOURS,
    PrecisionRecall,
    SetDistance,
    class_score,
    precision_recall,
    set_distances,
)
from .html import Section, paragraph, record_table
from .tile_sets import TITLES, TRAIN


def distance_section(features: Mapping[str, list[Tensor]], extractor, side: int, seed: int = 0) -> Section:
    """Distances, precision and recall against the training tiles, and scores, of every set (Table 2).

    Args:
        features: Set -> features of its images, and of its masks; 'train' is what the others are compared with.
        extractor: What made them: `name`, `resize`, names of its measures, and `logits(features)`.
        side: Side of the images before the resize, in pixels.
        seed: Of the subsets and splits.

    Returns:
        Two tables and their numbers.
    """
    distances = [
        _distance_record(name, kind, distance, features[TRAIN][n], features[name][n], extractor)
        for name, by_kind in set_distances(features, TRAIN, extractor.name, seed)
        for n, (kind, distance) in enumerate(by_kind.items())
    ]
    scores = [
        {'set': TITLES.get(name, name), 'of': kind, 'number': score.count}
        | {extractor.score: score.mean, 'deviation': score.std, 'splits': score.splits}
        for name, vectors in features.items()
        for n, kind in enumerate(KINDS)
        for score in [class_score(extractor.logits(vectors[n]), seed=seed)]
    ]
    source = (
        f'Features: {extractor.name}; pictures of {side}x{side} pixels, resized to {extractor.resize}. Masks are seen '
        "in the data set's palette, ignored pixels white. "
    )
    if extractor.frechet != 'FID':
        source += 'These are no FID, KID or IS, which take the Inception network: compare them with each other only. '
    notes = [
        'Each set is compared with the real training tiles. The rows of real held-out tiles are the floor: what a new '
        f'micrograph of the same material gets. The {extractor.frechet} grows as the numbers fall, and precision and '
        f'recall (k = {NEIGHBOURS}) depend on them too: hold the floor against the row of as many pairs.',
        f'The {extractor.score} is high where the network is sure of the class of each picture and the classes vary. '
        "They are classes of photographs: hold it against the training tiles' own.",
    ]
    body = [paragraph(source), paragraph(notes[0]), record_table(distances), paragraph(notes[1]), record_table(scores)]
    numbers = {
        'extractor': extractor.name,
        'resize': extractor.resize,
        'side': side,
        'neighbours': NEIGHBOURS,
        'distances': distances,
        'scores': scores,
    }
    return Section('distances', 'Distances of images and masks', body, numbers)


def _distance_record(
    name: str, kind: str, distance: SetDistance, train: Tensor, vectors: Tensor, extractor
) -> dict[str, object]:
    """A row of the table; precision and recall are NaN for sets too small for neighbours."""
    kernel, covered = distance.kernel, PrecisionRecall(math.nan, math.nan)
    if min(len(vectors), len(train)) > NEIGHBOURS:
        covered = precision_recall(train, vectors)
    return {
        'set': TITLES.get(name, name),
        'of': kind,
        'number': len(vectors),
        'training tiles': len(train),
        extractor.frechet: distance.frechet,
        f'{extractor.kernel} x 1000': 1000 * kernel.mean,
        'deviation x 1000': 1000 * kernel.std,
        'subsets': f'{kernel.subsets} of {kernel.subset_size}',
        **covered._asdict(),
    }
