from mmengine.config import ConfigDict
from mmengine.dataset import RepeatDataset
from mmseg.registry import DATASETS

from mmseg_pfdiff.data.config_data_sets import data_set_class, data_sets, inner_data_sets
from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset

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
