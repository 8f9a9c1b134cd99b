from types import SimpleNamespace

import torch

from mmseg_pfdiff.engine import FreshNoiseHook


def draw(seed, rank, iteration):
    torch.manual_seed(0)
    FreshNoiseHook().before_train(SimpleNamespace(seed=seed, rank=rank, iter=iteration))
    return torch.rand(3).tolist()


def test_a_resumed_training_has_noise_of_its_own_and_the_same_each_time():
    start = draw(5, 0, 0)
    torch.manual_seed(0)
    assert start == torch.rand(3).tolist(), 'a training that begins is left as it is'
    draws = [draw(5, 0, 0), draw(5, 0, 100), draw(5, 1, 100), draw(5, 0, 200), draw(6, 0, 100)]
    assert len({tuple(d) for d in draws}) == 5
    assert draw(5, 0, 100) == draws[1]
