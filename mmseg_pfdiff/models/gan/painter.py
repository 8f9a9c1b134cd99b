"""PairPainter: pairs at a higher resolution in one pass, with the grain of the instrument."""

import math
from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from ...phases.labels import IGNORE_INDEX
from ...phases.seeding import sample_generator
from ...spectrum import spectrum_distance
from ..preprocessor import DecodedPairs
from ..validation import VALIDATION_SEED
from .base import AdversarialModel
from .grain import Grain
from .painter_losses import class_balanced_loss
from .painter_networks import ClassDiscriminator, PainterNetwork


def blurred(images: Tensor) -> Tensor:
    """Means of 3x3 pixels, (N, 1, h, w) to the same."""
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode='replicate'), 3, 1)


@MODELS.register_module()
class PairPainter(AdversarialModel):
    """Enlarges pairs: the mask by interpolation, the image by a network of one pass that is told the mask, and grain.

    The judge is that of OASIS (Schonfeld et al. 2021): it says of each pixel which phase it shows or that it is drawn,
    all phases weighing alike. The painter therefore has to show each phase where the mask says that it is. What is
    judged has its grain already, so that the judge looks at structure.

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`; its size is that of the training tiles. Pairs of
            any size are drawn in one go.
        factor: Of the enlargement, a power of two.
        generator: Arguments of :class:`PainterNetwork` besides channels and factor.
        discriminator: Arguments of :class:`ClassDiscriminator` besides classes.
        grain: Arguments of :class:`Grain`, which :class:`~mmseg_pfdiff.engine.PainterHook` measures before training.
        crop: Side of the part of a tile that a training step sees; None for whole tiles.
        lambda_low: Weight of the distance between the reduced drawn image and the low-resolution image.
        lambda_features: Weight of the distance between the judge's features of drawn and real images.
        lambda_spectrum: Weight of the distance between the power spectra of drawn and real images.
        max_noise: Largest deviation of the noise that low-resolution images get in training, which are also blurred to
            a random degree: what the generator draws is not as sharp and clean as reduced micrographs are.

    Raises:
        ValueError: A crop that is larger than a tile, or that the factor or the judge's stages do not divide.
    """

    in_windows = False

    def __init__(
        self,
        data_preprocessor: dict,
        factor: int = 2,
        generator: dict | None = None,
        discriminator: dict | None = None,
        grain: dict | None = None,
        crop: int | None = None,
        lambda_low: float = 10.0,
        lambda_features: float = 2.0,
        lambda_spectrum: float = 1.0,
        max_noise: float = 0.1,
    ) -> None:
        super().__init__(data_preprocessor)
        codec = self.data_preprocessor.codec
        self.generator = PainterNetwork(codec.num_channels, factor, **(generator or {}))
        self.discriminator = ClassDiscriminator(codec.num_classes, **(discriminator or {}))
        self.grain = Grain(**(grain or {}))
        # Kept here, as a wrapper of distributed training does not tell it.
        self.noise_channels = self.generator.noise_channels
        self.factor, self.crop = factor, crop
        if crop is not None:
            self._check_side(crop)
        self.lambda_low, self.lambda_features, self.lambda_spectrum = lambda_low, lambda_features, lambda_spectrum
        self.max_noise = max_noise
        self.half_precision = False

    def _check_side(self, side: int) -> None:
        """Refuses what a training step cannot look at; drawing takes any size."""
        divisor = math.lcm(self.factor, self.discriminator.divisor)
        if side % divisor or side > self.data_preprocessor.size:
            raise ValueError(
                f'This painter is trained on crops whose side is a multiple of {divisor} (of the factor, and of what '
                f'the stages of the judge divide), at most {self.data_preprocessor.size}; got {side}. Set model.crop.'
            )

    def training_inputs(self, inputs: dict) -> dict:
        """Crops of tiles; their low-resolution images, as they are and as a generator might draw them; and masks."""
        images, labels = self.crops(inputs)
        low = F.avg_pool2d(images, self.factor)
        return dict(images=images, low=low, degraded=self._degraded(low), labels=self._drawn_masks(labels), real=labels)

    def crops(self, inputs: dict) -> tuple[Tensor, Tensor]:
        """What a training step sees of the tiles: images, (N, 1, H, W) float in [-1, 1], and labels, (N, H, W)."""
        images, labels = inputs['images'][:, None] / 127.5 - 1, inputs['labels']
        if self.crop is not None:
            images, labels = self._random_crops(images, labels)
        self._check_side(images.shape[-1])
        return images, labels

    def _random_crops(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        steps = (images.shape[-1] - self.crop) // self.factor + 1
        corners = (self.factor * torch.randint(steps, (len(images), 2))).tolist()
        spans = [(slice(y, y + self.crop), slice(x, x + self.crop)) for y, x in corners]
        return (
            torch.stack([image[:, rows, columns] for image, (rows, columns) in zip(images, spans, strict=True)]),
            torch.stack([label[rows, columns] for label, (rows, columns) in zip(labels, spans, strict=True)]),
        )

    def _degraded(self, low: Tensor) -> Tensor:
        part, level = torch.rand(2, len(low), 1, 1, 1, device=low.device)
        return torch.lerp(low, blurred(low), part) + self.max_noise * level * torch.randn_like(low)

    def _drawn_masks(self, labels: Tensor) -> Tensor:
        """Masks of a random half of the batch as they come out of the enlargement, the others as they are."""
        codec = self.data_preprocessor.codec
        _, low = self.data_preprocessor.reduce(labels.float(), labels, self.factor)
        smooth = codec.decode(self.enlarge_masks(codec.encode(low))).labels.long()
        smooth = torch.where(labels == IGNORE_INDEX, IGNORE_INDEX, smooth)
        chosen = torch.rand(len(labels), 1, 1, device=labels.device) < 0.5
        return torch.where(chosen, smooth, labels)

    def enlarge_masks(self, channels: Tensor) -> Tensor:
        """Mask channels at the high resolution.

        Args:
            channels: (N, M, h, w) float in [-1, 1].

        Returns:
            (N, M, h * factor, w * factor) float.
        """
        return F.interpolate(channels, scale_factor=self.factor, mode='bicubic')

    def draw(self, inputs: dict) -> Tensor:
        """Images for the masks of the batch, with grain, (N, 1, crop, crop) float."""
        low = inputs['degraded']
        noise = torch.randn(len(low), self.noise_channels, *low.shape[-2:], device=low.device)
        return self.with_grain(self._paint(low, inputs['labels'], noise), inputs['low'])

    def with_grain(self, drawn: Tensor, low: Tensor) -> Tensor:
        """Images with the grain of real tiles that look like low-resolution images, at random."""
        tiles = self.grain.choose(low, torch.rand(len(low), device=low.device))
        return self.grain(drawn, torch.randn_like(drawn), tiles)

    def _paint(self, low: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        return self.generator(low, self.data_preprocessor.codec.encode(labels), noise)

    def discriminator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """Cross-entropies of real pixels as their phases and of drawn ones as drawn."""
        classes = self.data_preprocessor.codec.num_classes
        real, _ = self.discriminator(inputs['images'])
        false, _ = self.discriminator(drawn)
        as_drawn = torch.full(false.shape[:1] + false.shape[2:], classes, device=false.device)
        return dict(
            loss_real=class_balanced_loss(real, inputs['real'], classes),
            loss_drawn=F.cross_entropy(false.float(), as_drawn),
        )

    def generator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of drawn pixels as the phases of their masks, and distances from the real pair."""
        logits, features = self.discriminator(drawn)
        losses = dict(
            loss_adversarial=class_balanced_loss(logits, inputs['labels'], self.data_preprocessor.codec.num_classes),
            loss_low=self.lambda_low * self.low_distance(inputs['low'], drawn),
            loss_spectrum=self.lambda_spectrum * self.spectrum_distance(drawn, inputs['images']),
        )
        if self.lambda_features:
            with torch.no_grad():
                _, real = self.discriminator(inputs['images'])
            distances = [self.features_distance(own, other) for own, other in zip(features, real, strict=True)]
            losses['loss_features'] = self.lambda_features * sum(distances) / len(distances)
        return losses

    def low_distance(self, low: Tensor, drawn: Tensor) -> Tensor:
        """How far drawn images, reduced, are from the low-resolution ones."""
        return F.l1_loss(F.avg_pool2d(drawn, self.factor), low)

    def spectrum_distance(self, drawn: Tensor, real: Tensor) -> Tensor:
        """How far the power spectra are from each other, those of the batch."""
        return spectrum_distance(drawn, real)

    def features_distance(self, own: Tensor, other: Tensor) -> Tensor:
        """How far features of the judge are from each other, place by place."""
        return F.l1_loss(own, other)

    def predict(self, inputs: dict, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The images of the real label maps, from their low-resolution images, and these."""
        low = F.avg_pool2d(inputs['images'][:, None] / 127.5 - 1, self.factor)
        return self.paint(low, inputs['labels'], VALIDATION_SEED, indices), inputs['labels']

    def prepare(self, *, half: bool, channels_last: bool, compiled: bool) -> None:
        """Sets precision, memory layout and compilation of the network that draws, as :class:`PairEnlarger` says."""
        self.half_precision = half
        if channels_last:
            self.generator.to(memory_format=torch.channels_last)
        if compiled:
            self.generator.compile()

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
        """Draws pairs at the high resolution, as :class:`PairEnlarger` says: the whole mask first, then its image."""
        low, channels = pairs[:, :1], self.enlarge_masks(pairs[:, 1:])[..., : size[0], : size[1]]
        decoded = self.data_preprocessor.codec.decode(channels, target if exact else None, speck_area)
        # Pixels beyond the size belong to no mask; they are painted as its border and cut off again.
        beyond = [self.factor * whole - side for whole, side in zip(low.shape[-2:], size, strict=True)]
        labels = F.pad(decoded.labels[:, None].float(), (0, beyond[1], 0, beyond[0]), mode='replicate')[:, 0].long()
        images = self.paint(low, labels, seed, indices)[:, : size[0], : size[1]]
        return DecodedPairs(images, *decoded)

    @torch.no_grad()
    def paint(self, low: Tensor, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        """Draws an image for each label map. Image i is a function of its low-resolution image, its map, seed and i.

        Args:
            low: (N, 1, h, w) float in [-1, 1], low-resolution images.
            labels: (N, h * factor, w * factor), any integer dtype, values 0..K-1 or 255.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.

        Returns:
            (N, h * factor, w * factor) uint8 grey values, on the model's device.
        """
        randoms = [self._randoms(sample_generator(seed, index, 'super_resolution'), low, labels) for index in indices]
        noise, white, uniform = (torch.stack(each).to(low.device) for each in zip(*randoms, strict=True))
        # Half precision stays inside the network.
        with torch.autocast(low.device.type, torch.float16, enabled=self.half_precision):
            painted = self._paint(low, labels, noise)
        images = self.grain(painted.float(), white, self.grain.choose(low, uniform))
        return self.data_preprocessor.decode_images(images[:, 0])

    def _randoms(self, generator: torch.Generator, low: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All that is random in an image: input noise, noise of the grain, and which tile's grain it is."""
        noise = torch.randn(self.noise_channels, *low.shape[-2:], generator=generator)
        white = torch.randn(1, *labels.shape[-2:], generator=generator)
        return noise, white, torch.rand((), generator=generator)
