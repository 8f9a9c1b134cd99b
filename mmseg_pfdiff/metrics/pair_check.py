"""Checks the pairs of a folder: are they new, do image and mask agree, how far are they from real tiles."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..models.validation import batches
from ..pairs.folder import PairFolder
from ..pairs.rows import PairRow, row_values
from ..phases.labels import IGNORE_INDEX
from ..progress import progress
from .agreement import Reading, TrainedSegmentor, agreement_limits, disagreeing_pixels, read_pairs
from .distances import KINDS, set_distances
from .features import image_and_mask_features
from .memorisation import (
    image_descriptors,
    label_descriptors,
    nearest_tiles,
    overlapping_tiles,
    refuse_tiles_of_one_place,
    worst_windows,
)
from .pair_filter import PairCheck, refuse_lost_masks
from .real_tiles import (
    RealTiles,
    cut_windows,
    disguised_tiles,
    held_out_tiles,
    micrograph_shape,
    tile_size_of,
    training_tiles,
)
from .spectra import ImageSpectra, image_spectra


class PairChecker:
    """Compares pairs with the real tiles of a data set. Nothing is written.

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
        FileNotFoundError: The data set lacks tiles or the held-out part, or a pair lacks a file.
        ValueError: No pairs, no labelled tiles, a side that does not fit, or tiles that cannot be reduced to it by a
            whole factor.
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
        folder.refuse_missing_files(rows)
        self.shape = folder.read(rows[0].index)[1].shape
        tile_size = tile_size_of(real_root)
        largest = min(*self.shape, tile_size)
        if side is not None and not 1 <= side <= largest:
            raise ValueError(f'--side must be 1 to {largest}, as pairs and real tiles are no larger; got {side}.')
        self.side = side or largest
        self.enlarge = tile_size // self.side
        self.training = training_tiles(real_root, self.side, self.num_classes)
        self.held_out = held_out_tiles(real_root, part, self.side, self.num_classes)
        for name, tiles in (('train', self.training), (part, self.held_out)):
            if not (tiles.labels != IGNORE_INDEX).any():
                raise ValueError(
                    f'The part "{name}" of {real_root} holds no labelled pixel, so there is nothing to compare with.'
                )
        self.result = PairCheck(rows, self.training.names)
        self._rows_at_first = list(rows)

    def refuse_changed_pairs(self) -> None:
        """Ends what was computed from pairs that another process has changed since. New pairs do not matter.

        Raises:
            ValueError: A row is another one now or gone, or label maps are being changed.
        """
        self.folder.refuse_half_changed()
        now = {row.index: row_values(row) for row in self.folder.rows()}
        changed = [row.index for row in self._rows_at_first if now.get(row.index) != row_values(row)]
        if changed:
            raise ValueError(
                f'{self.folder.root}: {len(changed)} pairs were changed while they were looked at, first index '
                f'{changed[0]}. Run again.'
            )

    def check_copies(self) -> None:
        """Nearest training tiles of pairs, held-out tiles and disguised training tiles.

        Raises:
            ValueError: No tiles apart from each other, so that nothing can be said.
        """
        overlapping = overlapping_tiles(self.training.names, self.side * self.enlarge)
        refuse_tiles_of_one_place(overlapping)  # before the long work
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
                kind: nearest_tiles(query, tiles, overlapping, standardise=kind == 'image')
                for kind, query, tiles in zip(KINDS, queries, known, strict=True)
            }
        for kind in KINDS:
            worst = worst_windows(self.result.nearest['pairs'][kind], owners)
            self.result.nearest['pairs'][kind] = worst
            self._add_measures([
                {f'nearest_{kind}': near.item(), f'copy_ratio_{kind}': ratio.item()}
                for near, ratio in zip(worst.nearest, worst.ratio, strict=True)
            ])  # fmt: skip

    def check_agreement(self, segmentor: TrainedSegmentor) -> None:
        """Lets a segmentor read pairs and held-out tiles, at the size at which it is shown structures in its tests.

        Masks are taken as they were drawn: those of which pixels were ignored since agree better for it.

        Args:
            segmentor: Trained on the data set, on the device of this checker.

        Raises:
            ValueError: No tile that a limit can be learned from, or masks as they were drawn are lost.
        """
        refuse_lost_masks(self.folder, self.result.rows)
        scale = self.enlarge * segmentor.scale(micrograph_shape(self.root, self.part))

        def let_read(images: Tensor, labels: Tensor) -> Reading:
            return read_pairs(segmentor.model, images.to(self.device), labels, scale)

        held = [maps.split(self.batch_size) for maps in (self.held_out.images, self.held_out.labels)]
        batches = self.progress(zip(*held, strict=True), desc='held-out tiles', unit='batch', total=len(held[0]))
        readings = [let_read(*batch) for batch in batches]
        limits = agreement_limits(readings, held[1], self.num_classes)
        marks = [disagreeing_pixels(*batch, limits) for batch in zip(readings, held[1], strict=True)]
        result = self.result
        result.limits = limits
        result.agreement[self.part] = torch.cat([reading.iou for reading in readings])
        known = (self.held_out.labels != IGNORE_INDEX).sum().item()
        result.disagreeing[self.part] = torch.cat(marks).sum().item() / known
        iou, measures, result.marks = [], [], []
        for rows, images, labels in self._batches('agreement'):
            reading = let_read(images, labels)
            marked = disagreeing_pixels(reading, labels, limits)
            result.marks += [np.packbits(pixels.numpy()) for pixels in marked]
            for n in range(len(rows)):
                measures.append(self._agreement_measures(reading, marked, n))
                iou.append([measures[-1].get(f'agreement_{name}', torch.nan) for name in self.folder.classes])
        result.agreement['pairs'] = torch.tensor(iou, dtype=torch.float64)
        result.disagreeing['pairs'] = float(np.mean([values['disagreeing'] for values in measures]))
        self._add_measures(measures)

    def check_distances(self, extractor: nn.Module, seed: int = 0) -> None:
        """KID and Frechet distance of the kept pairs, as they were drawn, and of held-out tiles from training tiles.

        A set of a single tile or pair has none.

        Args:
            extractor: Image features, on the device of this checker.
            seed: Of KID's subsets, and of the choice of as many pairs as there are held-out tiles.
        """
        features = self.features(extractor, seed, drawn=True)
        distances = set_distances(features, 'train', extractor.name, seed)
        for who, by_kind in self.progress(distances, desc='distances', unit='set', total=len(features) - 1):
            self.result.distances[who, 'train'] = by_kind

    def features(self, extractor: nn.Module, seed: int = 0, *, drawn: bool = False) -> dict[str, list[Tensor]]:
        """Features of the training tiles, of the held-out tiles, and of the kept pairs.

        Args:
            extractor: (N, H, W) or (N, 3, H, W) uint8 to (N, D), on the device of this checker.
            seed: Of the choice of as many pairs as there are held-out tiles.
            drawn: Whether masks are taken as they were drawn, before any pixels of them were ignored.

        Returns:
            Set -> (N, D) features of its images, and of its masks, on the CPU. Sets: 'train', the held-out part,
            'pairs' and, where there are more of them than held-out tiles, 'N of the pairs'.
        """
        real = {'train': self.training, self.part: self.held_out}
        shown = self.progress(real.items(), desc='features of real tiles', unit='set')
        features = {name: self._features(extractor, tiles) for name, tiles in shown}
        batches = [
            self._features(extractor, RealTiles([], *(cut_windows(maps, self.side) for maps in (images, labels))))
            for _, images, labels in self._batches('features', drawn, [row for row in self.result.rows if row.kept])
        ]
        if batches:
            pairs = features['pairs'] = [torch.cat(parts) for parts in zip(*batches, strict=True)]
            number = len(features[self.part][0])
            if number < len(pairs[0]):
                chosen = torch.randperm(len(pairs[0]), generator=torch.Generator().manual_seed(seed))[:number]
                features[f'{number} of the pairs'] = [part[chosen] for part in pairs]
        return features

    def spectra(self) -> dict[str, ImageSpectra]:
        """Power spectra of the images of the training tiles ('train'), the held-out part, and the kept pairs ('pairs').

        At least one pair is kept. Pairs larger than a tile are cut into windows that cover them.
        """
        spectra = {
            name: image_spectra(tiles.images, tiles.owners)
            for name, tiles in (('train', self.training), (self.part, self.held_out))
        }
        batches, owners = [], []
        for rows, images, _ in self._batches('spectra', False, [row for row in self.result.rows if row.kept]):
            windows = cut_windows(images, self.side)
            named = [str(row.index) for row in rows for _ in range(len(windows) // len(rows))]
            batches.append(image_spectra(windows, named).powers)
            owners += named
        spectra['pairs'] = ImageSpectra(np.concatenate(batches), owners)
        return spectra

    def _agreement_measures(self, reading: Reading, marked: Tensor, n: int) -> dict[str, float]:
        """Measures of one pair."""
        known = ~reading.loss[n].isnan()
        measures = {'agreement': reading.mean_iou[n].item()}
        measures |= {f'agreement_{name}': reading.iou[n, k].item() for k, name in enumerate(self.folder.classes)}
        measures['disagreeing'] = (marked[n].sum() / known.sum().clamp(min=1)).item()
        return {name: value for name, value in measures.items() if value == value}

    def _describe(self, tiles: RealTiles) -> tuple[Tensor, Tensor]:
        images = image_descriptors(tiles.images.to(self.device))
        return images, label_descriptors(tiles.labels.to(self.device), self.num_classes)

    def _features(self, extractor: nn.Module, tiles: RealTiles) -> list[Tensor]:
        return image_and_mask_features(extractor, tiles.images, tiles.labels, self.folder.palette, self.batch_size)

    def _add_measures(self, measures: Sequence[dict[str, float]]) -> None:
        self.result.rows = [
            row._replace(measures={**row.measures, **new}) for row, new in zip(self.result.rows, measures, strict=True)
        ]

    def _batches(
        self, what: str, drawn: bool = True, rows: list[PairRow] | None = None
    ) -> Iterator[tuple[list[PairRow], Tensor, Tensor]]:
        """Rows with their images and label maps, (B, H, W) uint8."""
        rows = self.result.rows if rows is None else rows
        for part in self.progress(list(batches(rows, self.batch_size)), desc=what, unit='batch'):
            yield part, *self._read(part, drawn=drawn)

    def _read(self, rows: list[PairRow], *, drawn: bool) -> tuple[Tensor, Tensor]:
        images, labels = [], []
        for row in rows:
            image, label = self.folder.read(row.index, drawn=drawn)
            if label.shape != self.shape:
                raise ValueError(
                    f'{self.folder.label_path(row.index)} is {label.shape}, other pairs of the folder are '
                    f'{self.shape}: they must be of one size.'
                )
            images.append(image)
            labels.append(label)
        return torch.as_tensor(np.stack(images)), torch.as_tensor(np.stack(labels))
