import numpy as np
import pytest
import torch
from mmcv.transforms import LoadAnnotations
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmseg_pfdiff.data.fraction_scan import dataset_classes, dataset_fractions
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')
HALVES = np.repeat([[0, 0, 3, 3]], 4, 0)


def data_set(root, labels, **settings):
    """The config of a data set of label maps, which are written."""
    for name in ('img', 'ann'):
        (root / name).mkdir(parents=True)
    for n, label in enumerate(labels):
        for name in ('img', 'ann'):
            Image.fromarray(label.astype(np.uint8)).save(root / name / f'{n}.png')
    prefix = dict(img_path='img', seg_map_path='ann')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='RandomCrop', crop_size=(2, 2))]
    return dict(type='MetalDAMDataset', data_root=str(root), data_prefix=prefix, pipeline=pipeline, **settings)


@pytest.fixture
def config(tmp_path):
    return data_set(tmp_path / 'a', [np.zeros((4, 4)), np.full((4, 4), 255), np.repeat([[0, 1, 2, 3]], 4, 0)])


@pytest.fixture
def other(tmp_path):
    return data_set(tmp_path / 'b', [HALVES])


@pytest.fixture
def pairs(tmp_path):
    """A pair folder of one kept pair, all austenite."""
    palette = [[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]]
    folder = PairFolder.create(tmp_path / 'pairs', dict(classes=CLASSES, palette=palette))
    ones = np.ones((4, 4), np.uint8)
    folder.write(PairRow(0, 0, 'uniform', (0, 1, 0, 0), (0, 1, 0, 0)), ones, ones)
    return dict(type='SyntheticPairDataset', data_root=str(folder.root), pipeline=[dict(type='LoadAnnotations')])


def test_each_tile_gives_its_fractions_and_ignored_tiles_none(config):
    tiles = dataset_fractions(config)
    assert tiles.classes == CLASSES and tiles.palette[1] == [240, 228, 66] and tiles.kinds == ('MetalDAMDataset',)
    assert tiles.vectors.tolist() == [[1, 0, 0, 0], [0.25] * 4]


@pytest.mark.parametrize(
    'wrap',
    [
        lambda a, b: dict(type='ConcatDataset', datasets=[a, b]),
        lambda a, b: dict(type='RepeatDataset', times=5, dataset=dict(type='ConcatDataset', datasets=[a, b])),
        lambda a, b: dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', times=3, dataset=a), b]),
        lambda a, b: dict(
            type='MultiImageMixDataset',
            dataset=dict(type='ConcatDataset', datasets=[a, b]),
            pipeline=[dict(type='RandomFlip', prob=1.0)],
        ),
        lambda a, b: dict(
            type='ClassBalancedDataset', oversample_thr=0.5, dataset=dict(type='ConcatDataset', datasets=(a, b))
        ),
        # One that two of them hold counts once as well.
        lambda a, b: dict(type='ConcatDataset', datasets=[a, dict(a, indices=[2]), b, b]),
        lambda a, b: [a, b],
    ],
)
def test_every_inner_data_set_is_scanned_once(config, other, wrap):
    tiles = dataset_fractions(wrap(config, other))
    assert tiles.vectors.tolist() == [[1, 0, 0, 0], [0.25] * 4, [0.5, 0, 0, 0.5]]
    assert dataset_classes(wrap(config, other)) == (CLASSES, tiles.palette)


def test_a_mix_counts_its_synthetic_pairs_too(config, pairs):
    mix = dict(type='SyntheticPairMix', real=config, synthetic=pairs, ratio=1)
    tiles = dataset_fractions(mix)
    assert tiles.vectors.tolist() == [[1, 0, 0, 0], [0.25] * 4, [0, 1, 0, 0]]
    assert tiles.kinds == ('MetalDAMDataset', 'SyntheticPairDataset')
    gone = dict(pairs, data_root='no/pairs')
    assert len(dataset_fractions(dict(mix, synthetic=gone, ratio=0)).vectors) == 2
    with pytest.raises(FileNotFoundError, match='SyntheticPairDataset of no/pairs: no/pairs is not a pair folder'):
        dataset_fractions(dict(mix, synthetic=gone))


@pytest.mark.parametrize(
    ('metainfo', 'thing'),
    [(dict(classes=CLASSES[:3]), 'classes'), (dict(palette=[[1, 1, 1]] * 4), 'palette')],
)
def test_data_sets_that_differ_are_named(config, other, metainfo, thing):
    wrapped = dict(type='ConcatDataset', datasets=[config, dict(other, metainfo=metainfo)])
    for read in (dataset_classes, dataset_fractions):
        with pytest.raises(ValueError, match=rf'the same {thing} .*/a has .*/b has .*Set `metainfo`'):
            read(wrapped)


def test_a_missing_data_set_is_named(config, other):
    wrapped = dict(type='ConcatDataset', datasets=[config, dict(other, data_root='no/data')])
    assert dataset_classes(wrapped).classes == CLASSES, 'nothing is read'
    with pytest.raises(FileNotFoundError, match=r'MetalDAMDataset of no/data: .*is not there.*--data FOLDER'):
        dataset_fractions(wrapped)


def test_a_label_map_that_cannot_be_used_is_named(config, tmp_path):
    path = tmp_path / 'a/ann/2.png'
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 25])
    loaders = ([], [dict(type='LoadLabelMap')], [dict(type='LoadAnnotations')])
    for pipeline in loaders:
        with pytest.raises(ValueError, match=r'a/ann/2\.png'):
            dataset_fractions(dict(config, pipeline=pipeline))
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(path)
    with pytest.raises(ValueError, match=r'a/ann/2\.png: Labels must be 0\.\.3 or 255 .*got \[7\]'):
        dataset_fractions(config)
    Image.fromarray(np.full((4, 4, 3), (0, 0, 9), np.uint8)).save(path)
    for pipeline in loaders:
        with pytest.raises(ValueError, match=r'a/ann/2\.png'):
            dataset_fractions(dict(config, pipeline=pipeline))
    Image.fromarray(np.full((4, 4, 3), 2, np.uint8)).save(path)
    assert dataset_fractions(config).vectors.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]], 'equal channels are one'
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'a/ann/2\.png'):
        dataset_fractions(config)


@TRANSFORMS.register_module()
class LoadTwos(LoadAnnotations):
    """Every pixel is of class 2."""

    def transform(self, results):
        return dict(results, gt_seg_map=np.full((4, 4), 2))


@DATASETS.register_module()
class NotInTheMannerOfMmseg:
    def __init__(self, folder):
        self.folder = folder

    def __getitem__(self, index):
        return self.folder[index]


def test_label_maps_are_read_as_the_data_set_reads_them(config):
    tiles = dataset_fractions(dict(config, pipeline=[*config['pipeline'], dict(type=LoadTwos)]))
    assert torch.equal(tiles.vectors, torch.tensor([[0, 0, 1, 0]] * 3).double())


def test_what_cannot_be_scanned_is_named(config):
    with pytest.raises(ValueError, match='NotInTheMannerOfMmseg could not be opened'):
        dataset_fractions(dict(type='RepeatDataset', times=2, dataset=dict(type='NotInTheMannerOfMmseg', folder='a')))
    with pytest.raises(ValueError, match='There is no data set in train_dataloader'):
        dataset_fractions(dict(type='NoSuchDataset'))
    with pytest.raises(ValueError, match='a: there is no label map with a pixel'):
        dataset_fractions(dict(config, indices=[1]))
