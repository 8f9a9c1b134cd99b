"""Checks of a generator before it is trained: whatever would stop it from drawing afterwards."""

from collections.abc import Mapping, Sequence

from mmengine.config import Config

from ..checkpoints.open import training_set
from ..checkpoints.weights import model_class
from ..data.fraction_scan import TileClasses, dataset_classes, dataset_fractions, number_of_tiles
from ..models.diffusion.base import PairDiffusion
from ..models.diffusion.pf_diffseg import PFDiffSeg
from ..models.gan.base import AdversarialModel
from ..requests.base import build_requests
from ..requests.sampler import PAPER_GROUPS, check_groups
from ..requests.target_mean import check_target_mean

# More tiles than this take longer to read (about 2 ms each) than one waits for a check.
MAX_SCANNED = 10_000


def check_generator(config: Config) -> None:
    """Refuses the config of a generator whose fractions could not be asked for once it is trained.

    Classes and names are looked at first. Then, for a generator that is steered by fractions, its training tiles are
    read, up to :data:`MAX_SCANNED` of them: a group may be rich in a phase that no tile shows, a mean out of reach.

    Args:
        config: Of any run; that of another model than a generator passes. `fraction_sampler=None` leaves it for later
            what to ask for.

    Raises:
        FileNotFoundError: A data set is not there.
        ValueError: Data sets that differ in their classes, another number of them than the model has, a
            `fraction_sampler` that names a class which there is not, or that the tiles cannot serve.
    """
    kind = model_class(config)
    if kind is None or not issubclass(kind, PairDiffusion | AdversarialModel):
        return
    dataset = training_set(config)
    tiles = dataset_classes(dataset)
    _check_number(config, tiles)
    settings = config.get('fraction_sampler', {})
    if not issubclass(kind, PFDiffSeg) or settings is None:
        return
    _check_names(settings, tiles.classes)
    if number_of_tiles(dataset) <= MAX_SCANNED:
        build_requests(settings, tiles.classes, dataset_fractions(dataset).vectors)


def _check_names(settings: Mapping, classes: Sequence[str]) -> None:
    kind = settings.get('type', 'FractionSampler')
    if kind == 'FractionSampler':
        check_groups(settings.get('groups', PAPER_GROUPS), classes)
    elif kind == 'FractionPlanner':
        check_target_mean(settings.get('target_mean'), classes)


def _check_number(config: Config, tiles: TileClasses) -> None:
    number = config.model.get('data_preprocessor', {}).get('num_classes', len(tiles.classes))
    if number != len(tiles.classes):
        raise ValueError(
            f'The data sets have {len(tiles.classes)} classes ({", ".join(tiles.classes)}), the generator {number}. '
            f'Set model.data_preprocessor.num_classes={len(tiles.classes)}.'
        )
