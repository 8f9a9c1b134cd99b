"""Networks of Pix2PixHD: the global generator and multi-scale patch discriminators (Wang et al. 2018, Section 3.2)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import initialise_weights


def normalised(convolution: nn.Module, activation: nn.Module) -> list[nn.Module]:
    """A convolution with instance norm and activation after it."""
    return [convolution, nn.InstanceNorm2d(convolution.out_channels), activation]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity; (N, channels, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(channels, channels, 3, padding=1, padding_mode='reflect') for _ in range(2)]
        self.body = nn.Sequential(*normalised(convolutions[0], nn.ReLU()), *normalised(convolutions[1], nn.Identity()))

    def forward(self, x: Tensor) -> Tensor:
        """Adds the body's output to its input."""
        return x + self.body(x)


class GlobalGenerator(nn.Sequential):
    """G1 of the paper: a 7x7 convolution, downsamplings, residual blocks, upsamplings, a 7x7 convolution, tanh.

    Takes (N, in_channels, H, W) float, H and W multiples of :attr:`divisor` and at least twice that, and gives
    (N, out_channels, H, W) float in [-1, 1].

    Args:
        in_channels: Classes of the label map.
        out_channels: 1 for grey images.
        base_channels: Width at full resolution; doubles with each downsampling.
        num_downsamplings: Halvings before the residual blocks.
        num_blocks: Residual blocks.

    Attributes:
        divisor: 2 to the number of downsamplings.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 1,
        base_channels: int = 64,
        num_downsamplings: int = 4,
        num_blocks: int = 9,
    ) -> None:
        widths = [base_channels * 2**stage for stage in range(num_downsamplings + 1)]
        layers = normalised(nn.Conv2d(in_channels, base_channels, 7, padding=3, padding_mode='reflect'), nn.ReLU())
        for width in widths[:-1]:
            layers += normalised(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU())
        layers += [ResidualBlock(widths[-1]) for _ in range(num_blocks)]
        for width in widths[:0:-1]:
            up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
            layers += normalised(up, nn.ReLU())
        last = nn.Conv2d(base_channels, out_channels, 7, padding=3, padding_mode='reflect')
        super().__init__(*layers, last, nn.Tanh())
        self.divisor = 2**num_downsamplings
        initialise_weights(self)


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches, of 70x70 pixels with the default three strided layers (Isola et al. 2017).

    Args:
        in_channels: Channels of the label map and of the image together.
        base_channels: Width of the first layer; doubles up to 8 times that.
        num_layers: Layers of stride 2; one of stride 1 follows, then the verdicts.
    """

    def __init__(self, in_channels: int, base_channels: int = 64, num_layers: int = 3) -> None:
        super().__init__()
        widths = [base_channels * min(2**layer, 8) for layer in range(num_layers + 1)]
        # Padded by half a kernel, so that the verdicts of a small image are not used up by its border.
        first = nn.Conv2d(in_channels, widths[0], 4, stride=2, padding=2)
        stages = [[first, nn.LeakyReLU(0.2)]]
        for layer in range(1, num_layers + 1):
            stride = 2 if layer < num_layers else 1
            convolution = nn.Conv2d(widths[layer - 1], widths[layer], 4, stride=stride, padding=2)
            stages.append(normalised(convolution, nn.LeakyReLU(0.2)))
        stages.append([nn.Conv2d(widths[-1], 1, 4, padding=2)])
        self.stages = nn.ModuleList(nn.Sequential(*stage) for stage in stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of every stage, the last of them (N, 1, h, w), the verdicts on the patches."""
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators of equal architecture on the image at full, half, quarter, ... resolution.

    Args:
        in_channels: Channels of the label map and of the image together.
        num_scales: Discriminators.
        base_channels: Of :class:`PatchDiscriminator`.
        num_layers: Of :class:`PatchDiscriminator`.
    """

    def __init__(self, in_channels: int, num_scales: int = 3, base_channels: int = 64, num_layers: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchDiscriminator(in_channels, base_channels, num_layers) for _ in range(num_scales)
        )
        initialise_weights(self)

    def forward(self, condition: Tensor, images: Tensor) -> list[list[Tensor]]:
        """Judges images as renderings of label maps.

        Args:
            condition: (N, K, H, W) float, one-hot label maps.
            images: (N, C, H, W) float in [-1, 1].

        Returns:
            For each scale, the features that :class:`PatchDiscriminator` gives.
        """
        x = torch.cat([condition, images], dim=1)
        judged = []
        for place, discriminator in enumerate(self.scales):
            if place:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            judged.append(discriminator(x))
        return judged
