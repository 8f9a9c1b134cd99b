"""GrainHook: measures the grain of the training tiles for a painter before it is trained."""

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.nn import functional as F

from ..models.gan.painter import PairPainter


@HOOKS.register_module()
class GrainHook(Hook):
    """Gives a :class:`~mmseg_pfdiff.models.PairPainter` the noise of evenly chosen training tiles.

    A painter that has it already, from a checkpoint, keeps it.
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
            raise TypeError(f'GrainHook is for a PairPainter, got a {type(model).__name__}. Leave the hook out.')
        if model.grain.deviations.any():
            runner.logger.info('Grain: that of the checkpoint, from the tiles it was trained on.')
            return
        tiles = runner.train_dataloader.dataset
        places = torch.linspace(0, len(tiles) - 1, model.grain.num).round().int().tolist()
        batch = pseudo_collate([tiles[place] for place in places])
        images = model.data_preprocessor(batch)['inputs']['images']
        model.grain.fit(images, F.avg_pool2d(images[:, None] / 127.5 - 1, model.factor))
        for measured in model.grain.buffers():
            broadcast(measured)  # each process has turned the tiles in its own way
        median = model.grain.deviations.median().item()
        runner.logger.info(f'Grain measured on {len(places)} tiles: median deviation {median:.1f} grey levels.')
