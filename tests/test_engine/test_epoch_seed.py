import random
from types import SimpleNamespace

import numpy as np
import torch

from mmseg_pfdiff.engine import EpochSeedHook


def draw(seed, rank, epoch):
    EpochSeedHook().before_train_epoch(SimpleNamespace(seed=seed, rank=rank, epoch=epoch))
    return (random.random(), np.random.rand(), torch.rand(1).item())


def test_numbers_follow_from_seed_process_and_epoch():
    draws = [draw(1, 0, 0), draw(1, 0, 1), draw(1, 1, 0), draw(2, 0, 0)]
    for column in zip(*draws, strict=True):
        assert len(set(column)) == 4
    assert draw(1, 0, 1) == draws[1]
