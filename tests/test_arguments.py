"""Arguments that several tools take."""

import argparse

import pytest

from mmseg_pfdiff.command_line import ConfigOptions, check_device, seed_number


@pytest.mark.parametrize('device', ['nonsense', 'meta', '', 'cuda:99'])
def test_devices_that_are_not_there(device, capsys):
    with pytest.raises(SystemExit, match='2'):
        check_device(argparse.ArgumentParser(), device)
    assert f'--device {device}: torch finds no such device here' in capsys.readouterr().err
    check_device(argparse.ArgumentParser(), 'cpu')


def test_settings_and_seeds(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions)
    parser.add_argument('--seed', type=seed_number)
    found = parser.parse_args(['--cfg-options', 'model.a=1', 'b=[2,3]', '--seed', '4'])
    assert found.cfg_options == {'model.a': 1, 'b': [2, 3]} and found.seed == 4
    for words, told in (
        (['--cfg-options', 'a=1', 'nokey'], "key=value, got 'nokey'"),
        (['--cfg-options', '=3'], "got '=3'"),
        (['--seed', '-1'], "at least 0; got '-1'"),
        (['--seed', '1.5'], "at least 0; got '1.5'"),
    ):
        with pytest.raises(SystemExit, match='2'):
            parser.parse_args(words)
        assert told in capsys.readouterr().err
