"""EpochSeedHook: a training that was interrupted ends with the weights of one that was not."""

import random

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds all random numbers of this process by (seed, process, epoch) at the start of each epoch.

    A resumed training then draws what it would have drawn. With augmentation in this process (`num_workers=0`) and
    kernels that repeat themselves, as on a CPU, it ends with the very weights of an uninterrupted one; worker
    processes have random numbers of their own, which mmengine seeds once.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seeds."""
        sequence = np.random.SeedSequence([runner.seed, runner.rank, runner.epoch])
        seed = int(sequence.generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
