import pytest
from mmengine.config import Config

from mmseg_pfdiff.models.operations import count_operations

from ..running import ROOT, run_tool


def test_a_network_by_hand():
    """A patch size of 2 widens the two 3x3 convolutions at the ends, and quarters the pixels of all between."""
    config = Config.fromfile(ROOT / 'configs/small/pf-diffseg_tiny-64x64.py')
    config.merge_from_dict({'model.unet.patch_size': 1, 'model.unet.block_out_channels': (32, 32)})
    whole = count_operations(config)
    config.merge_from_dict({'model.unet.patch_size': 2})
    halved = count_operations(config)
    # The ends see 16 channels in place of 4; everything between sees a quarter of the pixels,
    assert halved.parameters - whole.parameters == 2 * 12 * 32 * 9 + 12
    # but attention at the deepest stage: a sixteenth.
    assert 1 / 16 < halved.flops / whole.flops < 1 / 4


def test_the_tool_prints_the_published_sizes(capsys):
    names = ['pfdiff/pf-diffseg_128x128', 'pfdiff/pair-sr_128to256']
    names += ['baselines/seg-guided-mask_128x128', 'baselines/seg-guided-image_128x128']
    run_tool('count_operations.py', *(ROOT / f'configs/{name}.py' for name in names))
    out = capsys.readouterr().out
    # The paper: 113.7 M parameters; 124 and 498 GFLOP by an independent count of Tables A2 and A3.
    assert '| pair-sr_128to256 | 113.7 | 495.' in out and '| pf-diffseg_128x128 | 142.0 | 124.' in out


def test_networks_that_are_no_generators(tmp_path):
    with pytest.raises(SystemExit, match='is neither a diffusion model nor a painter'):
        run_tool('count_operations.py', ROOT / 'configs/small/unet_r18_128x128_real.py')


def test_the_fast_networks_are_small():
    for name, base in (('pf-diffseg_fast-128x128', 124.5e9), ('pair-sr_fast-128to256', 495.3e9)):
        counted = count_operations(Config.fromfile(ROOT / f'configs/pfdiff/{name}.py'))
        assert counted.parameters <= 30e6 and counted.flops < base / 5
