import pickle

import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.registry import DATASETS
from torch.utils.data import DataLoader

from mmseg_pfdiff.data.mix import SyntheticPairMix
from mmseg_pfdiff.pairs.dataset import SyntheticPairDataset

from ..releases import CLASSES, PALETTE, PIPELINE, write_pairs


def grey(sample):
    return int(sample['inputs'][0, 0, 0])


def test_synthetic_pairs_are_read_with_their_values(synthetic):
    dataset = DATASETS.build(synthetic)
    assert len(dataset) == 7
    assert dataset.metainfo['classes'] == CLASSES and dataset.metainfo['palette'] == PALETTE
    sample = dataset[6]
    assert sample['inputs'].shape == (3, 8, 8) and grey(sample) == 106
    assert sample['data_samples'].gt_sem_seg.data.unique().tolist() == [2]
    assert len(DATASETS.build({**synthetic, 'max_pairs': 2})) == 2


def test_pairs_not_kept_are_left_out_unless_wanted(tmp_path):
    write_pairs(tmp_path / 'p', 4, rejected=(1, 2))
    root = str(tmp_path / 'p')
    assert [grey(s) for s in SyntheticPairDataset(root, PIPELINE)] == [100, 103]
    assert len(SyntheticPairDataset(root, PIPELINE, kept_only=False)) == 4
    write_pairs(tmp_path / 'q', 2, rejected=(0, 1))
    with pytest.raises(ValueError, match='holds no pair marked as kept'):
        SyntheticPairDataset(str(tmp_path / 'q'), PIPELINE)


def test_missing_files_other_classes_and_bad_limits_are_named(tmp_path, synthetic):
    with pytest.raises(ValueError, match='expected were'):
        DATASETS.build({**synthetic, 'classes': ('ferrite', 'pearlite')})
    with pytest.raises(ValueError, match='max_pairs must be at least 1'):
        DATASETS.build({**synthetic, 'max_pairs': 0})
    (tmp_path / 'pairs/labels/00000002.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 7 pairs miss a file, first index 2'):
        DATASETS.build(synthetic)


def test_mix_holds_ratio_synthetic_samples_for_each_real_one(real, synthetic):
    mix = DATASETS.build(dict(type='SyntheticPairMix', real=real, synthetic=synthetic, ratio=2))
    assert len(mix) == 9
    assert [grey(mix[i]) for i in range(9)] == [0, 1, 2, 100, 101, 102, 103, 104, 105]
    assert [mix[i]['data_samples'].metainfo['synthetic'] for i in range(9)] == [False] * 3 + [True] * 6
    assert grey(mix[-1]) == 105
    assert mix.get_data_info(4)['synthetic'] is True
    assert mix.metainfo['classes'] == CLASSES
    with pytest.raises(IndexError):
        mix[9]


def test_ratio_0_is_the_real_set_and_needs_no_pairs(real):
    synthetic = dict(type='SyntheticPairDataset', data_root='/nowhere')
    mix = SyntheticPairMix(real, synthetic, ratio=0)
    assert [grey(mix[i]) for i in range(len(mix))] == [0, 1, 2]


def test_too_few_pairs(real, synthetic):
    with pytest.raises(ValueError, match=r'with 3 real samples needs 9 synthetic ones, there are 7.*larger --num'):
        SyntheticPairMix(real, synthetic, ratio=3)
    mix = SyntheticPairMix(real, synthetic, ratio=3, repeat_synthetic=True)
    assert [grey(mix[i]) for i in range(3, 12)] == [100, 101, 102, 103, 104, 105, 106, 100, 101]


@pytest.mark.parametrize('ratio', [-1, 0.5, True, '2'])
def test_bad_ratios(real, synthetic, ratio):
    with pytest.raises(ValueError, match='whole number >= 0'):
        SyntheticPairMix(real, synthetic, ratio=ratio)


def test_other_classes_are_refused(tmp_path, real):
    write_pairs(tmp_path / 'other', 3, classes=('a', 'b', 'c', 'd'))
    with pytest.raises(ValueError, match='must be the same, in the same order'):
        SyntheticPairMix(real, dict(type='SyntheticPairDataset', data_root=str(tmp_path / 'other')), ratio=1)


def test_lazy_init_reads_nothing_until_asked(tmp_path, real, synthetic):
    mix = SyntheticPairMix(real, synthetic, ratio=2, lazy_init=True)
    assert not mix.real._fully_initialized and not mix.synthetic._fully_initialized
    (tmp_path / 'pairs/labels/00000001.png').unlink()
    with pytest.raises(FileNotFoundError, match='first index 1'):
        mix.full_init()


def test_mix_pickles(real, synthetic):
    mix = pickle.loads(pickle.dumps(SyntheticPairMix(real, synthetic, ratio=1)))
    assert [grey(mix[i]) for i in range(6)] == [0, 1, 2, 100, 101, 102]


@pytest.mark.parametrize('workers', [0, 2])
def test_every_sample_once_through_a_loader_with_workers(real, synthetic, workers):
    mix = SyntheticPairMix(real, synthetic, ratio=2)
    sampler = DefaultSampler(mix, shuffle=True, seed=0)
    loader = DataLoader(mix, batch_size=2, sampler=sampler, num_workers=workers, collate_fn=lambda batch: batch)
    values = [grey(sample) for batch in loader for sample in batch]
    assert sorted(values) == [0, 1, 2, 100, 101, 102, 103, 104, 105] and values != sorted(values)


def test_infinite_sampler(real, synthetic):
    mix = SyntheticPairMix(real, synthetic, ratio=1)
    indices = iter(InfiniteSampler(mix, shuffle=True, seed=0))
    assert {grey(mix[next(indices)]) for _ in range(6)} == {0, 1, 2, 100, 101, 102}


def test_mix_of_a_mix(real, synthetic):
    inner = dict(type='SyntheticPairMix', real=real, synthetic=synthetic, ratio=1)
    assert len(SyntheticPairMix(inner, synthetic, ratio=1)) == 12
