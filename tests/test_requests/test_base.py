import pytest
import torch
from mmseg.registry import TASK_UTILS

from mmseg_pfdiff.requests import (
    FractionPlanner,
    FractionSampler,
    RequestedFractions,
    RequestSource,
    Unconditional,
    build_requests,
    check_requests,
    number_of_pairs,
)

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')
VECTORS = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
GROUPS = [dict(name='all', share=1)]


@TASK_UTILS.register_module()
class NoSource:
    """Serves nothing."""

    def __init__(self, vectors, classes):
        self.classes = classes


@TASK_UTILS.register_module()
class DefectAlone(Unconditional):
    """Asks for one phase, and looks at its settings itself."""

    @classmethod
    def check(cls, settings, classes):
        if settings != dict(phase='defect') or 'defect' not in classes:
            raise ValueError(f'{settings} of {classes}')


@pytest.mark.parametrize(
    ('source', 'num'),
    [
        (FractionSampler(VECTORS, CLASSES), None),
        (FractionPlanner(VECTORS, CLASSES, dict(defect=0.2)), None),
        (RequestedFractions(VECTORS, CLASSES), 2),
        (RequestedFractions(VECTORS[:1], CLASSES, repeat=True), None),
        (Unconditional(CLASSES), None),
    ],
)
def test_all_sources_serve_alike(source, num):
    assert isinstance(source, RequestSource) and source.classes == CLASSES and source.num == num
    target, group = source(3, 1)
    assert target.shape == (4,) and target.dtype == torch.float64 and isinstance(group, str)
    assert source.describe().get('type', 'Unconditional') == type(source).__name__


def test_nothing_is_asked_for():
    source = Unconditional(CLASSES)
    assert source(0, 5).target.isnan().all() and source(0, 5).group == 'unconditional' and source.describe() == {}


def test_a_source_of_its_settings():
    source = build_requests(dict(groups=GROUPS, sigma=0.1), CLASSES, VECTORS)
    assert type(source) is FractionSampler and source.sigma == 0.1 and source.names == ['all']
    source = build_requests(dict(type='FractionPlanner', target_mean=dict(defect=0.2)), CLASSES, VECTORS)
    assert source.describe()['target_mean'] == dict(defect=0.2)
    for settings, message in (
        (3, 'must be a dict of settings, got 3'),
        (dict(sgima=1), 'fraction_sampler is no FractionSampler with .*sgima'),
        (dict(type='NoSource'), r'a NoSource is no request source. It must be callable .* describe\(\), as mmseg_pf'),
        (dict(type='Nobody'), 'fraction_sampler is no Nobody'),
        (dict(groups=GROUPS, sigma=-1), 'fraction_sampler: sigma must be a number'),
    ):
        with pytest.raises(ValueError, match=message):
            build_requests(settings, CLASSES, VECTORS)


def test_sources_look_at_their_settings_before_there_are_tiles():
    check_requests(dict(groups=GROUPS), CLASSES)
    check_requests(dict(type='FractionPlanner', target_mean=dict(defect=0.2)), CLASSES)
    check_requests(dict(type=DefectAlone, phase='defect'), CLASSES)
    check_requests(dict(type='NoSource', anything=1), CLASSES)
    for settings, classes, message in (
        (dict(), ('a', 'b'), 'no class is called .martensite_austenite'),
        (dict(type='FractionPlanner'), CLASSES, 'target_mean names the classes'),
        (dict(type='DefectAlone', phase='matrix'), CLASSES, "{'phase': 'matrix'} of "),
        (dict(type='Nobody'), CLASSES, "there is no request source 'Nobody'.*custom_imports"),
        (3, CLASSES, 'must be a dict of settings, got 3'),
    ):
        with pytest.raises(ValueError, match=message):
            check_requests(settings, classes)


def test_the_number_of_pairs_is_that_asked_for_or_that_of_a_table():
    table, sampler = RequestedFractions(VECTORS, CLASSES), FractionSampler(VECTORS, CLASSES, GROUPS)
    assert (number_of_pairs(table), number_of_pairs(table, 1), number_of_pairs(sampler, 7)) == (2, 1, 7)
    for source, num, message in (
        (table, 3, 'at most 2, the rows'),
        (sampler, 0, 'at least 1'),
        (sampler, None, '--num'),
    ):
        with pytest.raises(ValueError, match=message):
            number_of_pairs(source, num)
