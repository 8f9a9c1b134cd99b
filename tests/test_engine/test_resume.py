"""What a resumed training takes from the present config, and what it refuses."""

import pytest
import torch
from mmengine.config import Config

from mmseg_pfdiff.engine.config_changes import config_changes, settings_of

from .test_work_dir import BEST, contents, load
from .toy import Watch, toy_config, toy_runner, train

WATCH = dict(custom_hooks=[dict(type='Watch')])
PAIR = {
    'model.type': 'ToyPair',
    'optim_wrapper': dict(
        constructor='PerModuleOptimWrapperConstructor',
        optimizer=dict(type='Adam', lr=0.1),
        modules=dict(generator=dict(), discriminator=dict(optimizer=dict(lr=0.2))),
    ),
}
LONGER = {'epochs': 6}
COSINE = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
WARM_UP = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3)
# Schedules; what is changed when training goes on.
CHANGES = {
    'longer': (dict(param_scheduler=[COSINE]), LONGER),
    'longer, by epochs after a warm-up': (
        dict(param_scheduler=[WARM_UP, dict(type='PolyLR', power=0.9, by_epoch=True)]),
        LONGER,
    ),
    'another rate': (dict(param_scheduler=[COSINE]), {'optim_wrapper.optimizer.lr': 0.03}),
    'another rate without a schedule': ({}, {'optim_wrapper.optimizer.lr': 0.03}),
    'another schedule': (
        dict(param_scheduler=[COSINE]),
        dict(param_scheduler=[dict(type='MultiStepLR', by_epoch=True, milestones=[1, 3])]),
    ),
    'a schedule where there was none': ({}, dict(param_scheduler=[COSINE])),
    'none where there was one': (dict(param_scheduler=[COSINE]), dict(param_scheduler=None)),
    'two optimizers, longer': (dict(PAIR, param_scheduler=[COSINE]), LONGER),
    'two optimizers, schedules by name': (
        dict(PAIR, param_scheduler=dict(generator=[COSINE], discriminator=[WARM_UP])),
        LONGER,
    ),
    'groups of parameters': (
        {'param_scheduler': [COSINE], 'optim_wrapper.paramwise_cfg': dict(bias_lr_mult=2.0)},
        {'optim_wrapper.optimizer.lr': 0.05},
    ),
    'a schedule of momentum': (
        dict(param_scheduler=[COSINE, dict(type='CosineAnnealingMomentum', by_epoch=False, T_max=8)]),
        LONGER,
    ),
}


def rates(work_dir, *flags, **options):
    train(work_dir, *flags, **WATCH, **options)
    return list(Watch.rates)


@pytest.mark.parametrize('case', CHANGES)
def test_rates_are_those_of_an_uninterrupted_training_of_the_new_config(case, tmp_path):
    before, changed = CHANGES[case]
    after = {**before, **changed}
    whole = rates(tmp_path / 'whole', **after)
    if changed is LONGER:
        train(tmp_path / 'parts', epochs=2, **before)
    else:
        with pytest.raises(SystemExit):
            stop = [dict(type='Stop', moment='before_train_iter', iteration=5)]
            train(tmp_path / 'parts', custom_hooks=stop, **before)
    resumed = rates(tmp_path / 'parts', '--resume', **after)
    assert resumed[0][0] == 4 and len(resumed) == len(whole) - 4
    assert resumed == whole[4:], 'to the last bit'
    groups = [load(tmp_path / f'{name}/epoch_{len(whole) // 2}.pth')['optimizer'] for name in ('whole', 'parts')]
    assert str(hyper_parameters(groups[0])) == str(hyper_parameters(groups[1]))


def hyper_parameters(state):
    if 'param_groups' not in state:
        return {name: hyper_parameters(part) for name, part in state.items()}
    return [
        {key: value for key, value in group.items() if not key.startswith('initial_')}
        for group in state['param_groups']
    ]


def test_training_longer_is_told_in_the_log(tmp_path):
    schedule = dict(param_scheduler=[COSINE], log_level='INFO')
    train(tmp_path / 'a', epochs=2, **schedule)
    train(tmp_path / 'a', '--resume', epochs=4, **schedule)
    log = max((tmp_path / 'a').glob('*/*.log')).read_text()
    assert 'Changed since the checkpoint, and in effect from here on: train_cfg.max_epochs is 4 and was 2.' in log
    assert (
        'Learning rates from iteration 4 on are those of an uninterrupted training of the present config: lr 0.05; '
        'the checkpoint had lr 0.' in log
    )


def test_a_training_that_has_come_to_its_end_says_how_to_go_on(tmp_path):
    for loop in (None, dict(by_epoch=False, max_iters=4)):
        place = tmp_path / ('epochs' if loop is None else 'iterations')
        options = {'loop': loop, 'log_level': 'INFO', 'default_hooks.checkpoint.by_epoch': loop is None}
        train(place, epochs=2, **options)
        train(place, '--resume', epochs=2, **options)
        log = max(place.glob('*/*.log')).read_text()
        assert 'come to its end of 4 iterations before. To train longer, raise train_cfg.max_epochs' in log


def test_settings_of_the_optimizer_are_the_present_ones_and_its_state_stays(tmp_path):
    train(tmp_path / 'a', epochs=2, **{'optim_wrapper.optimizer.momentum': 0.9})
    changed = {'optim_wrapper.optimizer.momentum': 0.5, 'optim_wrapper.optimizer.weight_decay': 0.125}
    runner = toy_runner(tmp_path / 'a', resume=True, epochs=2, **changed)
    runner.train()
    [group] = runner.optim_wrapper.param_groups
    assert (group['momentum'], group['weight_decay']) == (0.5, 0.125)
    state = load(tmp_path / 'a/epoch_2.pth')['optimizer']['state']
    for place, weight in enumerate(group['params']):
        assert torch.equal(
            runner.optim_wrapper.optimizer.state[weight]['momentum_buffer'], state[place]['momentum_buffer']
        )


EMA = dict(type='EMAHook', momentum=0.1)


@pytest.mark.parametrize(
    ('before', 'now', 'message'),
    [
        ({}, {'train_dataloader.batch_size': 4}, 'train_dataloader.batch_size is 4 and was 2'),
        ({}, {'train_dataloader.sampler.type': 'InfiniteSampler'}, r'train_dataloader.sampler.type'),
        ({}, {'train_dataloader.dataset.size': 6}, 'train_dataloader.dataset.size is 6 and was None'),
        ({}, {'train_dataloader.dataset.pipeline': [dict(type='x')]}, 'train_dataloader.dataset.pipeline'),
        ({}, {'model.norm': True}, 'model.norm is True and was None'),
        ({}, {'randomness.seed': 1}, 'randomness.seed is 1 and was 0'),
        ({}, {'optim_wrapper.optimizer.type': 'Adam'}, "optim_wrapper.optimizer.type is 'Adam' and was 'SGD'"),
        ({}, {'optim_wrapper.paramwise_cfg': dict(bias_lr_mult=2.0)}, '2 groups of parameters and had 1'),
        ({}, dict(custom_hooks=[EMA]), 'custom_hooks.EMAHook'),
        (
            dict(custom_hooks=[EMA]),
            dict(custom_hooks=[{**EMA, 'momentum': 0.2}]),
            'EMAHook.momentum is 0.2 and was 0.1',
        ),
        (dict(custom_hooks=[EMA]), {}, 'custom_hooks.EMAHook'),
        ({}, dict(loop=dict(by_epoch=False, max_iters=9)), 'train_cfg.type'),
        (BEST, {**BEST, 'default_hooks.checkpoint.rule': 'less'}, "checkpoint.rule is 'less' and was 'greater'"),
    ],
)
def test_what_makes_another_training_is_refused_by_name(before, now, message, tmp_path):
    train(tmp_path / 'a', epochs=1, **before)
    before = contents(tmp_path / 'a')
    with pytest.raises(SystemExit, match=f'error: .*--resume cannot go on.*{message}'):
        train(tmp_path / 'a', '--resume', **now)
    assert {k: v for k, v in contents(tmp_path / 'a').items() if k.endswith('.pth')} == {
        k: v for k, v in before.items() if k.endswith('.pth')
    }


def test_a_refusal_leaves_the_resolved_config_as_it_was(tmp_path):
    train(tmp_path / 'a', epochs=1)
    before = contents(tmp_path / 'a')
    with pytest.raises(SystemExit, match='--resume cannot go on'):
        train(tmp_path / 'a', '--resume', **{'train_dataloader.batch_size': 4})
    assert contents(tmp_path / 'a') == before


def test_a_schedule_that_follows_the_validation_goes_on_as_it_was(tmp_path):
    plateau = dict(type='ReduceOnPlateauLR', monitor='score', rule='greater', patience=0, factor=0.5, by_epoch=True)
    options = {'param_scheduler': [plateau], 'val_evaluator.scores': [1.0] * 9}
    whole = rates(tmp_path / 'whole', **options)
    assert len({rate['lr'][0] for _, rate in whole}) > 2
    with pytest.raises(SystemExit):
        train(tmp_path / 'a', custom_hooks=[dict(type='Stop', moment='before_train_iter', iteration=5)], **options)
    with pytest.raises(SystemExit, match=r'follows the validation.*optim_wrapper.optimizer.lr is 0.3 and was 0.1'):
        train(tmp_path / 'a', '--resume', **options, **{'optim_wrapper.optimizer.lr': 0.3})
    assert rates(tmp_path / 'a', '--resume', **options) == whole[4:]


def test_other_numbers_of_samples_under_the_same_config_are_noticed(tmp_path):
    """As after a folder got more files."""
    train(tmp_path / 'a', epochs=1)
    checkpoint = load(tmp_path / 'a/epoch_1.pth')
    for meta, message in (
        (dict(samples=5), 'number of samples is 4 and was 5'),
        (dict(processes=2), 'number of processes is 1 and was 2'),
        (None, 'number of iterations in an epoch is 2 and was 3'),
    ):
        changed = {**checkpoint, 'meta': {**checkpoint['meta'], **(meta or {})}}
        if meta is None:  # written by another program
            del changed['meta']['samples'], changed['meta']['processes']
            changed['meta']['iter'] = 3
        torch.save(changed, tmp_path / 'a/epoch_1.pth')
        with pytest.raises(SystemExit, match=message):
            train(tmp_path / 'a', '--resume', epochs=2)


def test_what_is_harmless_may_change(tmp_path):
    train(tmp_path / 'a', epochs=1)
    train(
        tmp_path / 'a',
        '--resume',
        epochs=2,
        **{
            'train_dataloader.num_workers': 1,
            'train_dataloader.dataset.data_root': str(tmp_path),
            'default_hooks.checkpoint.interval': 2,
            'train_cfg.val_interval': 2,
            'randomness.seed': None,
            **BEST,
        },
    )
    assert load(tmp_path / 'a/epoch_2.pth')['meta']['seed'] == 0


def test_a_checkpoint_without_the_optimizer_is_refused(tmp_path):
    train(tmp_path / 'a', epochs=1)
    checkpoint = load(tmp_path / 'a/epoch_1.pth')
    del checkpoint['optimizer']
    torch.save(checkpoint, tmp_path / 'a/epoch_1.pth')
    with pytest.raises(ValueError, match='without the state of the optimizer'):
        toy_runner(tmp_path / 'a', resume=True).train()


def test_a_checkpoint_within_an_epoch_is_warned_of(tmp_path):
    options = {'default_hooks.checkpoint.by_epoch': False, 'log_level': 'WARNING', 'train_dataloader.batch_size': 1}
    with pytest.raises(SystemExit):
        train(tmp_path / 'a', custom_hooks=[dict(type='Stop', moment='before_train_iter', iteration=6)], **options)
    train(tmp_path / 'a', '--resume', epochs=2, **options)
    assert 'within epoch 2, which begins anew' in max((tmp_path / 'a').glob('*/*.log')).read_text()


def test_the_text_of_a_config_is_read_and_not_run(tmp_path):
    text = (
        f"import os\nos.mkdir('{tmp_path}/made')\na = dict(b=[1, (2.5, -3)], c={{'d.e': None}}, f=dict({{'g': 'h'}}))\n"
        f"i = os.mkdir('{tmp_path}/made')\nj = k.L\n"
    )
    expected = dict(a=dict(b=[1, [2.5, -3]], c={'d.e': None}, f=dict(g='h')))
    assert settings_of(text) == expected | dict(i=f"os.mkdir('{tmp_path}/made')", j='k.L')
    assert not (tmp_path / 'made').exists()
    with pytest.raises(ValueError, match='cannot be read'):
        settings_of('a = (')


def test_changes_of_a_config():
    before, now = toy_config('a'), toy_config('b')
    now.merge_from_dict({'log_level': 'INFO', 'train_cfg.max_epochs': 9, 'train_dataloader.batch_size': 3})
    assert config_changes(before.pretty_text, now) == (
        [('train_dataloader.batch_size', 2, 3)],
        [('train_cfg.max_epochs', 4, 9)],
    )
    assert config_changes(Config(dict(a=1)).pretty_text, Config(dict(a=2))) == ([], [])
