"""PairDataPreprocessor: from samples of mmseg to pair tensors with their fractions, and from pair tensors to pairs."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.model import BaseDataPreprocessor
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from ..phases.codec import PhaseCodec
from ..phases.fractions import phase_fractions
from ..phases.labels import reduce_labels


class DecodedPairs(NamedTuple):
    """Pairs as a person sees them.

    Attributes:
        images: (N, H, W) uint8.
        labels: (N, H, W) uint8, class indices 0..K-1.
        margins: (N, H, W) float32 >= 0, by how much the best class of each pixel wins.
        plain: (N, H, W) uint8, the nearest class of each pixel, before clean-up and quota.
    """

    images: Tensor
    labels: Tensor
    margins: Tensor
    plain: Tensor


@MODELS.register_module()
class PairDataPreprocessor(BaseDataPreprocessor):
    """Turns a batch of an mmseg data set into pair tensors, and generated pair tensors into images and label maps.

    Tiles larger than `size` are reduced by a whole factor: the mean of each block for the image, its commonest label
    for the mask. The fractions are those of the whole tile, as those asked for in generating will be.

    Args:
        num_classes: K.
        size: Height and width of a pair.
        code: Of :class:`~mmseg_pfdiff.phases.PhaseCodec`: 'simplex' or 'palette'.
        palette: Of the codec, for 'palette'.
        non_blocking: Of `BaseDataPreprocessor`.
    """

    def __init__(
        self,
        num_classes: int,
        size: int,
        code: str = 'simplex',
        palette: Sequence[Sequence[int]] | None = None,
        *,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        self.codec = PhaseCodec(num_classes, code, palette)
        self.size = size
        self.num_channels = 1 + self.codec.num_channels

    def forward(self, data: dict, training: bool = False) -> dict:
        """A batch from the data loader to network input.

        Args:
            data: `inputs`: N tensors (1 or 3, H, W) uint8, 3 equal channels count as grey; `data_samples`: N
                `SegDataSample` with `gt_sem_seg`.
            training: Unused; augmentation is the pipeline's work.

        Returns:
            `inputs`: dict of `images` (N, size, size) float32 in [0, 255], `labels` (N, size, size) int64, `pairs`
            (N, 1+M, size, size) float32 in [-1, 1] and `fractions` (N, K) float32; `data_samples` as they were.

        Raises:
            ValueError: A tile that is no whole multiple of `size`, a label that is neither a class nor 255, or a map
                of ignored pixels only.
        """
        # Where the data loader has put the label maps: to look at them on a GPU, the host would have to wait for it.
        fractions = phase_fractions(self._labels(data), self.codec.num_classes).float()
        data = self.cast_data(data)
        images = torch.stack([image.float().mean(0) for image in data['inputs']])
        images, labels = self.reduce(images, self._labels(data), self._factor(images))
        pairs = self.encode(images, labels)
        inputs = dict(images=images, labels=labels, pairs=pairs, fractions=self.cast_data(fractions))
        return dict(inputs=inputs, data_samples=data['data_samples'])

    @staticmethod
    def _labels(data: dict) -> Tensor:
        return torch.stack([sample.gt_sem_seg.data[0] for sample in data['data_samples']])

    def _factor(self, images: Tensor) -> int:
        height, width = images.shape[-2:]
        if height % self.size or height // self.size != width / self.size:
            raise ValueError(
                f'Tiles of {height}x{width} cannot be reduced to {self.size}x{self.size} by a whole factor. Convert '
                f'the data set with a --tile-size that is a multiple of {self.size}.'
            )
        return height // self.size

    def reduce(self, images: Tensor, labels: Tensor, factor: int) -> tuple[Tensor, Tensor]:
        """A pair at a lower resolution.

        Args:
            images: (N, H, W) float.
            labels: (N, H, W) integer.
            factor: Whole factor >= 1 that divides H and W.

        Returns:
            Both at (N, H / factor, W / factor).
        """
        reduced = F.avg_pool2d(images[:, None], factor)[:, 0]
        return reduced, reduce_labels(labels, factor, self.codec.num_classes, self.codec.ignore_index)

    def encode(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images and label maps to a pair tensor.

        Args:
            images: (N, H, W), values 0..255, any dtype.
            labels: (N, H, W), integer, values 0..K-1 or 255.

        Returns:
            (N, 1+M, H, W) float32 in [-1, 1].
        """
        return torch.cat([images[:, None].float() / 127.5 - 1, self.codec.encode(labels)], dim=1)

    def decode(self, pairs: Tensor, target: Tensor | None = None, speck_area: int = 0) -> DecodedPairs:
        """A pair tensor to images and label maps.

        Args:
            pairs: (N, 1+M, H, W) float in [-1, 1].
            target: (N, K) phase fractions that the label maps shall have exactly, or None.
            speck_area: Of :meth:`PhaseCodec.decode`.

        Returns:
            Images, labels, margins, plain labels.
        """
        return DecodedPairs(self.decode_images(pairs[:, 0]), *self.codec.decode(pairs[:, 1:], target, speck_area))

    @staticmethod
    def decode_images(channel: Tensor) -> Tensor:
        """The image channel of pair tensors, float in [-1, 1], to grey values of the same shape, uint8."""
        return ((channel.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
