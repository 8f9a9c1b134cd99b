"""GeneratorCard: what people must know of a trained generator, and what drawing pairs needs besides the networks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor

from ..config_files import merge_options
from ..files import write_atomically
from ..models.diffusion.base import PairDiffusion
from ..models.enlarger import PairEnlarger
from ..models.gan.mask_painter import MaskPainter
from ..phases.quota import largest_remainder
from ..requests.base import RequestSource, build_requests
from ..texts import markdown_text, short
from .limits import COLOURS, MAX_PROSE, NAMES, UNFIT, check_value, one_line, text
from .settings import sampler_settings
from .weights import drawing_weights

CARD_FILE = 'card.json'
README_FILE = 'README.md'
NOT_STATED = 'Not stated. Ask the producer of the training data before passing weights or pairs on.'
# Arguments of FractionSampler, or with a target_mean of FractionPlanner, that a card may hold.
FRACTION_SETTINGS = ('groups', 'target_mean', 'sigma', 'epsilon')

# The front matter never changes: huggingface_hub's ModelCardData would take more lines to write the same YAML.
README = """---
library_name: diffusers
license: other
pipeline_tag: unconditional-image-generation
tags: [micrographs, semantic-segmentation, phase-fractions]
---

# Micrographs with their phase masks, drawn for given phase fractions

{models}

    import torch
    from mmseg_pfdiff.checkpoints import load_cascade

    cascade = load_cascade('<this folder>')
    target = torch.tensor([[{example}]])  # {order}
    images, labels = cascade(target, seed=0)  # (1, {size}, {size}) uint8 each

or, thousands of them into a folder:

    python tools/generate_pairs.py <this folder> --out pairs --num 1000

## Order of the fractions

Fractions are shares of the pixels, sum to 1, and come in this order; it is also the order of the labels.

| label | class | RGB | training tiles: mean | least | most |
|---|---|---|---|---|---|
{classes}

## Training data

{data}

`{card_file}` holds the phase fractions of its {tiles} tiles, which fractions to draw for are taken from. No image of it
is in this folder.

## Licence of the training data

{licence}

## Drawing

{samplers}

## Limits

- Drawn pairs follow the training tiles: their material, magnification, instrument and labelling. Fractions far from
  those of any training tile ask for what the networks have not seen.
- The label maps are given the fractions asked for exactly, by moving the least decided pixels. Where many pixels had to
  move, the image does not show what the mask says.
- A diffusion model of a small data set can repeat its training tiles. Compare pairs with them before publishing any.
- The pairs are for training segmentation networks. They are no measurement of a material.

## Files

`model_index.json` names the parts. Each part has `config.json` (what builds it in mmseg_pfdiff) and weights: of a
painter in `painter.safetensors`, of a diffusion model `unet/` and `scheduler/` in the layout of diffusers, so that
`{unet_class}.from_pretrained('<this folder>/generator/unet')` opens the network without mmseg_pfdiff. Weights are
safetensors, everything else is text; loading runs no code of this folder.
{patches}"""

PATCHES = """
The generator's U-Net works on pixel-unshuffled pairs: `pixel_unshuffle(x, {patch})` before it, `pixel_shuffle` after.
"""


class GeneratorCard(NamedTuple):
    """All that a folder with a trained generator says besides its networks.

    Attributes:
        classes: K class names in the order of the fractions and labels.
        palette: K RGB colours.
        vectors: (R, K) float64, fractions of the training tiles.
        fraction_settings: Arguments of :class:`FractionSampler`, or with `target_mean` of :class:`FractionPlanner`,
            besides vectors and classes.
        data: What it was trained on.
        licence: Of the training data.
    """

    classes: tuple[str, ...]
    palette: Sequence[Sequence[int]]
    vectors: Tensor
    fraction_settings: Mapping
    data: str = 'Not stated.'
    licence: str = NOT_STATED

    def source_settings(self) -> dict:
        """`fraction_settings` with the `type` of the source that they are for."""
        source = 'FractionPlanner' if 'target_mean' in self.fraction_settings else 'FractionSampler'
        return dict(type=source, **self.fraction_settings)

    def with_options(self, options: Mapping[str, Any]) -> 'GeneratorCard':
        """The card with other fractions to draw for.

        Args:
            options: Settings over `fraction_settings`, by dotted key: `sigma`, `target_mean.defect`; `type` must be
                that of the source which the others are for.

        Returns:
            The changed card.

        Raises:
            ValueError: An option that no source of a card takes.
        """
        unknown = [key for key in options if key.split('.')[0] not in (*FRACTION_SETTINGS, 'type')]
        if unknown:
            raise ValueError(
                f'Option fraction_sampler.{unknown[0]}: there is no such setting, but {", ".join(FRACTION_SETTINGS)}.'
            )
        settings = merge_options(
            Config(self.source_settings()), options, 'the fraction_sampler of the folder'
        ).to_dict()
        source = settings.pop('type')
        card = self._replace(fraction_settings=settings)
        if source != card.source_settings()['type']:
            raise ValueError(
                f'Option fraction_sampler.type: a {source} does not draw with {", ".join(settings) or "no settings"}; '
                'a FractionPlanner needs a target_mean, which a FractionSampler does not take.'
            )
        return card

    def fraction_sampler(self) -> RequestSource:
        """The source of fractions that the generator was made with.

        Its type follows from which settings there are: a folder of a stranger cannot name another.

        Raises:
            ValueError: Settings that do not fit the classes or the tiles.
        """
        return build_requests(self.source_settings(), self.classes, self.vectors)

    def write(self, folder: Path, generator: PairDiffusion, super_resolution: PairEnlarger | None) -> None:
        """Writes the card for programs (JSON) and for people (README.md).

        Args:
            folder: Where to.
            generator: The generator.
            super_resolution: The super-resolution model, or None.

        Raises:
            ValueError: Classes, palette and vectors that do not fit the generator.
        """
        check_card(self, generator)
        content = self._asdict() | dict(vectors=self.vectors.tolist())
        write_atomically(folder / CARD_FILE, json.dumps(content, indent=1).encode())
        write_atomically(folder / README_FILE, self.readme(generator, super_resolution).encode())

    def readme(self, generator: PairDiffusion, super_resolution: PairEnlarger | None) -> str:
        """The model card, Markdown."""
        parts = [('The generator', generator)]
        if super_resolution is not None:
            parts.append(('The super-resolution', super_resolution))
        patch = generator.unet.patch_size
        mean, least, most = self.vectors.mean(0), self.vectors.amin(0), self.vectors.amax(0)
        hundredths = largest_remainder(mean[None], 100)[0].tolist()  # rounded so that they sum to 1
        return README.format(
            models='\n'.join(_size_of(name, model) for name, model in parts),
            example=', '.join(f'{value / 100:.2f}' for value in hundredths),
            order=', '.join(self.classes),
            size=parts[-1][1].data_preprocessor.size,
            classes='\n'.join(
                f'| {k} | {markdown_text(name)} | {", ".join(map(str, self.palette[k]))} | {mean[k]:.4f} | '
                f'{least[k]:.4f} | {most[k]:.4f} |'
                for k, name in enumerate(self.classes)
            ),
            data=self.data,
            licence=self.licence,
            card_file=CARD_FILE,
            tiles=len(self.vectors),
            samplers='\n'.join(f'- {name}: {_way_of_drawing(model)}.' for name, model in parts),
            unet_class=type(generator.unet.net).__name__,
            patches=PATCHES.format(patch=patch) if patch > 1 else '',
        )


def parse_card(content: Mapping, generator: PairDiffusion) -> GeneratorCard:
    """The card that :meth:`GeneratorCard.write` wrote as JSON.

    Args:
        content: Of `card.json`.
        generator: The folder's generator, which the card must fit.

    Returns:
        The card.

    Raises:
        ValueError: It is damaged or does not fit.
    """
    try:
        _check_vectors(content['vectors'], len(content['classes']))
        vectors = torch.tensor(content['vectors'], dtype=torch.float64)
        card = GeneratorCard(**{**content, 'classes': tuple(content['classes']), 'vectors': vectors})
        check_card(card, generator)
    except UNFIT as error:
        raise ValueError(f'damaged, or of another generator: {one_line(error)}') from error
    return card


def check_card(card: GeneratorCard, generator: PairDiffusion) -> None:
    """Checks that a card fits a generator.

    Args:
        card: The card.
        generator: The generator.

    Raises:
        ValueError: It does not.
    """
    num_classes = generator.data_preprocessor.codec.num_classes
    check_value('classes', card.classes, NAMES)
    if not len(set(card.classes)) == len(card.classes) == len(card.palette) == num_classes:
        raise ValueError(
            f'The generator draws {num_classes} classes; got {len(set(card.classes))} names and {len(card.palette)} '
            'colours.'
        )
    check_value('palette', card.palette, COLOURS)
    for key in ('data', 'licence'):
        check_value(key, getattr(card, key), text(MAX_PROSE))
    if ((card.vectors < 0) | ~card.vectors.isfinite()).any() or ((card.vectors.sum(1) - 1).abs() > 1e-6).any():
        raise ValueError('Each row of vectors must be >= 0 and sum to 1.')
    unknown = sorted(set(card.fraction_settings) - set(FRACTION_SETTINGS))
    if unknown:
        raise ValueError(f'fraction_settings may hold {FRACTION_SETTINGS}, got {short(unknown)}.')
    card.fraction_sampler()  # refuses vectors and groups that do not fit the classes


def _check_vectors(rows: Any, num_classes: int) -> None:
    """Refuses vectors that make no tensor of fractions."""
    if not isinstance(rows, list) or not rows:
        raise ValueError(f'vectors must be a list of fractions of training tiles, got {short(rows)}.')
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != num_classes or not all(type(v) in (int, float) for v in row):
            raise ValueError(f'vectors must be (R, {num_classes}) numbers, row {number} is {short(row)}.')


def _size_of(name: str, model: PairDiffusion | PairEnlarger) -> str:
    million = sum(weight.numel() for weight in drawing_weights(model).values()) / 1e6
    side = model.data_preprocessor.size
    return f'{name} is a {type(model).__name__} with {million:.1f} million parameters for pairs of {side}x{side}.'


def _way_of_drawing(model: PairDiffusion | PairEnlarger) -> str:
    """`DDIMScheduler, 50 steps (eta=0.0)`, or that there are no steps."""
    if not isinstance(model, PairDiffusion):
        looks = 'looks' if isinstance(model, MaskPainter) else 'grain'
        return f'in one pass, with the {looks} of a training tile that the pair is like'
    sampler = sampler_settings(model.sampler)
    others = ', '.join(f'{key}={value}' for key, value in sampler.items() if key not in ('type', 'steps'))
    return f'{sampler["type"]}, {sampler["steps"]} steps' + (f' ({others})' if others else '')
