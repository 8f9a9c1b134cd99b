"""The two-stage baselines: a model that draws masks, and one that draws an image for each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from torch import Tensor

from ..phases import FractionRequest
from ..trained_models import build_model, load_weights
from .cascade import check_fit
from .descriptions import describe_part
from .loading import dataset_palette, load_generator
from .preprocessor import DecodedPairs
from .samplers import resolve_sampler
from .super_resolution import PairSuperResolution


class MaskModel(Protocol):
    """Draws label maps: `MaskDiffusion`, `DCGAN`."""

    def draw_labels(self, seed: int, indices: Sequence[int]) -> Tensor:
        """(N, H, W) uint8, sample i from (seed, i)."""


class ImageModel(Protocol):
    """Draws images for label maps: `MaskToImageDiffusion`, `Pix2PixHD`."""

    def draw_images(self, labels: Tensor, seed: int, indices: Sequence[int]) -> Tensor:
        """(N, H, W) uint8, sample i from (its label map, seed, i)."""


class TwoStageCascade:
    """Stands where a :class:`PairCascade` does; what it draws cannot be steered.

    Args:
        mask_model: Stage one.
        image_model: Stage two.
        super_resolution: Enlarges the pairs of both, or None.
        device: Where to run.

    Raises:
        ValueError: The models are of different sizes.
    """

    exact = False

    def __init__(
        self,
        mask_model: MaskModel,
        image_model: ImageModel,
        super_resolution: PairSuperResolution | None = None,
        device: str = 'cpu',
    ) -> None:
        sizes = [model.data_preprocessor.size for model in (mask_model, image_model)]
        if sizes[0] != sizes[1]:
            raise ValueError(f'The mask model draws {sizes[0]}x{sizes[0]}, the image model {sizes[1]}x{sizes[1]}.')
        if super_resolution is not None:
            check_fit(mask_model, super_resolution)
            super_resolution = super_resolution.to(device).eval()
        self.mask_model, self.image_model = mask_model.to(device).eval(), image_model.to(device).eval()
        self.super_resolution = super_resolution
        self.tile_size = (super_resolution or mask_model).data_preprocessor.size

    def draw(
        self,
        fractions: Tensor,
        seed: int,
        indices: Sequence[int],
        size: tuple[int, int] | None = None,
        window_batch: int = 16,
    ) -> DecodedPairs:
        """Draws one pair for each index, as :meth:`PairCascade.draw` does.

        Args:
            fractions: Not looked at: nothing steers these models.
            seed: Seed of the run, >= 0.
            indices: N indices, >= 0.
            size: Must be that of the models, or None.
            window_batch: Not used.

        Returns:
            Images and labels, on the CPU; margins are zero, `plain` is `labels`.

        Raises:
            ValueError: Another size.
        """
        self.check_size(size or (self.tile_size, self.tile_size))
        labels = self.mask_model.draw_labels(seed, indices)
        images = self.image_model.draw_images(labels, seed, indices)
        if self.super_resolution is not None:
            encode, decode = self.mask_model.data_preprocessor.encode, self.super_resolution.data_preprocessor.decode
            condition = self.super_resolution.from_low_resolution(encode(images, labels))
            images, labels, *_ = decode(self.super_resolution.sample(condition, seed, indices))
        return DecodedPairs(images.cpu(), labels.cpu(), torch.zeros(labels.shape), labels.cpu())

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuses other sizes than that of the models, with a ValueError."""
        if tuple(size) != (self.tile_size, self.tile_size):
            raise ValueError(f'These models draw {self.tile_size}x{self.tile_size} only, got {size[0]}x{size[1]}.')

    def seam_score(self, image: Tensor) -> float:
        """1: there are no windows."""
        return 1.0


class NothingAsked:
    """Requests for models that cannot be steered: of the group 'unconditional', fractions NaN.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.fractions = torch.full((num_classes,), torch.nan, dtype=torch.float64)

    def __call__(self, seed: int, index: int) -> FractionRequest:
        """The same for every sample."""
        return FractionRequest(self.fractions, 'unconditional')


class OpenedStages(NamedTuple):
    """Two trained stages.

    Attributes:
        mask_model: Stage one.
        image_model: Stage two.
        super_resolution: Or None.
        classes: K names.
        palette: K RGB colours.
        description: `mask_model`, `image_model` and `super_resolution` as a pair folder records them.
    """

    mask_model: MaskModel
    image_model: ImageModel
    super_resolution: PairSuperResolution | None
    classes: tuple[str, ...]
    palette: list[list[int]]
    description: dict


def open_stages(
    config: str,
    checkpoint: str,
    image_config: str,
    image_checkpoint: str,
    sr_config: str | None = None,
    sr_checkpoint: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    cfg_options: Mapping | None = None,
) -> OpenedStages:
    """Opens what the command line of a tool names.

    Args:
        config: Config of the mask model; its training set names classes and palette.
        checkpoint: Its weights.
        image_config: Config of the image model.
        image_checkpoint: Its weights.
        sr_config: Config of a super-resolution model, or None.
        sr_checkpoint: Its weights.
        sampler: Short name of a sampler in place of those of the configs; for diffusion models.
        steps: Number of steps in place of the samplers'.
        cfg_options: Settings over the mask model's config.

    Returns:
        The models and what to know of them.

    Raises:
        FileNotFoundError: Something named is not there.
        ValueError: A config of something else, or weights that do not fit.
    """
    first, second = Config.fromfile(config), Config.fromfile(image_config)
    first.merge_from_dict(dict(cfg_options or {}))
    init_default_scope(first.get('default_scope', 'mmseg'))
    mask_model, mask_described = _load_stage(first, checkpoint, 'draw_labels', sampler, steps)
    image_model, image_described = _load_stage(second, image_checkpoint, 'draw_images', sampler, steps)
    super_resolution, described = None, dict(mask_model=mask_described, image_model=image_described)
    if sr_config:
        high = Config.fromfile(sr_config)
        super_resolution, chosen = load_generator(high, sr_checkpoint, PairSuperResolution, sampler, steps)
        described['super_resolution'] = describe_part(high, sr_checkpoint, chosen)
    dataset = DATASETS.build({**first.train_dataloader.dataset, 'lazy_init': True})
    return OpenedStages(
        mask_model,
        image_model,
        super_resolution,
        tuple(dataset.metainfo['classes']),
        dataset_palette(first),
        described,
    )


def _load_stage(
    config: Config, checkpoint: str, method: str, sampler: str | None, steps: int | None
) -> tuple[BaseModel, dict]:
    settings = {}
    if 'sampler' in config.get('model', {}):
        settings['sampler'] = resolve_sampler(config.model.sampler, sampler, steps)
    model = build_model(config, BaseModel, 'not of a model', **settings)
    if not hasattr(model, method):
        kind = 'mask' if method == 'draw_labels' else 'image'
        raise ValueError(
            f'{config.filename} is the config of a {type(model).__name__}, which is no {kind} model of a two-stage '
            'baseline. Give the mask model first, the image model with --image-config.'
        )
    load_weights(model, checkpoint, config)
    return model, describe_part(config, checkpoint, settings.get('sampler', {}))
