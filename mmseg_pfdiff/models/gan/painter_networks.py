"""Networks of the painter: one that draws an image in one pass, and a judge that tells classes and drawn pixels."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


def convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode='reflect')


class PlainResidualBlock(nn.Module):
    """Two convolutions beside the identity, without norms, as super-resolution does best (Lim et al. 2017)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(convolution(channels, channels), nn.LeakyReLU(0.2), convolution(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Adds a part of the body's output, which keeps deep stacks of blocks stable."""
        return x + 0.2 * self.body(x)


class PainterNetwork(nn.Module):
    """From an image of low resolution, mask channels of high resolution and noise to an image of high resolution.

    Most layers work at the low resolution, where they are cheap and see far.

    Args:
        mask_channels: M.
        factor: Of the enlargement, a power of two.
        channels: Width at the low resolution.
        num_blocks: Residual blocks there.
        top_channels: Width at the high resolution.
        noise_channels: Z.
        look_numbers: T, numbers that say how each phase shall look; 0 without looks.
        look_codes: L, what the network makes of them: a bottleneck, so that looks of other tiles are not strange to it.

    Raises:
        ValueError: A factor that is no power of two.
    """

    def __init__(
        self,
        mask_channels: int,
        factor: int,
        channels: int = 48,
        num_blocks: int = 5,
        top_channels: int = 24,
        noise_channels: int = 8,
        look_numbers: int = 0,
        look_codes: int = 6,
    ) -> None:
        super().__init__()
        if factor < 2 or factor & (factor - 1):
            raise ValueError(f'factor must be 2, 4, 8, ..., got {factor}.')
        self.factor, self.channels, self.num_blocks = factor, channels, num_blocks
        self.top_channels, self.noise_channels = top_channels, noise_channels
        self.look_numbers, self.look_codes = look_numbers, look_codes
        self.looks = nn.Linear(look_numbers, look_codes) if look_numbers else None
        looks = look_codes if look_numbers else 0
        self.first = convolution(1 + mask_channels * factor**2 + noise_channels + looks, channels)
        self.blocks = nn.Sequential(*(PlainResidualBlock(channels) for _ in range(num_blocks)))
        widths = [channels] + [top_channels] * int(math.log2(factor))
        self.stages = nn.ModuleList(convolution(wide + mask_channels, narrow) for wide, narrow in pairwise(widths))
        self.last = nn.Sequential(
            convolution(top_channels, top_channels), nn.LeakyReLU(0.2), convolution(top_channels, 1)
        )

    def codes(self, looks: Tensor) -> Tensor:
        """Codes of looks, (..., T) float about in [-3, 3] to (..., L) in [-1, 1]."""
        return self.looks(looks).tanh()

    def forward(self, low: Tensor, masks: Tensor, noise: Tensor) -> Tensor:
        """Draws.

        Args:
            low: (N, 1, h, w) float in [-1, 1], images.
            masks: (N, M, h * factor, w * factor) float in [-1, 1], mask channels.
            noise: (N, Z, h, w) float; with looks (N, Z + L, h, w), their codes behind it.

        Returns:
            (N, 1, h * factor, w * factor) float, about in [-1, 1].
        """
        x = self.first(torch.cat([low, F.pixel_unshuffle(masks, self.factor), noise], 1))
        x = self.blocks(F.leaky_relu(x, 0.2))
        for step, stage in enumerate(self.stages, 1):
            # By straight lines: repeated pixels would show as a pattern of the same period.
            x = F.interpolate(x, scale_factor=2, mode='bilinear')
            reduced = F.avg_pool2d(masks, self.factor // 2**step)
            x = F.leaky_relu(stage(torch.cat([x, reduced], 1)), 0.2)
        enlarged = F.interpolate(low, scale_factor=self.factor, mode='bilinear')
        return enlarged + self.last(x)


class ClassDiscriminator(nn.Module):
    """A U-Net that says of each pixel which phase it shows, or that it is drawn (Schonfeld et al. 2021, Section 3.1).

    Args:
        num_classes: K; one more class is 'drawn'.
        channels: Widths at full, half, quarter, ... resolution.

    Attributes:
        divisor: Height and width of an image must be multiples of this.
    """

    def __init__(self, num_classes: int, channels: tuple[int, ...] = (24, 48, 96)) -> None:
        super().__init__()
        before = (1, *channels[:-1])
        self.down = nn.ModuleList(self._stage(a, b) for a, b in zip(before, channels, strict=True))
        pairs = list(pairwise(channels))[::-1]
        self.up = nn.ModuleList(self._stage(narrow + wide, narrow) for narrow, wide in pairs)
        self.last = nn.Conv2d(channels[0], num_classes + 1, 1)
        self.divisor = 2 ** (len(channels) - 1)

    @staticmethod
    def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
        return nn.Sequential(
            spectral_norm(nn.Conv2d(in_channels, out_channels, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
            nn.LeakyReLU(0.2),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judges images.

        Args:
            images: (N, 1, H, W) float in [-1, 1]; H and W multiples of :attr:`divisor`.

        Returns:
            (N, K+1, H, W) logits, the last class being 'drawn', and the features of every stage.
        """
        x, features = images, []
        for place, stage in enumerate(self.down):
            x = stage(F.avg_pool2d(x, 2) if place else x)
            features.append(x)
        for stage, skip in zip(self.up, features[-2::-1], strict=True):
            x = stage(torch.cat([F.interpolate(x, scale_factor=2), skip], 1))
            features.append(x)
        return self.last(x), features
