"""PairUNet: the denoising U-Net of Tables A2 and A3, built on diffusers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from torch import Tensor, nn
from torch.nn import functional as F

# Attention heads of the deepest stage, and channels of a head where diffusers asks for those instead.
NUM_HEADS = 8

_WITHOUT_MEMORY = ContextVar('without_memory', default=False)


@contextmanager
def unets_without_memory() -> Iterator[None]:
    """Networks built inside have shapes, but no weights until some are assigned: settings of a file may be absurd."""
    token = _WITHOUT_MEMORY.set(True)
    try:
        yield
    finally:
        _WITHOUT_MEMORY.reset(token)


class PairUNet(nn.Module):
    """A U-Net whose deepest stage attends, optionally steered by phase fractions.

    With `num_fractions`, c passes a linear layer to the width of the time embedding and is added to it, so that it
    reaches every ResNet block, and enters as the one token of the cross-attention at the deepest stage
    (Section 2.2.1). Without, the deepest stage attends to itself only (Table A3).

    With `patch_size` p the network works on p times smaller maps of p^2 times more channels (pixel-unshuffle before,
    pixel-shuffle after it).

    Args:
        in_channels: Channels of the noisy input and of what is concatenated to it.
        out_channels: Channels of the prediction.
        num_fractions: K, or 0 for a network without phase fractions.
        block_out_channels: Width of each stage; each next one works at half the resolution.
        layers_per_block: ResNet blocks of a stage on the way down (one more on the way up).
        patch_size: p >= 1.
        noise_level_input: Also takes the noise level of a conditioning image (networks without fractions only).
        norm_num_groups: Groups of the group norms; divides every width.

    Attributes:
        net: The diffusers model; `net.config` rebuilds it.
        half_precision: Evaluate the network in half precision; False at first, for sampling on a GPU.
        divisor: Height and width of an input must be multiples of this.

    Raises:
        ValueError: `noise_level_input` together with fractions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_fractions: int = 0,
        block_out_channels: Sequence[int] = (128, 128, 256, 256, 512, 512),
        layers_per_block: int = 2,
        patch_size: int = 1,
        *,
        noise_level_input: bool = False,
        norm_num_groups: int = 32,
    ) -> None:
        super().__init__()
        if noise_level_input and num_fractions:
            raise ValueError(
                f'noise_level_input needs a network without phase fractions, got num_fractions={num_fractions}: '
                'set num_fractions=0, or noise_level_input=False.'
            )
        stages = len(block_out_channels)
        self.patch_size = patch_size
        self.half_precision = False
        self.divisor = patch_size * 2 ** (stages - 1)
        common = dict(
            in_channels=in_channels * patch_size**2,
            out_channels=out_channels * patch_size**2,
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            norm_num_groups=norm_num_groups,
        )
        with torch.device('meta') if _WITHOUT_MEMORY.get() else nullcontext():
            self.net = self._network(num_fractions, stages - 1, noise_level_input, common)

    @staticmethod
    def _network(num_fractions: int, plain: int, noise_level_input: bool, common: dict) -> nn.Module:
        """The network of diffusers, with `plain` stages that do not attend."""
        width = common['block_out_channels'][-1]
        if num_fractions:
            return UNet2DConditionModel(
                down_block_types=('DownBlock2D',) * plain + ('CrossAttnDownBlock2D',),
                up_block_types=('CrossAttnUpBlock2D',) + ('UpBlock2D',) * plain,
                class_embed_type='simple_projection',
                projection_class_embeddings_input_dim=num_fractions,
                encoder_hid_dim=num_fractions,
                encoder_hid_dim_type='text_proj',
                cross_attention_dim=width,
                # In UNet2DConditionModel this argument is, by a known misnomer, the number of heads.
                attention_head_dim=NUM_HEADS,
                **common,
            )
        return UNet2DModel(
            down_block_types=('DownBlock2D',) * plain + ('AttnDownBlock2D',),
            up_block_types=('AttnUpBlock2D',) + ('UpBlock2D',) * plain,
            class_embed_type='timestep' if noise_level_input else None,
            attention_head_dim=width // NUM_HEADS,
            **common,
        )

    def check_sides(self, *sides: int) -> None:
        """Refuses heights and widths that the stages cannot halve.

        Args:
            *sides: Of inputs.

        Raises:
            ValueError: A side is no multiple of :attr:`divisor`.
        """
        if any(side % self.divisor for side in sides):
            raise ValueError(
                f'This U-Net needs heights and widths that are multiples of {self.divisor}, got {sides}. Set other '
                'sizes (model.data_preprocessor.size, --size), or fewer stages (model.unet.block_out_channels).'
            )

    def forward(
        self, x: Tensor, t: Tensor | int, fractions: Tensor | None = None, noise_level: Tensor | None = None
    ) -> Tensor:
        """Predicts the noise, epsilon_theta of Eq. 3.

        Args:
            x: (N, in_channels, H, W) float.
            t: Time step of the batch, or (N,) int64 time steps.
            fractions: c, (N, K) float; a zero vector stands for no condition. Only with `num_fractions`.
            noise_level: (N,) float, in time steps. Only with `noise_level_input`.

        Returns:
            (N, out_channels, H, W).

        Raises:
            ValueError: H or W is not a multiple of :attr:`divisor`.
        """
        self.check_sides(*x.shape[-2:])
        if self.patch_size > 1:
            x = F.pixel_unshuffle(x, self.patch_size)
        # Half precision stays inside the network: sums over a whole mask would overflow.
        with torch.autocast(x.device.type, torch.float16) if self.half_precision else nullcontext():
            if fractions is not None:
                fractions = fractions.to(x.dtype)
                out = self.net(x, t, encoder_hidden_states=fractions[:, None], class_labels=fractions).sample
            else:
                out = self.net(x, t, class_labels=noise_level).sample
        out = out.float() if self.half_precision else out
        return F.pixel_shuffle(out, self.patch_size) if self.patch_size > 1 else out
