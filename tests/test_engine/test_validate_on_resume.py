from types import SimpleNamespace

import pytest

from mmseg_pfdiff.engine import ValidateOnResumeHook


@pytest.mark.parametrize(('epoch', 'validated'), [(0, False), (2, False), (3, True), (4, False), (6, True), (10, True)])
def test_a_checkpoint_that_was_due_is_validated(epoch, validated):
    calls = []
    loop = SimpleNamespace(val_begin=1, val_interval=3, max_epochs=10)
    runner = SimpleNamespace(epoch=epoch, train_loop=loop, val_loop=SimpleNamespace(run=lambda: calls.append(epoch)))
    ValidateOnResumeHook().before_train(runner)
    assert bool(calls) == validated


def test_a_training_without_validation():
    loop = SimpleNamespace(val_begin=1, val_interval=3, max_epochs=10)
    ValidateOnResumeHook().before_train(SimpleNamespace(epoch=3, train_loop=loop, val_loop=None))
