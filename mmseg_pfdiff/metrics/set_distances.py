"""How far synthetic images and masks are from real ones, and how much of these they cover (Table 2 of the paper)."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..reports.html import Section, paragraph, record_table
from .distances import frechet_distance, kid
from .pair_filter import KINDS
from .tile_sets import TITLES, TRAIN

NEIGHBOURS = 3
# Splits of fewer images would lower the score by their size alone.
SPLIT_SIZE = 50
MAX_SPLITS = 10
# Distances computed at once: (1024, N) float64 stay within some ten megabytes.
CHUNK = 1024


class PrecisionRecall(NamedTuple):
    """Precision and recall of a synthetic set.

    Attributes:
        precision: Share of the synthetic images that lie on the manifold of the real ones, in [0, 1]: fidelity.
        recall: Share of the real images that lie on the manifold of the synthetic ones, in [0, 1]: coverage.
        neighbours: k.
        counts: Numbers of images, real and synthetic.
    """

    precision: float
    recall: float
    neighbours: int
    counts: tuple[int, int]


class ClassScore(NamedTuple):
    """Inception-style score of a set.

    Attributes:
        mean: Mean over the splits, from 1 to the number of classes.
        std: Standard deviation over the splits; 0 for a single one.
        splits: Number of splits.
        count: Number of images.
    """

    mean: float
    std: float
    splits: int
    count: int


def precision_recall(real: Tensor, synthetic: Tensor, neighbours: int = NEIGHBOURS) -> PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi et al., 2019).

    The manifold of a set is the union of balls around its features, each as large as the distance to the k-th nearest
    other feature of the set.

    Args:
        real: (N, D) features.
        synthetic: (M, D) features.
        neighbours: k; less than N and M.

    Returns:
        Both shares, with what they are made of.

    Raises:
        ValueError: Features that do not fit, or fewer than k + 1 in a set.
    """
    if real.ndim != 2 or synthetic.ndim != 2 or real.shape[1] != synthetic.shape[1]:
        raise ValueError(f'Features must be (N, D) and (M, D), got {tuple(real.shape)} and {tuple(synthetic.shape)}.')
    if not 1 <= neighbours < min(len(real), len(synthetic)):
        raise ValueError(
            f'The {neighbours}-th neighbour needs {neighbours + 1} images or more in each set, and at least the first; '
            f'got {len(real)} and {len(synthetic)} images.'
        )
    real, synthetic = real.double().cpu(), synthetic.double().cpu()
    shares = [
        _share_inside(queries, manifold, neighbours) for queries, manifold in ((synthetic, real), (real, synthetic))
    ]
    return PrecisionRecall(*shares, neighbours, (len(real), len(synthetic)))


def _share_inside(queries: Tensor, manifold: Tensor, neighbours: int) -> float:
    # Each feature is its own nearest one, hence k + 1.
    radii = torch.cat([torch.cdist(part, manifold).kthvalue(neighbours + 1).values for part in manifold.split(CHUNK)])
    inside = [(torch.cdist(part, manifold) <= radii).any(1) for part in queries.split(CHUNK)]
    return torch.cat(inside).double().mean().item()


def class_score(logits: Tensor, splits: int | None = None, seed: int = 0) -> ClassScore:
    """Exp of the mean Kullback-Leibler divergence of an image's class probabilities from those of the set.

    That is the formula of the Inception score (Salimans et al., 2016); it is one only for the logits of that network.

    Args:
        logits: (N, C).
        splits: Parts that are scored apart, 1..N. Default: as many as hold 50 images each, 10 at most, 1 at least.
        seed: Of the order in which images are dealt to the parts.

    Returns:
        Mean and deviation over the parts.

    Raises:
        ValueError: No images, or more parts than images.
    """
    number = len(logits)
    splits = splits if splits is not None else min(MAX_SPLITS, max(1, number // SPLIT_SIZE))
    if logits.ndim != 2 or not 1 <= splits <= number:
        raise ValueError(f'logits must be (N, C) with N at least the {splits} splits, got {tuple(logits.shape)}.')
    order = torch.randperm(number, generator=torch.Generator().manual_seed(seed))
    log_p = logits.double().cpu()[order].log_softmax(1)
    scores = torch.stack([_score(part) for part in log_p.tensor_split(splits)])
    return ClassScore(scores.mean().item(), scores.std(correction=0).item(), splits, number)


def _score(log_p: Tensor) -> Tensor:
    log_mean = log_p.logsumexp(0) - torch.tensor(float(len(log_p))).log()
    return (log_p.exp() * (log_p - log_mean)).sum(1).mean().exp()


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
        _distance_record(name, kind, found[n], features[TRAIN][n], extractor, seed)
        for name, found in features.items()
        for n, kind in enumerate(KINDS)
        if name != TRAIN and len(found[0]) > 1
    ]
    scores = [
        {'set': TITLES.get(name, name), 'of': kind, 'number': score.count}
        | {extractor.score: score.mean, 'deviation': score.std, 'splits': score.splits}
        for name, found in features.items()
        for n, kind in enumerate(KINDS)
        for score in [class_score(extractor.logits(found[n]), seed=seed)]
    ]
    about = (
        f'Features: {extractor.name}; pictures of {side}x{side} pixels, resized to {extractor.resize}. Masks are seen '
        "in the data set's palette, ignored pixels white. "
    )
    if extractor.frechet != 'FID':
        about += 'These are no FID, KID or IS, which take the Inception network: compare them with each other only. '
    notes = [
        'Each set is compared with the real training tiles. The rows of real held-out tiles are the floor: what a new '
        f'micrograph of the same material gets. The {extractor.frechet} grows as the numbers fall, and precision and '
        f'recall (k = {NEIGHBOURS}) depend on them too: hold the floor against the row of as many pairs.',
        f'The {extractor.score} is high where the network is sure of the class of each picture and the classes vary. '
        "They are classes of photographs: hold it against the training tiles' own.",
    ]
    body = [paragraph(about), paragraph(notes[0]), record_table(distances), paragraph(notes[1]), record_table(scores)]
    numbers = {
        'extractor': extractor.name,
        'resize': extractor.resize,
        'side': side,
        'neighbours': NEIGHBOURS,
        'distances': distances,
        'scores': scores,
    }
    return Section('distances', 'Distances of images and masks', body, numbers)


def _distance_record(name: str, kind: str, found: Tensor, train: Tensor, extractor, seed: int) -> dict:
    kernel = kid(found, train, extractor.name, seed=seed)
    covered = None
    if min(len(found), len(train)) > NEIGHBOURS:
        covered = precision_recall(train, found)
    return {
        'set': TITLES.get(name, name),
        'of': kind,
        'number': len(found),
        'training tiles': len(train),
        extractor.frechet: frechet_distance(found, train, extractor.name).value,
        f'{extractor.kernel} x 1000': 1000 * kernel.mean,
        'deviation x 1000': 1000 * kernel.std,
        'subsets': f'{kernel.subsets} of {kernel.subset_size}',
        'precision': covered.precision if covered else float('nan'),
        'recall': covered.recall if covered else float('nan'),
    }
