"""MaskPainter: an image for any label map, in one pass, after the looks of a real tile."""

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from ...phases.fractions import phase_fractions
from ...phases.seeding import sample_generator
from ...spectrum import image_spectrum_distance
from ..validation import VALIDATION_SEED
from .looks import TEXTURES, LookBank, Looks, draw_sketches, measure_brightness, measure_textures, phase_cover, spread
from .painter import PairPainter
from .painter_losses import statistics_distance

# The drawn image is held to the brightness of blocks of so many pixels of low resolution.
BLOCK = 8
# Deviation of the noise in sketches: flat areas would let the network go by their exact values.
SKETCH_NOISE = 0.02
# The same for codes of looks.
CODE_NOISE = 0.1


@MODELS.register_module()
class MaskPainter(PairPainter):
    """Paints images for label maps alone: in a cascade for the masks of a generator, or for given ones.

    What else a :class:`PairPainter` takes from the low-resolution image comes from a real tile: the grey level and the
    texture of each phase and the drift of the brightness, see :class:`Looks`. In training they are those of the tile
    itself, and the network learns to follow them; where an image is drawn, those of a training tile of like fractions.

    Args:
        data_preprocessor: As of :class:`PairPainter`, like the others that are not named here.
        looks: Arguments of :class:`LookBank` besides classes and side; measured before training, as the grain is.
        lambda_features: Weight of the distance between mean and deviation of the judge's features of drawn and of real
            images: where texture lies, the looks do not tell.
        lambda_spectrum: Weight of the distance between the power spectra of each drawn image and its real one.
        **kwargs: Others of :class:`PairPainter`.
    """

    def __init__(
        self,
        data_preprocessor: dict,
        *,
        generator: dict | None = None,
        looks: dict | None = None,
        lambda_features: float = 10.0,
        lambda_spectrum: float = 0.5,
        **kwargs,
    ) -> None:
        generator = {**(generator or {}), 'look_numbers': TEXTURES}
        weights = dict(lambda_features=lambda_features, lambda_spectrum=lambda_spectrum)
        super().__init__(data_preprocessor, generator=generator, **weights, **kwargs)
        side = self.data_preprocessor.size // self.factor
        self.looks = LookBank(self.data_preprocessor.codec.num_classes, side, **(looks or {}))

    def training_inputs(self, inputs: dict) -> dict:
        """Crops of tiles with their own looks."""
        images, labels = self.crops(inputs)
        classes = self.data_preprocessor.codec.num_classes
        # The textures of whole tiles, as those that images will be drawn after.
        tiles = inputs['images'][:, None] / 127.5 - 1
        textures = measure_textures(tiles, phase_cover(inputs['labels'], classes))
        greys, shading = measure_brightness(images, labels, classes, self.factor)
        looks = Looks(greys, textures, shading)
        return dict(images=images, low=F.avg_pool2d(images, self.factor), labels=labels, real=labels, looks=looks)

    def draw(self, inputs: dict) -> Tensor:
        """Images for the masks of the batch, with grain, (N, 1, crop, crop) float."""
        low = inputs['low']
        noise = torch.randn(len(low), self.noise_channels, *low.shape[-2:], device=low.device)
        codes = self._codes(inputs['looks'])
        codes = codes + CODE_NOISE * torch.randn_like(codes)
        drawn, _ = self._paint_after(inputs['labels'], inputs['looks'], codes, noise, torch.randn_like(low))
        return self.with_grain(drawn, low)

    def _codes(self, looks: Looks) -> Tensor:
        return self.generator.codes(self.looks.normalised(looks.textures))

    def _paint_after(
        self, labels: Tensor, looks: Looks, codes: Tensor, noise: Tensor, white: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Images without grain, and the sketches that they are painted from."""
        cover = phase_cover(labels, self.data_preprocessor.codec.num_classes, self.factor)
        sketch = draw_sketches(cover, looks) + SKETCH_NOISE * white
        return self._paint(sketch, labels, torch.cat([noise, spread(codes, cover)], 1)), sketch

    def low_distance(self, low: Tensor, drawn: Tensor) -> Tensor:
        """How far drawn and real images are from each other in the brightness of large blocks."""
        block = min(BLOCK, *low.shape[-2:])
        return F.l1_loss(F.avg_pool2d(drawn, self.factor * block), F.avg_pool2d(low, block))

    def spectrum_distance(self, drawn: Tensor, real: Tensor) -> Tensor:
        """How far the power spectra are from each other, image by image."""
        return image_spectrum_distance(drawn, real)

    def features_distance(self, own: Tensor, other: Tensor) -> Tensor:
        """How far features of the judge are from each other, whatever their places."""
        return statistics_distance(own, other).mean()

    def predict(self, inputs: dict, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Images for the real label maps, and these."""
        return self.draw_images(inputs['labels'], VALIDATION_SEED, indices), inputs['labels']

    @torch.no_grad()
    def paint(self, low: Tensor, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        """:meth:`draw_images`; low-resolution images are not looked at."""
        return self.draw_images(labels, seed, indices)

    @torch.no_grad()
    def draw_images(self, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        """Draws an image for each label map. Image i is a function of its label map, the seed and its index.

        Args:
            labels: (N, H, W), any integer dtype, values 0..K-1 or 255; H and W multiples of the factor.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.

        Returns:
            (N, H, W) uint8 grey values, on the model's device.
        """
        labels = labels.to(self.looks.greys.device)
        sides = [side // self.factor for side in labels.shape[-2:]]
        randoms = [self._image_randoms(sample_generator(seed, index, 'image'), sides) for index in indices]
        noise, white, grain, uniform = (torch.stack(each).to(labels.device) for each in zip(*randoms, strict=True))
        fractions = phase_fractions(labels, self.data_preprocessor.codec.num_classes)
        looks = self.looks(self.looks.choose(fractions, uniform[:, 0]))
        # Half precision stays inside the network.
        with torch.autocast(labels.device.type, torch.float16, enabled=self.half_precision):
            painted, sketch = self._paint_after(labels, looks, self._codes(looks), noise, white)
        images = self.grain(painted.float(), grain, self.grain.choose(sketch.float(), uniform[:, 1]))
        return self.data_preprocessor.decode_images(images[:, 0])

    def _image_randoms(self, generator: torch.Generator, sides: Sequence[int]) -> tuple[Tensor, ...]:
        """All that is random in an image: noise of the network, of the sketch, of the grain, and whose looks it has."""
        noise = torch.randn(self.noise_channels, *sides, generator=generator)
        white = torch.randn(1, *sides, generator=generator)
        grain = torch.randn(1, *(side * self.factor for side in sides), generator=generator)
        return noise, white, grain, torch.rand(2, generator=generator)
