"""PhaseCodec: label maps to mask channels a diffusion model can draw, and back."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .borders import move_borders
from .components import remove_specks
from .labels import IGNORE_INDEX, class_indices

# Channels count in steps of this part of 1 where a quota decides between pixels.
QUOTA_LEVELS = 256
# What a pixel of distance costs there, as a part of the difference that decided pixels make: one that is less decided
# may lie a few pixels off its phase before it is left alone.
DISTANCE_COST = 0.25


def simplex_codes(num_classes: int) -> Tensor:
    """Vertices of a regular simplex, every two equally far apart, as large as [-1, 1] allows here.

    For K a power of two they are the rows of a Hadamard matrix without its constant column (K = 4: the tetrahedron in
    a cube); else those of a Helmert matrix, scaled to a largest component of 1.

    Args:
        num_classes: K >= 2.

    Returns:
        (K, K-1) float32 in [-1, 1], rows of equal length that sum to zero.
    """
    if num_classes & (num_classes - 1) == 0:
        hadamard = torch.ones(1, 1)
        for _ in range(int(math.log2(num_classes))):
            hadamard = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), hadamard)
        return hadamard[:, 1:].contiguous()
    codes = torch.zeros(num_classes, num_classes - 1)
    for column in range(num_classes - 1):
        # Helmert: column j compares class j+1 with the mean of the classes before it.
        n = column + 1
        codes[:n, column] = 1 / math.sqrt(n * (n + 1))
        codes[n, column] = -n / math.sqrt(n * (n + 1))
    return codes / codes.abs().max()


def palette_codes(palette: Sequence[Sequence[int]]) -> Tensor:
    """RGB colours 0..255 scaled to [-1, 1]: the paper's three-channel mask.

    Args:
        palette: K colours of three values 0..255.

    Returns:
        (K, 3) float32 in [-1, 1].

    Raises:
        ValueError: Not K triples in 0..255, or two classes of one colour.
    """
    # On the CPU: where networks are built without memory, tensors have no values to look at.
    colours = torch.as_tensor(palette, dtype=torch.float32, device='cpu')
    if colours.ndim != 2 or colours.shape[1] != 3 or colours.min() < 0 or colours.max() > 255:
        raise ValueError(f'A palette has one (R, G, B) in 0..255 for each class, got {palette}.')
    if len(colours.unique(dim=0)) != len(colours):
        raise ValueError(f'Two classes share a colour and could not be told apart: {palette}.')
    return torch.as_tensor(palette, dtype=torch.float32) / 127.5 - 1


def swap_classes(scores: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Scores under which pixels prefer another class as strongly as they preferred their own.

    Args:
        scores: (N, K, H, W) float.
        before: (N, H, W) integer, classes.
        after: (N, H, W) integer, classes; where it differs from `before`, the scores of the two are exchanged.

    Returns:
        Shaped like `scores`.
    """
    before, after = before[:, None].long(), after[:, None].long()
    own, other = scores.gather(1, before), scores.gather(1, after)
    return scores.scatter(1, before, other).scatter(1, after, own)


class DecodedLabels(NamedTuple):
    """Label maps that mask channels say.

    Attributes:
        labels: (N, H, W) uint8 in 0..K-1.
        margins: (N, H, W) float32 >= 0, the best minus the second best score of each pixel.
        plain: (N, H, W) uint8, the nearest codes; differs from `labels` where the clean-up or a quota moved pixels.
    """

    labels: Tensor
    margins: Tensor
    plain: Tensor


class PhaseCodec(nn.Module):
    """Maps K classes to M channels and back. A module for the sake of its codes, which lie where the model does.

    Args:
        num_classes: K >= 2.
        code: 'simplex' (M = K-1, classes equally far apart) or 'palette' (M = 3, the paper's reading).
        palette: K RGB colours, needed by 'palette' alone.
        ignore_index: Label that encodes to the zero vector.

    Attributes:
        codes: (K, M) float32 in [-1, 1]; no part of a checkpoint.
        num_channels: M.

    Raises:
        ValueError: Unknown code, fewer than two classes, or a palette that does not fit them.
    """

    def __init__(
        self,
        num_classes: int,
        code: str = 'simplex',
        palette: Sequence[Sequence[int]] | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        if not 2 <= num_classes <= ignore_index:
            raise ValueError(f'num_classes must be 2..{ignore_index}, got {num_classes}.')
        if code == 'simplex':
            codes = simplex_codes(num_classes)
        elif code == 'palette':
            if palette is None or len(palette) != num_classes:
                raise ValueError(f"code='palette' needs a palette of {num_classes} colours, got {palette}.")
            codes = palette_codes(palette)
        else:
            raise ValueError(f"code must be 'simplex' or 'palette', got {code!r}.")
        self.register_buffer('codes', codes, persistent=False)
        self.is_simplex = code == 'simplex'
        self.num_classes = num_classes
        self.num_channels = codes.shape[1]
        self.ignore_index = ignore_index

    def encode(self, labels: Tensor) -> Tensor:
        """Label maps to mask channels.

        Args:
            labels: (N, H, W), any integer dtype, values 0..K-1 or `ignore_index`.

        Returns:
            (N, M, H, W) float32 in [-1, 1]; ignored pixels are zero in all channels.

        Raises:
            ValueError: A label is neither a class nor ignored; on a GPU, where no value is looked at, the kernel stops.
        """
        table = torch.cat([self.codes, self.codes.new_zeros(1, self.num_channels)]).to(labels.device)
        index = class_indices(labels, self.num_classes, self.ignore_index)
        return table[index].permute(0, 3, 1, 2).contiguous()

    def scores(self, channels: Tensor) -> Tensor:
        """How well each class explains each pixel: minus half the squared distance, up to what classes share.

        Args:
            channels: (N, M, H, W) float.

        Returns:
            (N, K, H, W) float32, x . v_k - |v_k|^2 / 2 for the code v_k; the largest is the nearest code.
        """
        codes = self.codes.to(channels.device)
        dots = torch.einsum('nmhw,km->nkhw', channels.float(), codes)
        return dots - codes.square().sum(1)[:, None, None] / 2

    def posterior(self, channels: Tensor) -> Tensor:
        """Class probabilities whose mean code the channels are: what a predicted clean mask says of each pixel.

        A denoiser predicts the mean of the clean masks it holds possible. Of a simplex code, that mean tells the
        probabilities: they are its barycentric coordinates.

        Args:
            channels: (N, M, H, W) float.

        Returns:
            (N, K, H, W) float32 > 0, sums to 1 over K; points outside the simplex are brought to its border.

        Raises:
            ValueError: The code is no simplex.
        """
        if not self.is_simplex:
            raise ValueError("Only the 'simplex' code tells class probabilities; train the generator with it.")
        length = self.codes[0].square().sum()
        dots = self.scores(channels) + length / 2
        coordinates = (1 + (self.num_classes - 1) * dots / length) / self.num_classes
        positive = coordinates.clamp(min=1e-4)
        return positive / positive.sum(1, keepdim=True)

    def decode(self, channels: Tensor, target: Tensor | None = None, speck_area: int = 0) -> DecodedLabels:
        """Mask channels to the classes of the nearest codes, or to the best label map of exact phase fractions.

        Args:
            channels: (N, M, H, W) float.
            target: (N, K) float, phase fractions, each row >= 0 and sums to 1. With them, class k gets its fraction of
                the H * W pixels, by :func:`move_borders` of the nearest codes with the scores of channels rounded to
                1/256. A class that is nowhere the nearest stays absent.
            speck_area: Components of the nearest codes with fewer pixels take the class around them, see
                :func:`remove_specks`, before the quota is met; 0 leaves all.

        Returns:
            Label maps, margins and plain label maps.

        Raises:
            ValueError: Fractions of another shape, negative, or not summing to 1.
        """
        scores = self.scores(channels)
        best = scores.topk(2, dim=1)
        plain = best.indices[:, 0].to(torch.uint8)
        labels = remove_specks(plain, speck_area).labels if speck_area > 1 else plain
        if target is not None:
            n, k = scores.shape[:2]
            if target.shape != (n, k):
                raise ValueError(f'target must be ({n}, {k}) for these channels, got {tuple(target.shape)}.')
            # Rounded: which of two pixels that look alike is moved must not hang on the rounding of the kernels.
            rounded = self.scores((channels.float() * QUOTA_LEVELS).round() / QUOTA_LEVELS)
            rounded = swap_classes(rounded, plain, labels)
            labels = self._with_fractions(rounded, labels, target)
        return DecodedLabels(labels, best.values[:, 0] - best.values[:, 1], plain)

    def _with_fractions(self, scores: Tensor, labels: Tensor, target: Tensor) -> Tensor:
        """On the CPU: many small steps, each of which a GPU would have to be waited for."""
        decided = torch.pdist(self.codes.cpu()).min().item() ** 2 / 2
        maps = zip(labels.cpu(), target.cpu(), scores.double().cpu(), strict=True)
        drawn = [move_borders(*each, cost=DISTANCE_COST * decided) for each in maps]
        return torch.stack(drawn).to(labels.device)
