"""Pix2PixHD: label maps to micrographs, the second stage of the GAN baseline (Wang et al. 2018; Shen et al. 2024)."""

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from ...phases.labels import one_hot
from .base import AdversarialModel
from .patch_networks import GlobalGenerator, MultiScaleDiscriminator


def lsgan_loss(judged: Sequence[Sequence[Tensor]], target: float) -> Tensor:
    """Squared distance of the verdicts from 1 (real) or 0 (drawn), a mean over patches, summed over scales.

    Args:
        judged: Of :class:`MultiScaleDiscriminator`.
        target: 1 or 0.

    Returns:
        Scalar (Mao et al. 2017, the 0-1 coding).
    """
    return sum((features[-1] - target).square().mean() for features in judged)


def feature_matching_loss(drawn: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """L1 distance between the features of drawn and real images, without the verdicts (Wang et al. 2018, Eq. 4).

    Args:
        drawn: Of :class:`MultiScaleDiscriminator` on drawn images.
        real: On real images of the same label maps.

    Returns:
        Scalar, each layer's mean over elements, summed over layers and scales.
    """
    return sum(
        F.l1_loss(own, other.detach())
        for own_scale, other_scale in zip(drawn, real, strict=True)
        for own, other in zip(own_scale[:-1], other_scale[:-1], strict=True)
    )


@MODELS.register_module()
class Pix2PixHD(AdversarialModel):
    """Grey images from label maps; the same map gives the same image.

    Of the original, the global generator, the multi-scale discriminators, the LSGAN and the feature-matching loss. It
    has no perceptual loss, whose VGG weights would have to be downloaded (the original calls it optional); no instance
    maps, which micrographs do not have; and no local enhancer, whose use begins above 1024 pixels.

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`.
        generator: Arguments of :class:`GlobalGenerator` besides channels.
        discriminator: Arguments of :class:`MultiScaleDiscriminator` besides channels.
        lambda_features: Weight of the feature-matching loss, lambda of Eq. 5.

    Raises:
        ValueError: A size that the generator's downsamplings do not divide, or leave with a single pixel.
    """

    def __init__(
        self,
        data_preprocessor: dict,
        generator: dict | None = None,
        discriminator: dict | None = None,
        lambda_features: float = 10.0,
    ) -> None:
        super().__init__(data_preprocessor)
        classes, size = self.data_preprocessor.codec.num_classes, self.data_preprocessor.size
        self.generator = GlobalGenerator(classes, **(generator or {}))
        self.discriminator = MultiScaleDiscriminator(classes + 1, **(discriminator or {}))
        self.lambda_features = lambda_features
        self.divisor = self.generator.divisor
        self._check_size(size, size)

    def _check_size(self, *sides: int) -> None:
        if any(side % self.divisor or side < 2 * self.divisor for side in sides):
            raise ValueError(
                f'This Pix2PixHD needs heights and widths that are multiples of {self.divisor}, at least '
                f'{2 * self.divisor}; got {sides}. Take another size, or fewer num_downsamplings of the generator.'
            )

    def draw(self, inputs: dict) -> Tensor:
        """An image for each label map of the batch, (N, 1, size, size) in [-1, 1]."""
        return self.generator(self._condition(inputs))

    def _condition(self, inputs: dict) -> Tensor:
        return one_hot(inputs['labels'], self.data_preprocessor.codec.num_classes)

    def discriminator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """Half the LSGAN losses of real images called real, and of drawn ones called drawn."""
        condition = self._condition(inputs)
        return dict(
            loss_real=lsgan_loss(self.discriminator(condition, inputs['pairs'][:, :1]), 1.0) / 2,
            loss_drawn=lsgan_loss(self.discriminator(condition, drawn), 0.0) / 2,
        )

    def generator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """LSGAN loss of drawn images called real, and lambda times the distance of their features from real ones."""
        condition = self._condition(inputs)
        judged = self.discriminator(condition, drawn)
        with torch.no_grad():
            real = self.discriminator(condition, inputs['pairs'][:, :1])
        return dict(
            loss_adversarial=lsgan_loss(judged, 1.0),
            loss_features=self.lambda_features * feature_matching_loss(judged, real),
        )

    def predict(self, inputs: dict, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The images of the real label maps, and these."""
        return self.draw_images(inputs['labels'], 0, indices), inputs['labels']

    @torch.no_grad()
    def draw_images(self, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        """Draws an image for each label map, a function of the weights and the map.

        Args:
            labels: (N, H, W), any integer dtype, values 0..K-1 or 255; multiples of 2 to the number of downsamplings.
            seed: Unused: there is no noise. Here because other models that draw images take it.
            indices: N indices, unused likewise.

        Returns:
            (N, H, W) uint8 grey values, on the model's device.

        Raises:
            ValueError: Labels of another shape or size, or values that are neither a class nor 255.
        """
        if labels.ndim != 3 or len(labels) != len(indices):
            raise ValueError(
                f'labels must be ({len(indices)}, H, W), one map for each index, got {tuple(labels.shape)}.'
            )
        self._check_size(*labels.shape[1:])
        condition = one_hot(labels.to(self.device), self.data_preprocessor.codec.num_classes)
        return self.data_preprocessor.decode_images(self.generator(condition)[:, 0])
