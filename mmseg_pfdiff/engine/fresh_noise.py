"""FreshNoiseHook: a resumed training does not draw the noise of its beginning again."""

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class FreshNoiseHook(Hook):
    """Seeds torch by (seed, process, iteration) when training begins.

    On resuming, mmengine seeds as at the start of the training: time steps and noise would repeat.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Seeds."""
        if runner.iter:
            sequence = np.random.SeedSequence([runner.seed, runner.rank, runner.iter])
            torch.manual_seed(int(sequence.generate_state(1)[0]))
