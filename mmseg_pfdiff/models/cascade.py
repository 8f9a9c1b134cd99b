"""PairCascade: from phase fractions to finished pairs, pair i a function of its fractions, the seed and i."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..phases.fractions import check_fractions
from .diffusion.pf_diffseg import PFDiffSeg
from .diffusion.windows import seam_score, window_borders
from .enlarger import PairEnlarger, check_fit
from .preprocessor import DecodedPairs


class PairCascade:
    """The generator and, if there is one, its super-resolution.

    Args:
        generator: A trained generator.
        super_resolution: A trained :class:`PairSuperResolution` or :class:`PairPainter` whose input is the generator's
            output, or None.
        device: Where to run; the models are moved there and set to evaluation.
        exact: Give each label map exactly the fractions asked for (rounded to whole pixels), in place of the nearest
            class for each pixel.
        speck_area: Components of the mask with fewer pixels take the class around them, before the fractions are
            met; 0 leaves all.
        half: Half precision in the networks; needs a GPU.
        channels_last: Memory layout of the networks that GPUs prefer.
        compile: `torch.compile` the networks: a minute at the start, faster afterwards.

    Raises:
        ValueError: The two do not fit: other classes, other mask code, or other size; or half precision on a CPU.
    """

    def __init__(
        self,
        generator: PFDiffSeg,
        super_resolution: PairEnlarger | None = None,
        *,
        device: str = 'cpu',
        exact: bool = True,
        speck_area: int = 0,
        half: bool = False,
        channels_last: bool = False,
        compile: bool = False,
    ) -> None:
        if half and torch.device(device).type == 'cpu':
            raise ValueError('half precision needs a GPU: on a CPU it is emulated and very slow. Leave it off.')
        if super_resolution is not None:
            check_fit(generator, super_resolution)
        self.generator = generator.to(device).eval()
        self.super_resolution = super_resolution.to(device).eval() if super_resolution is not None else None
        self.device = torch.device(device)
        self.exact = exact
        self.speck_area = speck_area
        for model in filter(None, (self.generator, self.super_resolution)):
            model.prepare(half=half, channels_last=channels_last, compiled=compile)

    @property
    def tile_size(self) -> int:
        """Height and width of pairs no larger than those the models were trained on."""
        return (self.super_resolution or self.generator).data_preprocessor.size

    def __call__(
        self, target: Tensor | Sequence[Sequence[float]], seed: int = 0, indices: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draws one pair for each fraction vector: `images, labels = cascade(target, seed=0)`.

        Args:
            target: As of :meth:`draw`, or anything that becomes such a tensor.
            seed: As of :meth:`draw`.
            indices: As of :meth:`draw`; default: 0..N-1.

        Returns:
            Images and label maps, (N, H, W) uint8 each.

        Raises:
            ValueError: As of :meth:`draw`.
        """
        target = torch.as_tensor(target)
        pairs = self.draw(target, seed, range(len(target)) if indices is None else indices)
        return pairs.images, pairs.labels

    @torch.no_grad()
    def draw(
        self,
        target: Tensor,
        seed: int,
        indices: Sequence[int],
        *,
        size: tuple[int, int] | None = None,
        window_batch: int = 16,
    ) -> DecodedPairs:
        """Draws one pair for each fraction vector. Pair i is a function of its fractions, the seed and its index.

        Batches of another size give the same pairs up to the rounding of the kernels.

        Args:
            target: c', (N, K) float, the fractions asked for; each row sums to 1.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.
            size: Height and width of the pairs; default: those of the training tiles.
            window_batch: Windows in one network evaluation, for pairs larger than the training tiles.

        Returns:
            Images, labels, margins and plain labels, on the CPU.

        Raises:
            ValueError: Fractions of the wrong shape, negative, or not summing to 1; or a size below that of a tile.
        """
        num_classes = self.generator.data_preprocessor.codec.num_classes
        if target.shape != (len(indices), num_classes):
            raise ValueError(
                f'target must be ({len(indices)}, {num_classes}): one row for each index, one column for each '
                f'class; got {tuple(target.shape)}. Give as many rows as indices.'
            )
        check_fractions(target)
        size = size or (self.tile_size, self.tile_size)
        self.check_size(size)
        c = target.float().to(self.device)
        low, _ = self.field_sizes(size)
        pairs = self.generator.sample(c, seed, indices, low, window_batch)
        if self.super_resolution is None:
            exactly = target.to(self.device) if self.exact else None
            pairs = pairs[..., : size[0], : size[1]]
            decoded = self.generator.data_preprocessor.decode(pairs, exactly, self.speck_area)
        else:
            options = dict(exact=self.exact, speck_area=self.speck_area, window_batch=window_batch)
            decoded = self.super_resolution.enlarge(pairs, seed, indices, size=size, target=target, **options)
        return DecodedPairs(*(part.cpu() for part in decoded))

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuses pairs smaller than the models draw, with a ValueError: cut ones would miss their fractions."""
        if min(size) < self.tile_size:
            raise ValueError(
                f'Pairs must be at least {self.tile_size}x{self.tile_size}, what the models draw; got a size of '
                f'{size[0]}x{size[1]}. Ask for a larger --size, or leave it out.'
            )

    def field_sizes(self, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sizes at which the generator and the super-resolution model draw, to be cut to `size` afterwards.

        Args:
            size: Height and width of the finished pairs.

        Returns:
            Height and width for the generator, and for the super-resolution model.
        """
        factor = self.super_resolution.factor if self.super_resolution is not None else 1
        smallest = self.generator.data_preprocessor.size
        low = tuple(max(smallest, -(-side // factor)) for side in size)
        return low, tuple(side * factor for side in low)

    def seam_score(self, image: Tensor) -> float:
        """How visible the borders of the windows are in a finished image.

        Args:
            image: (H, W) uint8.

        Returns:
            Mean grey-level step across borders over that elsewhere; near 1 where no seam shows, 1 without windows.
        """
        low, high = self.field_sizes(tuple(image.shape))
        in_windows = self.super_resolution is not None and self.super_resolution.in_windows
        borders = []
        for low_side, high_side in zip(low, high, strict=True):
            factor = high_side // low_side
            edges = {factor * edge for edge in window_borders(low_side, self.generator.data_preprocessor.size)}
            borders.append(sorted(edges | (window_borders(high_side, self.tile_size) if in_windows else set())))
        return seam_score(image, *borders)
