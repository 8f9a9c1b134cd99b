"""Time and quality of a sampler and its settings: the numbers behind `tools/benchmark_sampling.py`."""

import time
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ..models.cascade import PairCascade
from ..models.diffusion.super_resolution import PairSuperResolution
from ..models.generate import MAX_INVENTED, MAX_MOVED, invented_shares
from ..models.validation import batches
from ..phases.fractions import phase_fractions
from ..progress import progress
from ..requests.base import RequestSource
from .distances import distances_by_kind
from .features import LiteFeatures, image_and_mask_features
from .fractions import fraction_errors
from .real_tiles import RealTiles, held_out_tiles, training_tiles


class DrawnPairs(NamedTuple):
    """Pairs drawn with one setting.

    Attributes:
        images: (N, H, W) uint8.
        labels: (N, H, W) uint8, of exactly the fractions asked for.
        plain: (N, H, W) uint8, what the networks drew.
        targets: (N, K) float64, the fractions asked for.
        seconds: A pair, without opening models and writing files.
    """

    images: Tensor
    labels: Tensor
    plain: Tensor
    targets: Tensor
    seconds: float


def draw_timed(
    cascade: PairCascade,
    requests: RequestSource,
    num: int,
    seed: int = 0,
    batch_size: int = 16,
) -> DrawnPairs:
    """Draws pairs 0..num-1 and takes the time. On a GPU, one batch is drawn before the clock starts.

    Args:
        cascade: Draws them.
        requests: Say what each of them shall be.
        num: Number of pairs.
        seed: Seed of the run.
        batch_size: Pairs drawn together.

    Returns:
        The pairs.
    """
    targets = torch.stack([requests(seed, index).target for index in range(num)])
    if cascade.device.type != 'cpu':
        cascade.draw(targets[:batch_size], seed, range(num)[:batch_size])
    start = time.perf_counter()
    drawn = []
    for indices in progress(list(batches(range(num), batch_size)), desc='pairs', unit='batch', leave=False):
        drawn.append(cascade.draw(targets[indices], seed, indices))
    seconds = (time.perf_counter() - start) / num
    images, labels, _, plain = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return DrawnPairs(images, labels, plain, targets, seconds)


def network_evaluations(cascade: PairCascade) -> int:
    """Evaluations of both networks for one pair; classifier-free guidance takes two a step, a painter one in all."""
    generator, high = cascade.generator, cascade.super_resolution
    enlarging = 0 if high is None else high.sampler.steps if isinstance(high, PairSuperResolution) else 1
    return generator.sampler.steps * (1 if generator.guidance_scale == 1 else 2) + enlarging


def fraction_columns(pairs: DrawnPairs, classes: tuple[str, ...]) -> dict[str, float]:
    """How far the networks were from the fractions asked for.

    Args:
        pairs: N drawn pairs.
        classes: K names.

    Returns:
        Columns: `error`, the mean absolute error in points over pairs and classes, before any pixel was moved, with
        its standard error over the pairs; the same for each class; share of pixels moved and of pairs kept under
        the default limits of :class:`PairRecorder`, percent.
    """
    plain = phase_fractions(pairs.plain, len(classes))
    errors = fraction_errors(pairs.targets, plain)
    moved = (pairs.labels != pairs.plain).double().mean((1, 2))
    invented = invented_shares(pairs.labels, pairs.plain, len(classes)).amax(1)
    kept = (moved <= MAX_MOVED) & (invented <= MAX_INVENTED)
    return {
        'error': errors.by_map.mean().item(),
        'error se': (errors.by_map.std() / len(plain) ** 0.5).item(),
        **{f'error {name}': value for name, value in zip(classes, errors.mae.tolist(), strict=True)},
        'moved %': 100 * moved.mean().item(),
        'kept %': 100 * kept.double().mean().item(),
    }


class RealReference:
    """Features of the real tiles, at the size of the pairs, to measure distances to.

    Args:
        root: Converted data set that the generator was trained on.
        side: Side of the pairs.
        palette: K RGB colours; masks are seen in them.
        device: Where to compute.
        batch_size: Images at a time.

    Raises:
        ImportError: The package with the weights of the features is missing.
        FileNotFoundError: The data set lacks tiles or validation micrographs.
    """

    def __init__(self, root: str, side: int, palette: list, device: str = 'cpu', batch_size: int = 16) -> None:
        self.extractor = LiteFeatures().to(device)
        self.palette, self.batch_size = palette, batch_size
        self.training = self._features(training_tiles(root, side, len(palette)))
        self.held_out = self._features(held_out_tiles(root, 'val', side, len(palette)))

    def _features(self, tiles: RealTiles) -> list[Tensor]:
        shown = partial(progress, desc='features', leave=False)
        return image_and_mask_features(self.extractor, tiles.images, tiles.labels, self.palette, self.batch_size, shown)

    def columns(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """Distances of pairs from the training tiles.

        Args:
            images: (N, H, W) uint8.
            labels: (N, H, W) uint8.

        Returns:
            Columns: KID times 1000 with the deviation over its subsets, and Frechet distance, of images and of masks.
        """
        return self._columns(self._features(RealTiles([], images, labels)))

    def floor(self) -> dict[str, float]:
        """The same columns for the tiles of the validation micrographs."""
        return self._columns(self.held_out)

    def _columns(self, features: list[Tensor]) -> dict[str, float]:
        columns = {}
        for kind, distance in distances_by_kind(features, self.training, self.extractor.name).items():
            columns[f'KID {kind}'] = 1000 * distance.kernel.mean
            columns[f'KID {kind} sd'] = 1000 * distance.kernel.std
            columns[f'Frechet {kind}'] = distance.frechet
        return columns
