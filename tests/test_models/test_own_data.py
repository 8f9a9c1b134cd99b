import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_pfdiff.data.config_data_sets import inner_data_sets
from mmseg_pfdiff.data.layout import DataError
from mmseg_pfdiff.data.micrographs import convert_micrographs
from mmseg_pfdiff.engine.generator_checks import check_generator
from mmseg_pfdiff.engine.run_checks import check_run
from mmseg_pfdiff.models.own_data import rare_groups, use_data
from mmseg_pfdiff.requests.sampler import check_groups

from ..running import ROOT

OWN = ('ferrite', 'pearlite', 'cementite')
ONE = dict(type='MetalDAMDataset', data_root='a', pipeline=[dict(type='LoadImageFromFile')])
TWO = dict(type='SyntheticPairDataset', data_root='b')


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
