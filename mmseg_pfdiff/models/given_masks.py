"""Images for label maps that are given, as they are or remodelled to the fractions asked for."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..phases.fractions import nearest_compositions, phase_fractions
from ..phases.labels import reduce_labels
from ..phases.remodel import known_everywhere, remodel
from ..phases.seeding import sample_generator
from .gan.painter import PairPainter
from .preprocessor import DecodedPairs
from .two_stage import ImageModel

# A remodelled map comes from one of so many whose fractions are most like those asked for: fewer repeat themselves,
# more would move borders far.
NEAREST = 10


class GivenMasks:
    """Label maps to draw images for.

    Args:
        labels: (R, S, S) integer, classes 0..K-1 or 255, as they were read.
        num_classes: K.
        size: Side of the maps that are drawn for, which divides S: larger maps are reduced, each pixel to the
            commonest class of its block.
        remodelled: Turn and bend the maps, and move their borders until they have the fractions asked for.

    Attributes:
        maps: (R, size, size) uint8 in 0..K-1; ignored pixels have the class of the pixel next to them.
        fractions: (R, K) float64, of the maps.

    Raises:
        ValueError: Maps of another size.
    """

    def __init__(self, labels: Tensor, num_classes: int, size: int, *, remodelled: bool = False) -> None:
        side = labels.shape[-1]
        if side % size:
            raise ValueError(
                f'Label maps of {side}x{side} pixels cannot be reduced to the {size}x{size} that the model draws by a '
                f'whole factor. Give maps whose side is a multiple of {size}.'
            )
        known = torch.stack([known_everywhere(label) for label in labels])
        self.maps = reduce_labels(known.long(), side // size, num_classes).to(torch.uint8)
        self.num_classes, self.size, self.remodelled = num_classes, size, remodelled
        self.fractions = phase_fractions(self.maps, num_classes)

    def describe(self) -> dict:
        """The identity of the maps in a pair folder; JSON-like."""
        digest = hashlib.sha256(self.maps.numpy().tobytes()).hexdigest()
        return dict(number=len(self.maps), size=self.size, sha256=digest, remodelled=self.remodelled)

    def draw_labels(self, target: Tensor, seed: int, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Label maps; map i is a function of its fractions, the seed and its index.

        Args:
            target: (N, K) float, the fractions asked for; maps that are not remodelled keep their own.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.

        Returns:
            The maps, and what they were before their borders were moved; (N, size, size) uint8 each.
        """
        if not self.remodelled:
            labels = self.maps[[index % len(self.maps) for index in indices]]
            return labels, labels
        nearest = nearest_compositions(target.double(), self.fractions, NEAREST)
        drawn = []
        for row, wanted, index in zip(nearest, target, indices, strict=True):
            generator = sample_generator(seed, index, 'mask')
            chosen = row[torch.randint(len(row), (), generator=generator)]
            drawn.append(remodel(self.maps[chosen], wanted, generator))
        return tuple(map(torch.stack, zip(*drawn, strict=True)))


class GivenMaskCascade:
    """Stands where a :class:`PairCascade` does, with label maps that are given in place of a generator.

    Args:
        masks: The label maps.
        image_model: Draws an image for each: a :class:`MaskPainter`, or the second stage of a baseline.
        super_resolution: Paints those images at the size of the maps, where the image model draws smaller ones; or
            None.
        device: Where to run; the models are moved there and set to evaluation.

    Raises:
        ValueError: Models that do not fit the maps or each other.
    """

    exact = False

    def __init__(
        self,
        masks: GivenMasks,
        image_model: ImageModel,
        super_resolution: PairPainter | None = None,
        *,
        device: str = 'cpu',
    ) -> None:
        if super_resolution is not None and type(super_resolution) is not PairPainter:
            raise ValueError(
                f'Images for given label maps are enlarged by a PairPainter, got a {type(super_resolution).__name__}, '
                'which does not draw for an image and a label map. Leave it out, or give a PairPainter.'
            )
        factor = super_resolution.factor if super_resolution is not None else 1
        if image_model.data_preprocessor.size * factor != masks.size:
            raise ValueError(
                f'The label maps are {masks.size}x{masks.size}, the models draw images of '
                f'{image_model.data_preprocessor.size * factor} pixels a side. Give models that fit each other.'
            )
        self.masks, self.tile_size = masks, masks.size
        self.image_model: nn.Module = image_model.to(device).eval()
        self.super_resolution = super_resolution.to(device).eval() if super_resolution is not None else None

    def draw(
        self,
        target: Tensor,
        seed: int,
        indices: Sequence[int],
        *,
        size: tuple[int, int] | None = None,
        window_batch: int = 16,
    ) -> DecodedPairs:
        """Draws one pair for each index, as :meth:`PairCascade.draw` does.

        Args:
            target: (N, K) float, the fractions asked for; see :meth:`GivenMasks.draw_labels`.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.
            size: Must be that of the label maps, or None.
            window_batch: Not used.

        Returns:
            Images and labels, on the CPU; margins are zero.

        Raises:
            ValueError: Another size.
        """
        self.check_size(size or (self.tile_size, self.tile_size))
        labels, plain = self.masks.draw_labels(target, seed, indices)
        images = self._images(labels, seed, indices).cpu()
        return DecodedPairs(images, labels, torch.zeros(labels.shape), plain)

    def _images(self, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        if self.super_resolution is None:
            return self.image_model.draw_images(labels, seed, indices)
        reduced = reduce_labels(labels.long(), self.super_resolution.factor, self.masks.num_classes)
        low = self.image_model.draw_images(reduced, seed, indices)[:, None].float() / 127.5 - 1
        return self.super_resolution.paint(low, labels.to(low.device), seed, indices)

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuses other sizes than that of the label maps, with a ValueError."""
        if tuple(size) != (self.tile_size, self.tile_size):
            raise ValueError(
                f'Images are drawn for label maps of {self.tile_size}x{self.tile_size}, got {size[0]}x{size[1]}. '
                'Leave --size out.'
            )

    def seam_score(self, image: Tensor) -> float:
        """1: there are no windows."""
        return 1.0
