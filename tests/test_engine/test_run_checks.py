import pytest
from mmengine.config import Config

from mmseg_pfdiff.engine.run_checks import check_run, class_names, data_sets

from ..running import ROOT, run_tool

CONFIGS = ROOT / 'configs/pfdiff'


def mixed(root, **options):
    config = Config.fromfile(CONFIGS / 'unet_r18_128x128_ratio2.py')
    roots = {f'train_dataloader.dataset.{part}.data_root': str(root) for part in ('real', 'synthetic')}
    config.merge_from_dict({**roots, 'val_dataloader.dataset.data_root': str(root), **options})
    return config


def test_the_data_sets_of_a_mix(tmp_path):
    config = mixed(tmp_path)
    found = list(data_sets(config.train_dataloader.dataset))
    assert [one['type'] for one in found] == ['SyntheticPairMix', 'MetalDAMDataset', 'SyntheticPairDataset']
    assert class_names(found[1]) == ('matrix', 'austenite', 'martensite_austenite', 'defect')
    assert class_names(dict(type='MetalDAMDataset', metainfo=dict(classes=('a', 'b')))) == ('a', 'b')
    check_run(config, ['train', 'val'])


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'train_dataloader.dataset.synthetic.data_root': 'no/pairs'}, FileNotFoundError, 'no folder no/pairs'),
        ({'train_cfg.max_epochs': -1}, ValueError, 'max_epochs must be at least 1, got -1'),
        ({'model.decode_head.num_classes': 3}, ValueError, r'has 4 classes .*num_classes=4'),
    ],
)
def test_what_is_wrong_is_named(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        check_run(mixed(tmp_path, **options), ['train', 'val'])


def test_the_tools_say_it_in_a_line():
    with pytest.raises(SystemExit, match=r"error: .*'no\.py'"):
        run_tool('train.py', 'no.py')
    with pytest.raises(SystemExit, match='error: test_dataloader: MetalDAMDataset: no folder no/data'):
        run_tool(
            'test.py', CONFIGS / 'unet_r18_128x128_real.py', 'a.pth', '--cfg-options',
            'test_dataloader.dataset.data_root=no/data',
        )  # fmt: skip
