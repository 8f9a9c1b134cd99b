"""GANAveragingHook: averaged weights of GANs, also where several processes train and go on."""

from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_state_dict
from mmseg.registry import HOOKS


@HOOKS.register_module()
class GANAveragingHook(EMAHook):
    """mmengine's `EMAHook` for an :class:`~mmseg_pfdiff.models.gan.base.AdversarialModel`.

    The networks of one are wrapped each by itself for distributed training, and its checkpoints hold no names of
    wrappers. mmengine looks for the averages of a checkpoint under these, finds none, and goes on from random weights.

    Args:
        **kwargs: Of `EMAHook`.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Takes averages and weights of a checkpoint that training goes on from."""
        if not (runner._resume and 'ema_state_dict' in checkpoint):
            super().after_load_checkpoint(runner, checkpoint)
            return
        # A checkpoint holds the averages as its weights, for those who load it to draw.
        self._swap_ema_state_dict(checkpoint)
        averages = dict(checkpoint['ema_state_dict'])
        self.ema_model.steps.copy_(averages.pop('steps'))
        names = {name.removeprefix('module.'): value for name, value in averages.items()}
        load_state_dict(self.ema_model.module, names, strict=self.strict_load)
