"""DCGAN, the first stage of the GAN baseline: masks from noise (Radford et al. 2016; Shen et al. 2024)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from ...phases.seeding import sample_generator
from ..validation import VALIDATION_SEED
from .base import AdversarialModel, initialise_weights

# Side of the smallest map, where the latent vector enters the generator and the discriminator decides.
SMALLEST = 4
# Widest map, as in Radford et al. 2016, Fig. 1.
MAX_CHANNELS = 1024


def stage_widths(size: int, base_channels: int) -> list[int]:
    """Channels of the maps of a DCGAN, from the one of half the size down to the one of 4x4.

    Args:
        size: Side of a mask, a power of two, at least 16.
        base_channels: Channels at half the size; they double with each halving, up to 1024.

    Returns:
        log2(size) - 2 widths.

    Raises:
        ValueError: Another size.
    """
    if size < 4 * SMALLEST or size & (size - 1):
        raise ValueError(f'A DCGAN draws masks whose side is a power of two, at least 16; got {size}.')
    stages = size.bit_length() - SMALLEST.bit_length()
    return [min(base_channels * 2**stage, MAX_CHANNELS) for stage in range(stages)]


class MaskGenerator(nn.Sequential):
    """Transposed convolutions, each doubling the side; batch norm and ReLU after all but the last, tanh at the end.

    Takes (N, latent_dim) float and gives (N, channels, size, size) float in [-1, 1].

    Args:
        channels: M, channels of a mask.
        size: Side of a mask.
        latent_dim: Length of the latent vector.
        base_channels: Of :func:`stage_widths`.
    """

    def __init__(self, channels: int, size: int, latent_dim: int, base_channels: int) -> None:
        widths = stage_widths(size, base_channels)[::-1]
        layers: list[nn.Module] = [
            nn.Unflatten(1, (latent_dim, 1, 1)),
            nn.ConvTranspose2d(latent_dim, widths[0], SMALLEST, bias=False),
        ]
        for wide, narrow in pairwise(widths):
            # Without a bias, where the batch norm that follows has one.
            up = nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=False)
            layers += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True), up]
        last = nn.ConvTranspose2d(widths[-1], channels, 4, stride=2, padding=1)
        super().__init__(*layers, nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True), last, nn.Tanh())
        initialise_weights(self)


class MaskDiscriminator(nn.Sequential):
    """Strided convolutions with leaky ReLU of slope 0.2; batch norm after all but the first and the last.

    Takes (N, channels, size, size) float and gives (N,) logits, positive for real.

    Args:
        channels: M.
        size: Side of a mask.
        base_channels: Of :func:`stage_widths`.
    """

    def __init__(self, channels: int, size: int, base_channels: int) -> None:
        widths = stage_widths(size, base_channels)
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for narrow, wide in pairwise(widths):
            down = nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=False)
            layers += [down, nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, SMALLEST), nn.Flatten(0))
        initialise_weights(self)


@MODELS.register_module()
class DCGAN(AdversarialModel):
    """Masks from latent vectors, as the M channels of the mask code; nothing steers them.

    Losses: the discriminator's binary cross-entropy, and the generator's in the form that does not saturate, which
    calls drawn masks real (Goodfellow et al. 2014, Section 3).

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`; its size is a power of two, at least 16.
        latent_dim: Length of a latent vector. It is drawn from N(0, 1); Radford et al. draw it uniformly.
        base_channels: Width at half the size, in both networks; 64 gives 128x128 masks the paper's widest map, 1024
            channels at 4x4.

    Raises:
        ValueError: A size that is no power of two, or below 16.
    """

    def __init__(self, data_preprocessor: dict, latent_dim: int = 100, base_channels: int = 64) -> None:
        super().__init__(data_preprocessor)
        channels, size = self.data_preprocessor.codec.num_channels, self.data_preprocessor.size
        self.latent_dim = latent_dim
        self.generator = MaskGenerator(channels, size, latent_dim, base_channels)
        self.discriminator = MaskDiscriminator(channels, size, base_channels)

    def draw(self, inputs: dict) -> Tensor:
        """As many masks as the batch has, (N, M, size, size) in [-1, 1]."""
        real = inputs['pairs']
        return self.generator(torch.randn(len(real), self.latent_dim, device=real.device))

    def discriminator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of real masks called real, and of drawn ones called drawn."""
        # Two batches: their batch norms must not tell which is which by mixing them.
        real = self.discriminator(inputs['pairs'][:, 1:])
        false = self.discriminator(drawn)
        return dict(
            loss_real=F.binary_cross_entropy_with_logits(real, torch.ones_like(real)),
            loss_drawn=F.binary_cross_entropy_with_logits(false, torch.zeros_like(false)),
        )

    def generator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of drawn masks called real."""
        logits = self.discriminator(drawn)
        return dict(loss_adversarial=F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)))

    def predict(self, inputs: dict, indices: Sequence[int]) -> tuple[None, Tensor]:
        """No images; a mask for each sample."""
        return None, self.draw_labels(VALIDATION_SEED, indices)

    @torch.no_grad()
    def draw_labels(self, seed: int, indices: Sequence[int]) -> Tensor:
        """Draws label maps. In evaluation mode, map i is a function of the weights, the seed and its index.

        Args:
            seed: Seed of the run, >= 0.
            indices: Index of each of the N label maps, >= 0.

        Returns:
            (N, size, size) uint8, class indices 0..K-1, on the model's device.
        """
        latent = torch.stack(
            [torch.randn(self.latent_dim, generator=sample_generator(seed, index, 'generator')) for index in indices]
        )
        return self.data_preprocessor.codec.decode(self.generator(latent.to(self.device))).labels
