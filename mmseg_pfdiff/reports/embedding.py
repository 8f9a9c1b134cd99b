"""Features and fraction vectors in two dimensions (Figs. 11 and 12b of the paper), by scikit-learn."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..metrics.distances import KINDS
from .html import Section, panels, paragraph, plot, shared_legend
from .tile_sets import COLOURS, TITLES

METHODS = ('tsne', 'pca')
# A map of more points is a blot, and t-SNE takes minutes.
MAX_POINTS = 1000
# What t-SNE's authors advise for features of high dimension.
TSNE_COMPONENTS = 50
PERPLEXITY = 30


def check_scikit_learn() -> None:
    """Before long work.

    Raises:
        ImportError: scikit-learn is missing; the message holds the command that installs it.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The maps of this page need scikit-learn: pip install scikit-learn (or 'mmseg-pfdiff[evaluation]')."
        ) from error


def principal_components(
    vectors: Mapping[str, np.ndarray], reference: str
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Projects vectors on the first two principal components of one of the sets.

    Args:
        vectors: Set -> (N, D), D at least 2.
        reference: The set whose components are taken.

    Returns:
        Set -> (N, 2), and the share of the reference's variance that each component holds, in [0, 1]; zeros where it
        has none.

    Raises:
        ValueError: Fewer than two vectors in the reference.
    """
    from sklearn.decomposition import PCA

    base = vectors[reference]
    if len(base) < 2:
        raise ValueError(f'Principal components need two vectors or more, got {len(base)} of the set "{reference}".')
    with np.errstate(invalid='ignore'):  # shares of no variance
        model = PCA(2).fit(base)
    shares = np.nan_to_num(model.explained_variance_ratio_).tolist()
    return {name: model.transform(points) for name, points in vectors.items()}, shares


def embed(features: np.ndarray, method: str = 'tsne', seed: int = 0) -> np.ndarray:
    """A map of feature vectors.

    Args:
        features: (N, D), N at least 3.
        method: 'tsne' (on 50 principal components, perplexity 30 or a third of the points) or 'pca'.
        seed: Of t-SNE; the same seed and features give the same map.

    Returns:
        (N, 2).

    Raises:
        ValueError: An unknown method, or fewer than three vectors.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if method not in METHODS or len(features) < 3:
        raise ValueError(f'A map needs one of {METHODS} and 3 vectors or more, got {method!r} and {len(features)}.')
    if method == 'pca':
        return PCA(2, random_state=seed).fit_transform(features)
    reduced = PCA(min(TSNE_COMPONENTS, *features.shape), random_state=seed).fit_transform(features)
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(reduced)


def embedding_section(
    features: Mapping[str, list[Tensor]], extractor: str, method: str = 'tsne', seed: int = 0
) -> Section:
    """Maps of real and synthetic images and masks (Fig. 11).

    Args:
        features: Set -> (N, D) features of its images, and of its masks; sets without a title are left out.
        extractor: Name of the features.
        method: As in :func:`embed`.
        seed: Of the map, and of the choice of points where a set has more than 1000.

    Returns:
        Two maps and their points.
    """
    sets = {name: _choose(vectors, seed) for name, vectors in features.items() if name in TITLES}
    figure, axes = panels(1, 2, 4.7, 4.2)
    points = {}
    for n, kind in enumerate(KINDS):
        sizes = [len(vectors[n]) for vectors in sets.values()]
        places = embed(torch.cat([vectors[n] for vectors in sets.values()]).double().numpy(), method, seed)
        points[kind] = dict(zip(sets, np.split(places, np.cumsum(sizes)[:-1]), strict=True))
        # The largest set lies below the others.
        for name in sorted(sets, key=lambda name: -len(sets[name][n])):
            x, y = points[kind][name].T
            axes[0, n].scatter(x, y, s=12, alpha=0.75, color=COLOURS[name], label=TITLES[name], linewidths=0)
        axes[0, n].set(xticks=[], yticks=[])
        axes[0, n].set_title(f'{kind}s', fontsize=10)
    shared_legend(figure, axes[0, 0])
    counts = ', '.join(
        f'{len(vectors[0])} of {len(features[name][0])} {TITLES[name]}' for name, vectors in sets.items()
    )
    text = (
        f'{"t-SNE" if method == "tsne" else "Principal components"} of the features ({extractor}); seed {seed}; shown '
        f'are {counts}. Distances between far points of a t-SNE map mean nothing.'
    )
    numbers = {
        'method': method,
        'seed': seed,
        'extractor': extractor,
        'points': {kind: {name: p.tolist() for name, p in places.items()} for kind, places in points.items()},
    }
    return Section('maps', 'Maps of images and masks', [paragraph(text), plot(figure, 'maps of the features')], numbers)


def _choose(vectors: list[Tensor], seed: int) -> list[Tensor]:
    """At most 1000 of a set, the same images and masks."""
    order = torch.randperm(len(vectors[0]), generator=torch.Generator().manual_seed(seed))[:MAX_POINTS]
    return [part[order] for part in vectors]
