"""Checks the pairs of a folder: are they new, do image and mask agree, how far are they from real tiles."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..datasets import PairFolder, PairRow
from ..datasets.tiling import tile_positions
from ..progress import progress
from .agreement import (
    AgreementLimits,
    Reading,
    TrainedSegmentor,
    agreement_limits,
    disagreeing_pixels,
    read_pairs,
)
from .image_distances import FrechetDistance, KernelDistance, frechet_distance, kid
from .lite_features import label_pictures
from .memorisation import NearestTiles, image_descriptors, label_descriptors, nearest_tiles, overlapping_tiles
from .real_tiles import RealTiles, disguised_tiles, held_out_tiles, micrograph_shape, tile_size_of, training_tiles

# Present once `ignore_pixels` has been at a pair; see pair_filter.py.
UNFILTERED = 'unfiltered_'
KINDS = ('image', 'mask')


@dataclass
class PairCheck:
    """What was found; all about pairs is in the order of `rows`.

    Attributes:
        rows: Rows with their new measures: `nearest_<kind>` and `copy_ratio_<kind>` for image and mask, and, where a
            segmentor has read the pairs, `agreement` (mean IoU), `agreement_<class>` (missing for a class that the
            mask lacks) and `disagreeing` (share of the known pixels that FreeMask's rule marks).
        tiles: Names of the training tiles.
        nearest: Who -> kind -> nearest tiles; who is 'pairs', a part of the data set, or 'disguised'. A larger pair
            is represented by its window of the lowest ratio.
        limits: Of the agreement; None without a segmentor.
        agreement: Who -> (N, K) IoU, as in `Reading`.
        disagreeing: Who -> mean of that share.
        marks: Such pixels of each pair, packed by `numpy.packbits`.
        distances: (from, to) -> kind -> (KID, Frechet distance).
    """

    rows: list[PairRow]
    tiles: list[str]
    nearest: dict[str, dict[str, NearestTiles]] = field(default_factory=dict)
    limits: AgreementLimits | None = None
    agreement: dict[str, Tensor] = field(default_factory=dict)
    disagreeing: dict[str, float] = field(default_factory=dict)
    marks: list[np.ndarray] = field(default_factory=list)
    distances: dict[tuple[str, str], dict[str, tuple[KernelDistance, FrechetDistance]]] = field(default_factory=dict)


class PairChecker:
    """Compares pairs with the real tiles of a data set.

    Args:
        folder: The pairs; at least one.
        real_root: Converted data set that their generator was trained on.
        part: Held-out part that serves as the baseline, 'val' or 'test'.
        side: Side of the windows that pairs are cut into, in pixels of the pairs. Default: that of the pairs, or the
            side of the real tiles where pairs are larger than these.
        batch_size: Pairs in memory at a time.
        device: Where to compute.
        progress: Wraps an iterable to show progress, as the default does.

    Raises:
        FileNotFoundError: The data set lacks tiles or the held-out part.
        ValueError: No pairs, or tiles that cannot be reduced to the pairs' size by a whole factor.
    """

    def __init__(
        self,
        folder: PairFolder,
        real_root: str | Path,
        part: str = 'val',
        side: int | None = None,
        batch_size: int = 16,
        device: str = 'cpu',
        progress: Callable = progress,
    ) -> None:
        self.folder, self.root, self.part = folder, Path(real_root), part
        self.batch_size, self.device, self.progress = batch_size, device, progress
        self.num_classes = len(folder.classes)
        rows = folder.rows()
        if not rows:
            raise ValueError(f'{folder.root} holds no pairs to check.')
        tile_size = tile_size_of(real_root)
        self.side = side or min(*self._read(rows[:1])[0].shape[1:], tile_size)
        self.enlarge = tile_size // self.side
        self.training = training_tiles(real_root, self.side, self.num_classes)
        self.held_out = held_out_tiles(real_root, part, self.side, self.num_classes)
        self.result = PairCheck(rows, self.training.names)

    def check_copies(self) -> None:
        """Nearest training tiles of pairs, held-out tiles and disguised training tiles."""
        overlapping = overlapping_tiles(self.training.names, self.side * self.enlarge)
        known = self._describe(self.training)
        owners = []
        windows = []
        for rows, images, labels in self._batches('copies'):
            cut = [cut_windows(maps, self.side) for maps in (images, labels)]
            windows.append(self._describe(RealTiles([], *cut)))
            owners += [row.index for row in rows for _ in range(len(cut[0]) // len(rows))]
        asked = {'pairs': tuple(torch.cat(parts) for parts in zip(*windows, strict=True))}
        asked[self.part] = self._describe(self.held_out)
        asked['disguised'] = self._describe(disguised_tiles(self.root, self.side, self.num_classes))
        for who, queries in self.progress(asked.items(), desc='nearest tiles', unit='set'):
            self.result.nearest[who] = {
                kind: nearest_tiles(query, tiles, overlapping, kind == 'image')
                for kind, query, tiles in zip(KINDS, queries, known, strict=True)
            }
        for kind in KINDS:
            found = worst_windows(self.result.nearest['pairs'][kind], owners)
            self.result.nearest['pairs'][kind] = found
            self._add_measures([
                {f'nearest_{kind}': near.item(), f'copy_ratio_{kind}': ratio.item()}
                for near, ratio in zip(found.nearest, found.ratio, strict=True)
            ])  # fmt: skip

    def check_agreement(self, segmentor: TrainedSegmentor) -> None:
        """Lets a segmentor read pairs and held-out tiles, at the size at which it is shown structures in its tests.

        Args:
            segmentor: Trained on the data set, on the device of this checker.
        """
        scale = self.enlarge * segmentor.scale(micrograph_shape(self.root, self.part))

        def let_read(images: Tensor, labels: Tensor) -> Reading:
            return read_pairs(segmentor.model, images.to(self.device), labels, scale)

        held = [self.held_out.images.split(self.batch_size), self.held_out.labels.split(self.batch_size)]
        readings = [let_read(*batch) for batch in zip(*held, strict=True)]
        limits = agreement_limits(readings, held[1], self.num_classes)
        marks = [disagreeing_pixels(*batch, limits) for batch in zip(readings, held[1], strict=True)]
        result = self.result
        result.limits = limits
        result.agreement[self.part] = torch.cat([reading.iou for reading in readings])
        result.disagreeing[self.part] = torch.cat(marks).sum().item() / (self.held_out.labels != 255).sum().item()
        iou, measures, result.marks = [], [], []
        for rows, images, labels in self._batches('agreement'):
            reading = let_read(images, labels)
            marked = disagreeing_pixels(reading, labels, limits)
            result.marks += [np.packbits(one.numpy()) for one in marked]
            for n, row in enumerate(rows):
                measures.append(self._agreement_measures(row, reading, marked, n))
                iou.append([measures[-1].get(f'agreement_{name}', torch.nan) for name in self.folder.classes])
        result.agreement['pairs'] = torch.tensor(iou, dtype=torch.float64)
        result.disagreeing['pairs'] = float(np.mean([one['disagreeing'] for one in measures]))
        self._add_measures(measures)

    def check_distances(self, extractor: nn.Module, seed: int = 0) -> None:
        """KID and Frechet distance of the kept pairs and of held-out tiles from the training tiles.

        Args:
            extractor: Image features, on the device of this checker.
            seed: Of KID's subsets, and of the choice of as many pairs as there are held-out tiles.
        """
        features = self.features(extractor, seed)
        for who, found in self.progress(features.items(), desc='distances', unit='set'):
            if who != 'train' and len(found[0]) > 1:
                self.result.distances[who, 'train'] = {
                    kind: (kid(x, y, extractor.name, seed=seed), frechet_distance(x, y, extractor.name))
                    for kind, x, y in zip(KINDS, found, features['train'], strict=True)
                }

    def features(self, extractor: nn.Module, seed: int = 0) -> dict[str, list[Tensor]]:
        """Features of the training tiles, of the held-out tiles, and of the kept pairs.

        Args:
            extractor: (N, H, W) or (N, 3, H, W) uint8 to (N, D), on the device of this checker.
            seed: Of the choice of as many pairs as there are held-out tiles.

        Returns:
            Set -> (N, D) features of its images, and of its masks, on the CPU. Sets: 'train', the held-out part,
            'pairs' and, where there are more of them than held-out tiles, 'N of the pairs'.
        """
        features = {'train': self._features(extractor, self.training)}
        features[self.part] = self._features(extractor, self.held_out)
        batches = [
            self._features(extractor, RealTiles([], *(cut_windows(maps, self.side) for maps in (images, labels))))
            for _, images, labels in self._batches('features', [row for row in self.result.rows if row.kept])
        ]
        if batches:
            pairs = features['pairs'] = [torch.cat(parts) for parts in zip(*batches, strict=True)]
            number = len(features[self.part][0])
            if number < len(pairs[0]):
                chosen = torch.randperm(len(pairs[0]), generator=torch.Generator().manual_seed(seed))[:number]
                features[f'{number} of the pairs'] = [part[chosen] for part in pairs]
        return features

    def _agreement_measures(self, row: PairRow, reading: Reading, marked: Tensor, n: int) -> dict[str, float]:
        """Measures of one pair. A mask that was filtered before agrees better for it: its first measures stay."""
        if any(name.startswith(UNFILTERED) for name in row.measures):
            return {
                name: value for name, value in row.measures.items() if name.startswith(('agreement', 'disagreeing'))
            }
        known = ~reading.loss[n].isnan()
        measures = {'agreement': reading.mean_iou[n].item()}
        measures |= {f'agreement_{name}': reading.iou[n, k].item() for k, name in enumerate(self.folder.classes)}
        measures['disagreeing'] = (marked[n].sum() / known.sum().clamp(min=1)).item()
        return {name: value for name, value in measures.items() if value == value}

    def _describe(self, tiles: RealTiles) -> tuple[Tensor, Tensor]:
        images = image_descriptors(tiles.images.to(self.device))
        return images, label_descriptors(tiles.labels.to(self.device), self.num_classes)

    def _features(self, extractor: nn.Module, tiles: RealTiles) -> list[Tensor]:
        pictures = label_pictures(tiles.labels, self.folder.palette)
        return [
            torch.cat([extractor(part) for part in maps.split(self.batch_size)]).cpu()
            for maps in (tiles.images, pictures)
        ]

    def _add_measures(self, measures: Sequence[dict[str, float]]) -> None:
        self.result.rows = [
            row._replace(measures={**row.measures, **new}) for row, new in zip(self.result.rows, measures, strict=True)
        ]

    def _batches(self, what: str, rows: list[PairRow] | None = None) -> Iterator[tuple[list[PairRow], Tensor, Tensor]]:
        """Rows with their images and label maps, (B, H, W) uint8."""
        rows = self.result.rows if rows is None else rows
        starts = range(0, len(rows), self.batch_size)
        for start in self.progress(starts, desc=what, unit='batch'):
            part = rows[start : start + self.batch_size]
            yield part, *self._read(part)

    def _read(self, rows: list[PairRow]) -> tuple[Tensor, Tensor]:
        columns = zip(*(self.folder.read(row.index) for row in rows), strict=True)
        images, labels = (torch.as_tensor(np.stack(column)) for column in columns)
        return images, labels


def cut_windows(maps: Tensor, side: int) -> Tensor:
    """Cuts images into square windows that cover them.

    Args:
        maps: (N, H, W).
        side: Of the windows, at most H and W.

    Returns:
        (N * windows, side, side), the windows of an image together.
    """
    places = tile_positions(*maps.shape[1:], side, 'cover')
    windows = [maps[:, y : y + side, x : x + side] for y, x in places]
    return torch.stack(windows, 1).flatten(0, 1)


def worst_windows(found: NearestTiles, owners: Sequence[int]) -> NearestTiles:
    """The window of the lowest ratio of each pair.

    Args:
        found: Of W windows.
        owners: W indices of pairs, equal ones together.

    Returns:
        Of N pairs.
    """
    best: dict[int, int] = {}
    for n, (owner, ratio) in enumerate(zip(owners, found.ratio.tolist(), strict=True)):
        if owner not in best or ratio < found.ratio[best[owner]]:
            best[owner] = n
    chosen = torch.tensor(list(best.values()))
    return NearestTiles(*(values[chosen] for values in found))
