import numpy as np
import pytest
from mmengine.config import Config, ConfigDict
from mmengine.dataset import RepeatDataset
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_pfdiff.data.config_data_sets import data_set_class, data_sets, inner_data_sets, rare_groups, use_data
from mmseg_pfdiff.data.layout import DataError
from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.data.micrographs import convert_micrographs
from mmseg_pfdiff.engine.generator_checks import check_generator
from mmseg_pfdiff.engine.run_checks import check_run
from mmseg_pfdiff.requests.sampler import check_groups

from ..running import ROOT

OWN = ('ferrite', 'pearlite', 'cementite')
ONE = dict(type='MetalDAMDataset', data_root='a', pipeline=[dict(type='LoadImageFromFile')])
TWO = dict(type='SyntheticPairDataset', data_root='b')


@DATASETS.register_module()
class WrapperOfAnotherPackage:
    """Keeps data sets under a key of its own, in a dict."""

    def __init__(self, sources):
        self.sources = sources

    def __getitem__(self, index):
        return self.sources['a'][index]


def types(config):
    return [one['type'] for one in data_sets(config)]


def test_data_sets_are_found_in_whatever_wraps_them():
    mix = dict(type='SyntheticPairMix', real=ONE, synthetic=TWO, ratio=1)
    concat = dict(type='ConcatDataset', datasets=[ONE, mix])
    other = dict(type='WrapperOfAnotherPackage', sources=dict(a=concat, b=(ONE,)))
    repeated = dict(type='RepeatDataset', dataset=other, times=2)
    whole = ConfigDict(type='MultiImageMixDataset', dataset=repeated, pipeline=[dict(type='RandomMosaic', prob=1.0)])
    wrappers = ['MultiImageMixDataset', 'RepeatDataset', 'WrapperOfAnotherPackage', 'ConcatDataset']
    inner = ['MetalDAMDataset', 'SyntheticPairMix', 'MetalDAMDataset', 'SyntheticPairDataset', 'MetalDAMDataset']
    assert types(whole) == wrappers + inner
    assert [one['data_root'] for one in inner_data_sets(whole)] == ['a', 'a', 'b', 'a']


def test_a_type_may_be_a_class_a_scoped_name_or_a_full_path():
    for kind in (MetalDAMDataset, 'mmseg.MetalDAMDataset', 'mmseg_pfdiff.data.MetalDAMDataset'):
        assert inner_data_sets(dict(type=RepeatDataset, dataset=dict(type=kind))) == [dict(type=kind)]


def test_what_is_no_data_set():
    assert not any(map(data_set_class, ['LoadAnnotations', 'NoSuchType', 'no.such.Type', 'torch.nn.Linear', None, 3]))
    assert list(data_sets({})) == list(data_sets(None)) == list(data_sets(dict(type='NoSuchType', dataset=ONE))) == []
    mix = dict(type='SyntheticPairMix', real=ONE, synthetic=TWO)
    assert inner_data_sets(dict(mix, ratio=0)) == [ONE] and inner_data_sets(dict(mix, ratio=1)) == [ONE, TWO]
    held = dict(type='MetalDAMDataset', pipeline=[dict(type='LoadAnnotations', source=TWO)])
    assert inner_data_sets(held) == [held]


@pytest.fixture(scope='module')
def own(tmp_path_factory):
    """A data set of three classes of one's own: ferrite 60 %, pearlite 30 %, cementite 10 %."""
    root, rng = tmp_path_factory.mktemp('own'), np.random.default_rng(0)
    parts = {part: (root / part / 'images', root / part / 'labels') for part in ('train', 'val', 'test')}
    for part, folders in parts.items():
        for folder in folders:
            folder.mkdir(parents=True)
        label = rng.choice(3, (64, 64), p=(0.6, 0.3, 0.1)).astype(np.uint8)
        for folder, pixels in zip(folders, (rng.integers(0, 256, (64, 64)).astype(np.uint8), label), strict=True):
            Image.fromarray(pixels).save(folder / f'{part}.png')
    convert_micrographs(parts, root / 'data', 3, 32, classes=OWN)
    return root / 'data'


def roots(config):
    return [dataset['data_root'] for part in ('train', 'val', 'test') if (loader := config.get(f'{part}_dataloader'))
            for dataset in inner_data_sets(loader.dataset)]  # fmt: skip


def test_own_data_in_a_segmentor(own):
    config = Config.fromfile(ROOT / 'configs/pfdiff/unet_r50_ratio8.py')
    line = use_data(config, own)
    assert roots(config) == [str(own), 'data/synthetic/metaldam', str(own), str(own)]
    assert config.model.decode_head.num_classes == 3
    assert 'ferrite, pearlite, cementite; 3 data sets' in line and 'model.decode_head.num_classes=3' in line
    check_run(config, ['val', 'test'])
    assert DATASETS.build(config.val_dataloader.dataset).metainfo['classes'] == OWN


def test_own_data_in_a_generator(own, demo_data):
    config = Config.fromfile(ROOT / 'configs/pfdiff/pf-diffseg_128x128.py')
    before = config.fraction_sampler.to_dict()
    use_data(config, demo_data)
    assert config.fraction_sampler.to_dict() == before and config.model.data_preprocessor.num_classes == 4
    use_data(config, own)
    assert roots(config) == [str(own)] * 2 and config.model.data_preprocessor.num_classes == 3
    groups = [(group['name'], group['share'], group.get('phase')) for group in config.fraction_sampler.groups]
    assert groups == [
        ('uniform', 0.7, None), ('rich_pearlite', 0.2, 'pearlite'), ('rich_cementite', 0.1, 'cementite')
    ]  # fmt: skip
    assert config.fraction_sampler.sigma == 0.02
    check_generator(config)


def test_data_sets_inside_wrappers_and_without_a_part(own):
    inner = dict(ONE, data_prefix=dict(img_path='img_dir/train'), type='MicrographDataset')
    pairs = dict(TWO, data_prefix=dict(img_path='images'))
    mix = dict(type='SyntheticPairMix', real=dict(type='ConcatDataset', datasets=[inner, inner]), ratio=1)
    train = dict(type='RepeatDataset', times=2, dataset=dict(mix, synthetic=pairs))
    config = Config(dict(train_dataloader=dict(dataset=train), val_dataloader=None))
    assert '2 data sets' in use_data(config, own)
    assert roots(config) == [str(own), str(own), 'b']


def test_data_that_do_not_fit(own, tmp_path):
    named = dict(ONE, data_prefix=dict(img_path='img_dir/train'))
    for dataset, root, error, message in (
        (named, own, DataError, r'has the classes matrix, .* has ferrite, .*type MicrographDataset'),
        (dict(named, metainfo=dict(classes=('a',))), own, DataError, 'has the classes a, '),
        (TWO, own, ValueError, 'no data set with data_root and data_prefix'),
        (named, tmp_path, DataError, r'has no dataset\.json, .*micrographs\.py'),
        (named, tmp_path / 'none', FileNotFoundError, 'There is no data set .*none: convert'),
    ):
        with pytest.raises(error, match=message):
            use_data(Config(dict(train_dataloader=dict(dataset=dataset))), root)


@pytest.mark.parametrize(
    ('pixels', 'groups'),
    [
        ([9, 1], ['uniform', 'rich_b']),
        ([5], ['uniform']),
        ([7, 0, 3, 9], ['uniform', 'rich_a', 'rich_c']),
    ],
)
def test_groups_of_rare_phases(pixels, groups):
    classes = list('abcd')[: len(pixels)]
    facts = dict(m=dict(class_pixels=pixels, ignored_pixels=5))
    mixture = rare_groups(dict(classes=classes, micrographs=facts, split=dict(train=['m'])))
    assert [group['name'] for group in mixture] == groups
    check_groups(mixture, classes)
