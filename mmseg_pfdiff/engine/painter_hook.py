"""PainterHook: measures the training tiles for a painter before it is trained."""

import itertools

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor
from torch.nn import functional as F

from ..models.gan.mask_painter import MaskPainter
from ..models.gan.painter import PairPainter
from ..models.validation import batches

# Tiles that are reduced together.
TOGETHER = 32


@HOOKS.register_module()
class PainterHook(Hook):
    """Gives a :class:`~mmseg_pfdiff.models.PairPainter` the noise of evenly chosen training tiles, and a
    :class:`~mmseg_pfdiff.models.MaskPainter` their looks as well.

    A painter that has them already, from a checkpoint, keeps them.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Measures.

        Args:
            runner: With a painter and the tiles it is trained on.

        Raises:
            TypeError: The model is no painter.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(model, PairPainter):
            raise TypeError(f'PainterHook is for a PairPainter, got a {type(model).__name__}. Leave the hook out.')
        if model.grain.deviations.any():
            runner.logger.info('Grain and looks: those of the checkpoint, from the tiles it was trained on.')
            return
        tiles = runner.train_dataloader.dataset
        images, _ = chosen_tiles(model, tiles, model.grain.num)
        model.grain.fit(images, F.avg_pool2d(images[:, None] / 127.5 - 1, model.factor))
        if isinstance(model, MaskPainter):
            images, labels = chosen_tiles(model, tiles, model.looks.num)
            model.looks.fit(images[:, None] / 127.5 - 1, labels, model.factor)
        parts = (model.grain, model.looks) if isinstance(model, MaskPainter) else (model.grain,)
        for measured in itertools.chain(*(part.buffers() for part in parts)):
            broadcast(measured)  # each process has turned the tiles in its own way
        median = model.grain.deviations.median().item()
        runner.logger.info(f'Grain measured on {model.grain.num} tiles: median deviation {median:.1f} grey levels.')


def chosen_tiles(model: PairPainter, tiles: torch.utils.data.Dataset, number: int) -> tuple[Tensor, Tensor]:
    """Evenly chosen tiles of a data set at the size that a painter draws; some again where there are too few.

    Args:
        model: The painter.
        tiles: Data set of mmseg.
        number: How many.

    Returns:
        Images, (number, size, size) float32 in [0, 255], and label maps, (number, size, size) int64.
    """
    places = torch.linspace(0, len(tiles) - 1, number).round().int().tolist()
    inputs = [
        model.data_preprocessor(pseudo_collate([tiles[place] for place in part]))['inputs']
        for part in batches(places, TOGETHER)
    ]
    return tuple(torch.cat([each[name] for each in inputs]) for name in ('images', 'labels'))
