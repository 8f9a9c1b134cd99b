"""SegGuidedDiff, the two-stage diffusion baseline: masks first, then images that follow them (Table A2)."""

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor

from .base import PairDiffusion
from .unet import PairUNet


@MODELS.register_module()
class MaskDiffusion(PairDiffusion):
    """Stage one: masks from noise, without any condition.

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`; its M sets the network's channels.
        unet: Arguments of :class:`PairUNet` besides channels.
        lambda_l1: 0 here (Table A2: MSE).
        **kwargs: Of :class:`PairDiffusion`.
    """

    stream = 'mask'
    steered = False

    def __init__(self, data_preprocessor: dict, unet: dict | None = None, lambda_l1: float = 0.0, **kwargs) -> None:
        super().__init__(data_preprocessor, lambda_l1=lambda_l1, **kwargs)
        self.unet = PairUNet(self.channels, self.channels, **(unet or {}))

    @property
    def channels(self) -> int:
        """M."""
        return self.data_preprocessor.codec.num_channels

    def clean(self, inputs: dict) -> Tensor:
        """The mask channels, (N, M, H, W)."""
        return inputs['pairs'][:, 1:]

    def as_pairs(self, drawn: Tensor, condition: None) -> Tensor:
        """Beside a black image, for the picture of validation."""
        return torch.cat([torch.full_like(drawn[:, :1], -1), drawn], 1)

    def condition(self, inputs: dict) -> None:
        """There is none."""

    def augment_condition(self, condition: None) -> None:
        """Nothing to augment."""

    def predict(self, x: Tensor, t: Tensor, condition: None) -> Tensor:
        """epsilon_theta(x_t, t)."""
        return self.unet(x, t)

    def crop_condition(self, condition: None, corners: Sequence[tuple[int, int]]) -> None:
        """Nothing to crop."""

    def target(self, condition: None) -> None:
        """Nothing is asked for."""

    @torch.no_grad()
    def draw_labels(self, seed: int, indices: Sequence[int]) -> Tensor:
        """Label maps, sample i from (seed, i).

        Args:
            seed: Seed of the run, >= 0.
            indices: N indices.

        Returns:
            (N, H, W) uint8, class indices.
        """
        return self.data_preprocessor.codec.decode(self.sample(None, seed, indices)).labels


@MODELS.register_module()
class MaskToImageDiffusion(PairDiffusion):
    """Stage two: images from noise, the mask beside the noisy image as extra input channels at every step.

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`; its M sets the network's channels.
        unet: Arguments of :class:`PairUNet` besides channels.
        lambda_l1: 0 here (Table A2: MSE).
        **kwargs: Of :class:`PairDiffusion`.
    """

    stream = 'image'
    steered = False
    channels = 1

    def __init__(self, data_preprocessor: dict, unet: dict | None = None, lambda_l1: float = 0.0, **kwargs) -> None:
        super().__init__(data_preprocessor, lambda_l1=lambda_l1, **kwargs)
        self.unet = PairUNet(1 + self.data_preprocessor.codec.num_channels, 1, **(unet or {}))

    def clean(self, inputs: dict) -> Tensor:
        """The image channel, (N, 1, H, W)."""
        return inputs['pairs'][:, :1]

    def as_pairs(self, drawn: Tensor, condition: Tensor) -> Tensor:
        """Beside the mask it was drawn for."""
        return torch.cat([drawn, condition], 1)

    def condition(self, inputs: dict) -> Tensor:
        """The encoded mask, (N, M, H, W)."""
        return inputs['pairs'][:, 1:]

    def augment_condition(self, condition: Tensor) -> Tensor:
        """Left as it is."""
        return condition

    def predict(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """epsilon_theta(x_t, t, mask)."""
        return self.unet(torch.cat([x, condition], 1), t)

    def crop_condition(self, condition: Tensor, corners: Sequence[tuple[int, int]]) -> Tensor:
        """The part of the mask under each window."""
        size = self.data_preprocessor.size
        return torch.cat([condition[..., y : y + size, x : x + size] for y, x in corners])

    def target(self, condition: Tensor) -> None:
        """The mask is given; there is nothing to guide."""

    @torch.no_grad()
    def draw_images(self, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        """Images for label maps, sample i from (its label map, seed, i).

        Args:
            labels: (N, H, W) uint8, class indices or 255.
            seed: Seed of the run, >= 0.
            indices: N indices.

        Returns:
            (N, H, W) uint8.
        """
        device = next(self.parameters()).device
        masks = self.data_preprocessor.codec.encode(labels.to(device))
        return self.data_preprocessor.decode(self.as_pairs(self.sample(masks, seed, indices), masks)).images
