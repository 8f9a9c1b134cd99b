"""Checks of a generator before it is trained: whatever would stop it from drawing afterwards."""

from collections.abc import Mapping

from mmengine.config import Config
from torch import Tensor

from ..checkpoints.open import training_set
from ..checkpoints.weights import model_class
from ..data.fraction_scan import TileClasses, TrainingTiles
from ..models.diffusion.base import PairDiffusion
from ..models.diffusion.pf_diffseg import PFDiffSeg
from ..models.gan.base import AdversarialModel
from ..requests.base import build_requests, check_requests

# More tiles than this take longer to read (about 2 ms each) than one waits for a check.
MAX_TILES = 10_000


def check_generator(config: Config, known: Mapping[tuple[str, str], Tensor | None] | None = None) -> None:
    """Refuses the config of a generator whose fractions could not be asked for once it is trained.

    Classes and names are looked at first. Then, for a generator that is steered by fractions, its training tiles are
    read, up to :data:`MAX_TILES` of them: a group may be rich in a phase that no tile shows, a mean out of reach.

    Args:
        config: Of any run; that of another model than a generator passes. `fraction_sampler=None` leaves it for later
            what to ask for.
        known: Fractions of label maps that were read before, of :func:`mmseg_pfdiff.data.label_scan.check_label_maps`.

    Raises:
        FileNotFoundError: A data set is not there.
        ValueError: Data sets that differ in their classes, another number of them than the model has, a
            `fraction_sampler` that names a class which there is not, or that the tiles cannot serve.
    """
    kind = model_class(config)
    if kind is None or not issubclass(kind, PairDiffusion | AdversarialModel):
        return
    tiles = TrainingTiles(training_set(config))
    _check_number(config, tiles.classes)
    settings = config.get('fraction_sampler', {})
    if not issubclass(kind, PFDiffSeg) or settings is None:
        return
    classes = tiles.classes.classes
    check_requests(settings, classes)
    if len(tiles.samples) <= MAX_TILES:
        build_requests(settings, classes, tiles.fractions(known).vectors)


def _check_number(config: Config, tiles: TileClasses) -> None:
    number = config.model.get('data_preprocessor', {}).get('num_classes', len(tiles.classes))
    if number != len(tiles.classes):
        raise ValueError(
            f'The data sets have {len(tiles.classes)} classes ({", ".join(tiles.classes)}), the generator {number}. '
            f'Set model.data_preprocessor.num_classes={len(tiles.classes)}.'
        )
