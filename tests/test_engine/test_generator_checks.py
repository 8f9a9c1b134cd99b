import shutil

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_pfdiff.checkpoints.open import open_generator
from mmseg_pfdiff.data.fraction_scan import TrainingTiles
from mmseg_pfdiff.data.label_scan import check_label_maps
from mmseg_pfdiff.data.layout import DataError
from mmseg_pfdiff.engine.generator_checks import check_generator

from ..running import ROOT

CONFIGS = ROOT / 'configs/small'


def generator_config(data, name='pf-diffseg_tiny-64x64', **changes):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    config.merge_from_dict({'train_dataloader.dataset.data_root': str(data), **changes})
    return config


@pytest.fixture
def no_defect(demo_data, tmp_path):
    """The data set with every pixel of defect turned into matrix."""
    root = shutil.copytree(demo_data, tmp_path / 'data')
    for path in (root / 'tiles/ann_dir/train').glob('*.png'):
        label = np.array(Image.open(path))
        Image.fromarray(np.where(label == 3, 0, label).astype(np.uint8)).save(path)
    return root


@pytest.mark.parametrize(
    'name', ['pf-diffseg_tiny-64x64', 'pair-sr_tiny-64to128', 'dcgan_tiny-64x64', 'pix2pixhd_tiny-64x64']
)
def test_configs_that_fit_their_data_pass(demo_data, name):
    check_generator(generator_config(demo_data, name))
    check_generator(Config.fromfile(CONFIGS / 'unet_r18_128x128_real.py'))


def test_label_maps_that_were_read_are_not_read_again(no_defect):
    config = generator_config(no_defect)
    tiles = TrainingTiles(config.train_dataloader.dataset)
    scan = check_label_maps([config.train_dataloader.dataset])
    for path in (no_defect / 'tiles/ann_dir/train').glob('*.png'):
        path.write_bytes(b'')
    vectors = tiles.fractions(scan.fractions).vectors
    assert len(vectors) == scan.number == 42 and (vectors[:, 3] == 0).all() and vectors.std(0)[:3].min() > 0
    with pytest.raises(ValueError, match=r"Group 'rich_defect': none of the 42 real vectors holds any defect"):
        check_generator(config, scan.fractions)
    with pytest.raises(DataError, match='cannot be read as an image'):
        check_generator(config)


PLANNER = dict(_delete_=True, type='FractionPlanner')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'fraction_sampler.groups.2.phase': 'ferrite'},
            "Group 'rich_defect' .*no class is called 'ferrite'; .*matrix",
        ),
        ({'fraction_sampler': dict(PLANNER, target_mean=dict(ferrite=0.1))}, 'target_mean names the classes .*matrix'),
        ({'fraction_sampler': dict(PLANNER, target_mean=dict(defect=0.9))}, 'target_mean .* is out of reach'),
        ({'fraction_sampler': dict(PLANNER)}, 'target_mean names the classes'),
        ({'fraction_sampler.sgima': 1}, 'fraction_sampler is no FractionSampler with .*sgima'),
        ({'fraction_sampler.sigma': -1}, 'sigma must be a number from 0'),
        ({'model.data_preprocessor.num_classes': 3}, r'have 4 classes \(matrix, .*the generator 3'),
    ],
)
def test_what_could_not_be_asked_for_later_is_said_before_training(demo_data, changes, message):
    with pytest.raises(ValueError, match=message):
        check_generator(generator_config(demo_data, **changes))


def test_a_group_of_a_phase_that_no_tile_shows(no_defect):
    with pytest.raises(ValueError, match=r"Group 'rich_defect': none of the .* real vectors holds any defect"):
        check_generator(generator_config(no_defect))
    check_generator(generator_config(no_defect, 'pair-sr_tiny-64to128'))


def test_the_default_groups_need_the_classes_of_the_paper(demo_data):
    config = generator_config(demo_data)
    config.pop('fraction_sampler')
    config.train_dataloader.dataset.metainfo = dict(classes=('matrix', 'austenite'))
    config.model.data_preprocessor.num_classes = 2
    with pytest.raises(
        ValueError, match=r'no class is called .*; the classes are matrix, austenite\. Say in fraction_'
    ):
        check_generator(config)


def test_a_missing_data_set_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'MicrographDataset of {tmp_path}/no: There is no data set'):
        check_generator(generator_config(tmp_path / 'no'))


def test_wrapped_data_sets_train_and_open_alike(random_generators, demo_data, tmp_path):
    """A generator of a `ConcatDataset` in a `RepeatDataset`: what training takes, opening takes."""
    config = Config.fromfile(random_generators[0])
    inner = config.train_dataloader.dataset
    halves = [dict(inner, indices=list(range(20))), dict(inner, indices=list(range(20, 42)))]
    repeated = dict(type='RepeatDataset', times=3, dataset=halves[1])
    config.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[halves[0], repeated])
    config.dump(tmp_path / 'wrapped.py')
    check_generator(config)
    wrapped = open_generator(str(tmp_path / 'wrapped.py'), str(random_generators[1]))
    plain = open_generator(*map(str, random_generators[:2]))
    assert wrapped.card.vectors.equal(plain.card.vectors) and wrapped.card.data == plain.card.data
    assert wrapped.identity == plain.identity and wrapped.requests.describe() == plain.requests.describe()
