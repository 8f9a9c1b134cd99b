import shutil

import pytest
from mmengine.config import Config
from mmengine.dataset import RepeatDataset

from mmseg_pfdiff.engine.run_checks import check_run, class_names
from mmseg_pfdiff.models.own_data import class_counts

from ..running import ROOT, run_tool
from .toy import train

CONFIGS = ROOT / 'configs/small'
CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')


@pytest.fixture(scope='module')
def plain():
    return Config.fromfile(CONFIGS / 'unet_r18_128x128_real.py')


@pytest.fixture(scope='module')
def mix():
    return Config.fromfile(CONFIGS / 'unet_r18_128x128_ratio2.py')


def with_data(config, root, **options):
    config = Config(config.to_dict())
    real = 'train_dataloader.dataset' + ('.real' if 'real' in config.train_dataloader.dataset else '')
    config.merge_from_dict({f'{real}.data_root': str(root), 'val_dataloader.dataset.data_root': str(root), **options})
    return config


def test_a_run_whose_data_are_there(plain, mix, demo_data, tmp_path):
    check_run(with_data(plain, demo_data), ['train', 'val'])
    check_run(with_data(mix, demo_data, **{'train_dataloader.dataset.synthetic.data_root': str(tmp_path)}), ['train'])
    # At ratio 0 there is no synthetic data set.
    check_run(with_data(mix, demo_data, **{'train_dataloader.dataset.ratio': 0}), ['train'])


def test_classes_of_a_data_set():
    assert class_names(dict(type='MetalDAMDataset')) == CLASSES
    assert class_names(dict(type='MetalDAMDataset', metainfo=dict(classes=('a', 'b')))) == ('a', 'b')


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'train_dataloader.dataset.synthetic.data_root': 'no/pairs'}, FileNotFoundError, 'no folder no/pairs'),
        ({'train_cfg.max_epochs': -1}, ValueError, 'max_epochs must be at least 1, got -1'),
        ({'train_cfg.max_epochs': 2.5}, ValueError, 'max_epochs must be at least 1, got 2.5'),
        ({'train_cfg.max_iters': 0}, ValueError, 'max_iters must be at least 1, got 0'),
        ({'train_cfg.val_interval': 0}, ValueError, 'val_interval must be at least 1, got 0'),
        ({'model.decode_head.num_classes': 3}, ValueError, r'has 4 classes .*Set model.decode_head.num_classes=4'),
        (
            {'model.auxiliary_head': [dict(type='FCNHead', num_classes=4), dict(type='FCNHead', num_classes=19)]},
            ValueError,
            r'network 19. Set model.auxiliary_head.1.num_classes=4',
        ),
        ({'optim_wrapper.type': 'AmpOptimWrapper'}, ValueError, r'--amp.* needs a GPU'),
        ({'val_dataloader.dataset.data_prefix.img_path': 'img_dir/none'}, FileNotFoundError, 'val_cfg=None'),
        ({'train_dataloader.dataset.real.data_prefix.seg_map_path': 'none'}, FileNotFoundError, 'no folder .*none'),
        ({'train_dataloader.dataset.real.img_suffix': '.gif'}, FileNotFoundError, r'no image \(\*.gif\) in .*train'),
    ],
)
def test_what_is_wrong_is_named(mix, demo_data, tmp_path, options, error, message):
    pairs = {'train_dataloader.dataset.synthetic.data_root': str(tmp_path)}
    with pytest.raises(error, match=message):
        check_run(with_data(mix, demo_data, **{**pairs, **options}), ['train', 'val'])


def test_wrappers_are_looked_into(plain, demo_data):
    config = with_data(plain, demo_data)
    inner = config.train_dataloader.dataset
    lacking = {**inner, 'data_root': 'no/data'}
    for wrapper in (
        dict(type='RepeatDataset', times=2, dataset=lacking),
        dict(type=RepeatDataset, times=2, dataset=lacking),
        dict(type='ConcatDataset', datasets=[inner, dict(type='RepeatDataset', times=2, dataset=lacking)]),
        dict(type='MultiImageMixDataset', dataset=lacking, pipeline=[]),
    ):
        config.train_dataloader.dataset = wrapper
        with pytest.raises(FileNotFoundError, match='MicrographDataset: no folder no/data'):
            check_run(config, ['train'])


def test_heads_that_make_their_own_targets_may_have_other_classes():
    model = dict(
        decode_head=[dict(type='FCNHead', num_classes=4), dict(type='PointHead', num_classes=4)],
        auxiliary_head=dict(type='STDCHead', num_classes=2),
        data_preprocessor=dict(num_classes=5),
    )
    assert class_counts(model) == {
        'model.decode_head.0.num_classes': 4,
        'model.decode_head.1.num_classes': 4,
        'model.data_preprocessor.num_classes': 5,
    }


def test_a_validation_part_without_images_and_training_without_it(plain, demo_data, tmp_path):
    shutil.copytree(demo_data, tmp_path / 'data')
    for path in (tmp_path / 'data/img_dir/val').iterdir():
        path.unlink()
    config = with_data(plain, tmp_path / 'data')
    with pytest.raises(FileNotFoundError, match=r'no image \(\*.png\) in .*val_cfg=None val_dataloader=None'):
        check_run(config, ['train', 'val'])
    config.merge_from_dict(dict(val_cfg=None, val_dataloader=None, val_evaluator=None))
    check_run(config, ['train', 'val'])


def test_before_training_nothing_is_written(demo_data, tmp_path):
    with pytest.raises(SystemExit, match='error: Mixed precision'):
        train(tmp_path / 'a', '--amp')
    groups = dict(groups=[dict(name='all', share=0.5), dict(name='rich', share=0.5, phase='ferrite', richest=0.1)])
    for lacking, settings in (
        ('ferrite', groups),
        ('bainite', dict(type='FractionPlanner', target_mean=dict(bainite=1))),
    ):
        config = Config.fromfile(CONFIGS / 'pf-diffseg_tiny-64x64.py')
        config.fraction_sampler = settings
        for part in ('train', 'val'):
            config[f'{part}_dataloader'].dataset.data_root = str(demo_data)
        config.dump(tmp_path / 'generator.py')
        with pytest.raises(SystemExit, match=f'error: .*{lacking}'):
            run_tool('train.py', tmp_path / 'generator.py', '--work-dir', tmp_path / 'b')
    assert not (tmp_path / 'a').exists() and not (tmp_path / 'b').exists()


def test_the_tools_say_it_in_a_line():
    with pytest.raises(SystemExit, match=r'error: There is no config no\.py'):
        run_tool('train.py', 'no.py')
    with pytest.raises(SystemExit, match='error: test_dataloader: MicrographDataset: no folder no/data'):
        run_tool(
            'test.py', CONFIGS / 'unet_r18_128x128_real.py', 'a.pth', '--cfg-options',
            'test_dataloader.dataset.data_root=no/data',
        )  # fmt: skip


def test_options_that_nothing_would_look_at_and_sections_that_are_none(plain, demo_data):
    config = CONFIGS / 'unet_r18_128x128_real.py'
    for option, expected in (
        ('optim_wraper.optimizer.lr=0.5', "Option optim_wraper.optimizer.lr: .* has no 'optim_wraper'"),
        ('train_cfg.max_epochs.a=1', 'Options train_cfg.max_epochs.a do not fit'),
        ('train_dataloader=3', 'train_dataloader must be a dict, got 3'),
        ('model=None', 'model must be a dict, got None'),
    ):
        with pytest.raises(SystemExit, match=f'error: .*{expected}'):
            run_tool('train.py', config, '--cfg-options', option)
    with pytest.raises(ValueError, match=r'train_dataloader: MicrographDataset: indices=0 leaves no sample'):
        check_run(with_data(plain, demo_data, **{'train_dataloader.dataset.indices': 0}), ['train'])
