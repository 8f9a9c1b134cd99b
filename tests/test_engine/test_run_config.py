import argparse

import pytest
from mmengine.config import Config

from mmseg_pfdiff.engine.run_config import OWN_HOOKS, add_run_arguments, read_run_config, use_own_hooks

from ..running import ROOT


def kinds(**hooks):
    config = Config(dict(default_hooks=hooks) if hooks else {})
    use_own_hooks(config)
    return {name: hook and hook.type for name, hook in config.default_hooks.items()}


def test_trainings_of_any_config_get_the_hooks():
    assert kinds() == {'checkpoint': 'AtomicCheckpointHook', **OWN_HOOKS}
    assert kinds(checkpoint=dict(type='CheckpointHook', interval=3))['checkpoint'] == 'AtomicCheckpointHook'
    assert kinds(checkpoint=dict(type='MyHook'))['checkpoint'] == 'MyHook'
    assert kinds(resume=dict(type='MyResume'))['resume'] == 'MyResume'


def test_a_hook_can_be_left_out():
    assert 'validate_on_resume' not in kinds(validate_on_resume=None)
    assert kinds(checkpoint=None)['checkpoint'] is None, 'as mmengine takes it'


def test_the_base_of_our_configs_says_the_same():
    hooks = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py').default_hooks
    assert {name: hooks[name].type for name in OWN_HOOKS} == OWN_HOOKS


def test_data_of_a_command_line_and_settings_over_them(demo_data, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_run_arguments(parser)
    command = [str(ROOT / 'configs/pfdiff/unet_r50_real.py'), '--data', str(demo_data)]
    config = read_run_config(parser.parse_args([*command, '--cfg-options', 'test_dataloader.dataset.data_root=other']))
    assert [config[f'{part}_dataloader'].dataset.data_root for part in ('train', 'val', 'test')] == [
        str(demo_data), str(demo_data), 'other'
    ]  # fmt: skip
    assert '3 data sets of the config read it' in capsys.readouterr().out
    with pytest.raises(ValueError, match=r'has no dataset\.json'):
        read_run_config(parser.parse_args([command[0], '--data', str(tmp_path)]))
