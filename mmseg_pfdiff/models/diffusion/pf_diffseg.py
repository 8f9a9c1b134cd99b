"""PFDiffSeg: image and mask drawn together, steered by phase fractions (Section 2.2.1, Table A2)."""

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ...phases.fractions import perturb_fractions
from .base import PairDiffusion
from .unet import PairUNet


@MODELS.register_module()
class PFDiffSeg(PairDiffusion):
    """The generator G of the paper.

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`; its K and M set the network's channels.
        unet: Arguments of :class:`PairUNet` besides channels and fractions.
        cond_drop_prob: Probability of training without c (a zero vector stands in), which classifier-free guidance
            needs.
        cond_jitter: sigma of an Eq. 7 jitter on c in training. A fraction vector is nearly unique to its tile, and
            unique conditions invite memorising the tile; 0 switches it off.
        guidance_scale: w of classifier-free guidance, eps_0 + w (eps_c - eps_0); 1 is none, and costs one network
            evaluation a step where others cost two.
        **kwargs: Of :class:`PairDiffusion`.
    """

    stream = 'generator'

    def __init__(
        self,
        data_preprocessor: dict,
        unet: dict | None = None,
        cond_drop_prob: float = 0.1,
        cond_jitter: float = 0.02,
        guidance_scale: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(data_preprocessor, **kwargs)
        channels = self.data_preprocessor.num_channels
        self.unet = PairUNet(channels, channels, self.data_preprocessor.codec.num_classes, **(unet or {}))
        self.cond_drop_prob = cond_drop_prob
        self.cond_jitter = cond_jitter
        self.guidance_scale = guidance_scale

    def condition(self, inputs: dict) -> Tensor:
        """c, (N, K) float32."""
        return inputs['fractions']

    def augment_condition(self, condition: Tensor) -> Tensor:
        """Jitters c, and drops it for some samples."""
        if self.cond_jitter:
            condition = perturb_fractions(condition, sigma=self.cond_jitter)
        dropped = torch.rand(len(condition), 1, device=condition.device) < self.cond_drop_prob
        return torch.where(dropped, 0.0, condition)

    def predict(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """epsilon_theta(x_t, t, c), guided when drawing if `guidance_scale` asks for it."""
        if self.training or self.guidance_scale == 1:
            return self.unet(x, t, condition)
        both = self.unet(x.repeat(2, 1, 1, 1), t, torch.cat([torch.zeros_like(condition), condition]))
        without, with_c = both.chunk(2)
        return without + self.guidance_scale * (with_c - without)

    def crop_condition(self, condition: Tensor, corners: Sequence[tuple[int, int]]) -> Tensor:
        """Every window is asked for the fractions of the field."""
        return condition.repeat(len(corners), 1)

    def target(self, condition: Tensor) -> Tensor:
        """The condition is the fractions."""
        return condition
