import pytest

from .test_work_dir import BEST, load
from .toy import Watch, checkpoints, train


def validations(work_dir, **options):
    """Iterations at which a training that is resumed validates."""
    train(work_dir, '--resume', custom_hooks=[dict(type='Watch')], **options)
    return list(Watch.validations)


@pytest.mark.parametrize(
    ('moment', 'iteration', 'expected'),
    [
        ('before_val_epoch', 4, [4, 6, 8]),  # the checkpoint of epoch 2 was due for it
        ('before_train_iter', 5, [4, 6, 8]),  # it was done, and the checkpoint does not tell so
        ('before_val_epoch', 2, [2, 4, 6, 8]),
    ],
)
def test_a_validation_that_was_cut_off_is_made_up_for(moment, iteration, expected, tmp_path):
    stop = [dict(type='Stop', moment=moment, iteration=iteration)]
    with pytest.raises(SystemExit):
        train(tmp_path / 'a', custom_hooks=stop)
    assert validations(tmp_path / 'a') == expected


def test_what_was_the_best_is_not_validated_again(tmp_path):
    with pytest.raises(SystemExit):
        train(tmp_path / 'a', custom_hooks=[dict(type='Stop', moment='before_train_iter', iteration=5)], **BEST)
    assert validations(tmp_path / 'a', **BEST) == [6, 8]


def test_the_best_weights_that_were_lost_are_found_again(tmp_path):
    options = {**BEST, 'val_evaluator.scores': [1.0, 3.0, 2.0, 2.0]}
    stop = [dict(type='Stop', moment='before_val_epoch', iteration=4)]
    with pytest.raises(SystemExit):
        train(tmp_path / 'a', custom_hooks=stop, **options)
    assert 'best_score_epoch_1.pth' in checkpoints(tmp_path / 'a')
    train(tmp_path / 'a', '--resume', **options)
    assert 'best_score_epoch_2.pth' in checkpoints(tmp_path / 'a')
    assert load(tmp_path / 'a/epoch_4.pth')['message_hub']['runtime_info']['best_score'] == 3


def test_intervals_begin_and_end_are_those_of_the_loop(tmp_path):
    options = {'train_cfg.val_interval': 3, 'train_cfg.val_begin': 2}
    for iteration, expected in ((3, [6, 8]), (7, [6, 8])):  # resumed from epochs 1 and 3
        with pytest.raises(SystemExit):
            stop = [dict(type='Stop', moment='before_train_iter', iteration=iteration)]
            train(tmp_path / f'{iteration}', custom_hooks=stop, **options)
        assert validations(tmp_path / f'{iteration}', **options) == expected
    train(tmp_path / 'whole', **options)
    assert validations(tmp_path / 'whole', **options) == [8]


def test_a_loop_of_iterations(tmp_path):
    options = {
        'loop': dict(type='IterBasedTrainLoop', max_iters=6, val_interval=2),
        'train_dataloader.sampler.type': 'InfiniteSampler',
        'default_hooks.checkpoint.by_epoch': False,
    }
    with pytest.raises(SystemExit):
        train(tmp_path / 'a', custom_hooks=[dict(type='Stop', moment='before_val_epoch', iteration=4)], **options)
    assert validations(tmp_path / 'a', **options) == [4, 6]


def test_a_training_without_validation(tmp_path):
    options = dict(val_cfg=None, val_dataloader=None, val_evaluator=None)
    train(tmp_path / 'a', epochs=1, **options)
    assert validations(tmp_path / 'a', **options) == []
