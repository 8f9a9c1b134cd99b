"""PairSuperResolution: pairs at twice their resolution (Section 2.2.3, Table A3)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from ..preprocessor import DecodedPairs
from .base import PairDiffusion
from .unet import PairUNet


class LowResolution(NamedTuple):
    """Condition of the super-resolution model.

    Attributes:
        pairs: (N, 1+M, H, W) float32 in [-1, 1], upsampled to the size of the output.
        noise_level: (N,) float in [0, `max_noise`], deviation of the noise that was added to it.
        target: (N, K) phase fractions that the output shall have, where that is known; the network does not see them,
            `fraction_guidance` does.
    """

    pairs: Tensor
    noise_level: Tensor
    target: Tensor | None = None


@MODELS.register_module()
class PairSuperResolution(PairDiffusion):
    """The 2x super-resolution model G_SR of the paper: the upsampled low-resolution pair beside the noisy one.

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`; its size is that of the output.
        unet: Arguments of :class:`PairUNet` besides channels.
        factor: Of the super-resolution.
        max_noise: Largest deviation of the noise added to the low-resolution pair in training (noise-conditioning
            augmentation); the network is told the deviation. It makes the model forgiving of imperfect generated
            pairs. None is added when drawing. 0, the default, is the paper's.
        **kwargs: Of :class:`PairDiffusion`; `lambda_l1` is 0 here (Table A3: MSE).
    """

    stream = 'super_resolution'
    in_windows = True

    def __init__(
        self,
        data_preprocessor: dict,
        unet: dict | None = None,
        factor: int = 2,
        max_noise: float = 0.0,
        lambda_l1: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(data_preprocessor, lambda_l1=lambda_l1, **kwargs)
        channels = self.data_preprocessor.num_channels
        self.unet = PairUNet(2 * channels, channels, noise_level_input=max_noise > 0, **(unet or {}))
        self.factor = factor
        self.max_noise = max_noise

    def condition(self, inputs: dict) -> LowResolution:
        """The real pair, reduced and brought back up, as a generated one will come."""
        images, labels = self.data_preprocessor.reduce(inputs['images'], inputs['labels'], self.factor)
        return self.from_low_resolution(self.data_preprocessor.encode(images, labels))

    def from_low_resolution(self, pairs: Tensor, target: Tensor | None = None) -> LowResolution:
        """The condition for pairs of the lower resolution.

        Args:
            pairs: (N, 1+M, H / factor, W / factor) float32 in [-1, 1].
            target: (N, K) phase fractions that the output shall have, or None.

        Returns:
            The condition, at the size of the output.
        """
        upsampled = F.interpolate(pairs, scale_factor=self.factor, mode='nearest')
        return LowResolution(upsampled, upsampled.new_zeros(len(pairs)), target)

    @torch.no_grad()
    def enlarge(
        self,
        pairs: Tensor,
        seed: int,
        indices: Sequence[int],
        *,
        size: tuple[int, int],
        target: Tensor | None = None,
        exact: bool = False,
        speck_area: int = 0,
        window_batch: int = 16,
    ) -> DecodedPairs:
        """Draws pairs at the high resolution, as :class:`PairEnlarger` says."""
        # Decoded and encoded again: the model was trained on exact codes.
        labels = self.data_preprocessor.decode(pairs).labels
        crisp = torch.cat([pairs[:, :1], self.data_preprocessor.codec.encode(labels)], 1)
        target = None if target is None else target.to(pairs.device)
        condition = self.from_low_resolution(crisp, None if target is None else target.float())
        field = tuple(side * self.factor for side in pairs.shape[-2:])
        drawn = self.sample(condition, seed, indices, field, window_batch)[..., : size[0], : size[1]]
        return self.data_preprocessor.decode(drawn, target if exact else None, speck_area)

    def augment_condition(self, condition: LowResolution) -> LowResolution:
        """Adds noise of a random deviation to the low-resolution pair, if `max_noise` is not 0."""
        if not self.max_noise:
            return condition
        level = torch.rand_like(condition.noise_level) * self.max_noise
        noise = torch.randn_like(condition.pairs)
        return LowResolution(condition.pairs + level[:, None, None, None] * noise, level)

    def target(self, condition: LowResolution) -> Tensor | None:
        """Those the pair was generated for."""
        return condition.target

    def crop_condition(self, condition: LowResolution, corners: Sequence[tuple[int, int]]) -> LowResolution:
        """The part of the low-resolution field under each window."""
        size = self.data_preprocessor.size
        crops = [condition.pairs[..., y : y + size, x : x + size] for y, x in corners]
        return LowResolution(torch.cat(crops), condition.noise_level.repeat(len(corners)))

    def predict(self, x: Tensor, t: Tensor, condition: LowResolution) -> Tensor:
        """epsilon_theta(x_t, t, low-resolution pair)."""
        # In units of time steps, as the embedding of the network expects.
        level = condition.noise_level * self.training_schedule.config.num_train_timesteps
        return self.unet(torch.cat([x, condition.pairs], 1), t, noise_level=level if self.max_noise else None)
