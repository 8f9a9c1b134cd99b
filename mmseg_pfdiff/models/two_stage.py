"""The two-stage baselines: a model that draws masks, and one that draws an image for each."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .enlarger import PairEnlarger, check_fit
from .preprocessor import DecodedPairs


@runtime_checkable
class MaskModel(Protocol):
    """Draws label maps: `MaskDiffusion`, `DCGAN`."""

    def draw_labels(self, seed: int, indices: Sequence[int]) -> Tensor:
        """(N, H, W) uint8, sample i from (seed, i)."""


@runtime_checkable
class ImageModel(Protocol):
    """Draws images for label maps: `MaskToImageDiffusion`, `Pix2PixHD`."""

    def draw_images(self, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        """(N, H, W) uint8, sample i from (its label map, seed, i)."""


class TwoStageCascade:
    """Stands where a :class:`PairCascade` does; what it draws cannot be steered.

    Args:
        mask_model: Stage one.
        image_model: Stage two.
        super_resolution: Enlarges the pairs of both, or None.
        device: Where to run.

    Raises:
        ValueError: The models are of different sizes or numbers of classes.
    """

    exact = False

    def __init__(
        self,
        mask_model: MaskModel,
        image_model: ImageModel,
        super_resolution: PairEnlarger | None = None,
        *,
        device: str = 'cpu',
    ) -> None:
        sizes = [model.data_preprocessor.size for model in (mask_model, image_model)]
        if sizes[0] != sizes[1]:
            raise ValueError(
                f'The mask model draws {sizes[0]}x{sizes[0]}, the image model {sizes[1]}x{sizes[1]}. Give models that '
                'were trained with one model.data_preprocessor.size.'
            )
        classes = [model.data_preprocessor.codec.num_classes for model in (mask_model, image_model)]
        if classes[0] != classes[1]:
            raise ValueError(
                f'The mask model draws {classes[0]} classes, the image model knows {classes[1]}. Give models that were '
                'trained on one data set.'
            )
        if super_resolution is not None:
            check_fit(mask_model, super_resolution)
            super_resolution = super_resolution.to(device).eval()
        self.mask_model, self.image_model = mask_model.to(device).eval(), image_model.to(device).eval()
        self.super_resolution = super_resolution
        self.tile_size = (super_resolution or mask_model).data_preprocessor.size

    def draw(
        self,
        target: Tensor | None,
        seed: int,
        indices: Sequence[int],
        *,
        size: tuple[int, int] | None = None,
        window_batch: int = 16,
    ) -> DecodedPairs:
        """Draws one pair for each index, as :meth:`PairCascade.draw` does.

        Args:
            target: Not looked at: nothing steers these models.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.
            size: Must be that of the models, or None.
            window_batch: Not used.

        Returns:
            Images and labels, on the CPU; margins are zero, `plain` is `labels`.

        Raises:
            ValueError: Another size.
        """
        self.check_size(size or (self.tile_size, self.tile_size))
        labels = self.mask_model.draw_labels(seed, indices)
        images = self.image_model.draw_images(labels, seed, indices)
        if self.super_resolution is not None:
            pairs = self.mask_model.data_preprocessor.encode(images, labels)
            side = self.tile_size
            images, labels, *_ = self.super_resolution.enlarge(pairs, seed, indices, size=(side, side))
        return DecodedPairs(images.cpu(), labels.cpu(), torch.zeros(labels.shape), labels.cpu())

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuses other sizes than that of the models.

        Args:
            size: Height and width.

        Raises:
            ValueError: It is another one.
        """
        if tuple(size) != (self.tile_size, self.tile_size):
            raise ValueError(
                f'These models draw {self.tile_size}x{self.tile_size} only, got {size[0]}x{size[1]}. Leave --size out.'
            )

    def seam_score(self, image: Tensor) -> float:
        """1: there are no windows."""
        return 1.0
