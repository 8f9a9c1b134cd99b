"""The plan of a comparison: what is compared with what, on which data, how long."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

REAL = 'real'
BUDGETS = ('epochs', 'iterations')
# Fields of a method that decide which pairs are drawn and kept; the others say how they are used.
DRAWING = (
    'generator', 'image', 'super_resolution', 'masks', 'remodel', 'options', 'image_options',
    'super_resolution_options', 'arguments', 'drop_disagreeing',
)  # fmt: skip


class Training(NamedTuple):
    """How a generator is trained.

    Attributes:
        config: Path of its config.
        epochs: Of its training.
        options: Settings over the config.
    """

    config: Path
    epochs: int
    options: Mapping


class Method(NamedTuple):
    """Where the synthetic pairs of a method come from.

    Attributes:
        generator: Name of the trained generator, of the mask model of a two-stage baseline, or with `masks` of what
            draws images for them; None with `pairs_of`.
        image: Name of the image model of a two-stage baseline, or None.
        super_resolution: Name of the super-resolution model, or None.
        masks: Folder of label maps to draw images for, below the root of the data, as 'tiles/ann_dir/train'; or None.
        remodel: Draw for new label maps after those.
        options: Settings over the generator's config when it draws, such as its guidance or its fractions.
        image_options: The same over the config of the image model.
        super_resolution_options: The same over the config of the super-resolution model.
        arguments: Further arguments of `tools/generate_pairs.py`.
        pairs_of: Name of the method whose pairs this one takes, to use them in another way; or None.
        drop_disagreeing: Leave pairs out whose masks disagree with a segmentor of real tiles: the plan's first one,
            after its training with the first seed.
        ratios: Tried in place of the plan's; empty for those.
        real_share: Share of real tiles in every batch; None for the one that they have in the mix.
        real_finish: Last epochs of a training that see real tiles alone.
        paper: What the paper calls it, to set its printed values beside; or None.
    """

    generator: str | None = None
    image: str | None = None
    super_resolution: str | None = None
    masks: str | None = None
    remodel: bool = False
    options: Mapping = {}
    image_options: Mapping = {}
    super_resolution_options: Mapping = {}
    arguments: Sequence[str] = ()
    pairs_of: str | None = None
    drop_disagreeing: bool = False
    ratios: Sequence[int] = ()
    real_share: float | None = None
    real_finish: int = 0
    paper: str | None = None


def method_generators(method: Method) -> list[str]:
    """Names of the models that draw the pairs of a method."""
    return [name for name in (method.generator, method.image, method.super_resolution) if name]


class Plan(NamedTuple):
    """A comparison.

    Attributes:
        name: Of the plan's file.
        data: Split -> root of the data set converted with it.
        segmentors: Name -> path of a config whose training set is a `SyntheticPairMix`.
        ratios: Synthetic samples per real one that are tried.
        methods: Name -> source of the pairs; 'real', without pairs, is always compared with.
        generators: Name -> how it is trained.
        seeds: One training each; the first is that of the generators, too.
        epochs: Of the segmentors.
        budget: 'epochs': a mixed training takes the same epochs, so 1 + ratio times as many iterations (the paper).
            'iterations': an epoch has as many samples as there are real ones, whatever is mixed in.
        segmentor_options: Settings over every segmentor's config.
        seconds: Guesses for an estimate of the time where nothing was measured yet: 'generator', an epoch of a
            generator, for all or by its name; 'pairs', a pair; 'segmentor', an epoch on real tiles; 'test'.
    """

    name: str
    data: Mapping[str, str]
    segmentors: Mapping[str, Path]
    ratios: Sequence[int]
    methods: Mapping[str, Method]
    generators: Mapping[str, Training]
    seeds: Sequence[int]
    epochs: int
    budget: str
    segmentor_options: Mapping
    seconds: Mapping[str, float]
