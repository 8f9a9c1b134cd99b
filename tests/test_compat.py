import gc
import os
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from mmengine.config import Config

from mmseg_pfdiff.compat import SUPPORTED, check_openmmlab, import_openmmlab, no_garbage_collection, release

FORK = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmsegmentation': '1.4.2'}
UPSTREAM = {'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmsegmentation': '1.2.2'}


def check(installed):
    return check_openmmlab(SUPPORTED, installed.get)


def test_what_is_installed_here_is_told_and_its_configs_are_found_by_name(tmp_path):
    found = check_openmmlab()
    owners = packages_distributions()
    assert list(found) == ['mmengine', 'mmcv', 'mmseg']
    assert all(distribution in owners[module] for module, distribution in found.items())
    import_openmmlab()
    (tmp_path / 'mine.py').write_text("_base_ = ['mmseg::_base_/schedules/schedule_20k.py']")
    assert Config.fromfile(tmp_path / 'mine.py').train_cfg.max_iters == 20_000


@pytest.mark.parametrize('installed', [FORK, UPSTREAM, {**UPSTREAM, 'mmcv': '2.1.0+cu121'}])
def test_both_builds_are_supported(installed):
    assert set(check(installed).values()) == set(installed)


@pytest.mark.parametrize(
    ('installed', 'message'),
    [
        ({}, 'mmengine is not installed.*onedl-mmengine >=0.10.9,<0.11.0'),
        ({**FORK, 'mmcv': '2.1.0'}, 'mmcv is installed more than once'),
        ({**UPSTREAM, 'mmcv': '2.2.0'}, 'mmcv 2.2.0 is installed, mmseg_pfdiff needs mmcv >=2.1.0,<2.2.0'),
        ({**UPSTREAM, 'mmsegmentation': '0.30.0'}, 'mmsegmentation 0.30.0 .*>=1.2.0,<1.3.0'),
        ({**FORK, 'onedl-mmsegmentation': '2.0'}, 'onedl-mmsegmentation 2.0'),
        ({'mmengine': '0.10.7', 'onedl-mmcv': '2.3.6', 'mmsegmentation': '1.2.2'}, 'Parts of both builds'),
    ],
)
def test_errors_name_the_finding_the_bounds_and_the_command(installed, message):
    with pytest.raises(ImportError, match=message) as error:
        check(installed)
    assert 'MMCV_WITH_OPS=0 pip install' in str(error.value)


def test_a_broken_package_gives_the_remedy(tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv/__init__.py').write_text("raise ImportError('mmcv._ext: undefined symbol')")
    run = subprocess.run(
        [sys.executable, '-c', 'import mmseg_pfdiff'],
        env={**os.environ, 'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert 'fails to import: mmcv._ext: undefined symbol' in run.stderr and 'pip install' in run.stderr


def test_release():
    assert release('2.1.0rc1+cpu') == (2, 1, 0)
    with pytest.raises(ValueError, match='start with a number'):
        release('unknown')


def test_garbage_is_collected_again_after_an_import_that_fails():
    with pytest.raises(ImportError), no_garbage_collection():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    try:
        with no_garbage_collection():
            pass
        assert not gc.isenabled(), 'who keeps it off goes on doing so'
    finally:
        gc.enable()
