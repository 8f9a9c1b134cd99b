"""smp's networks inside mmsegmentation: the same parameters, the same outputs."""

import copy

import huggingface_hub.constants
import pytest
import segmentation_models_pytorch as smp
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from safetensors.torch import save_file

from mmseg_pfdiff.models.segmentors.decoder import SMPDecoderHead, convert_smp_state_dict
from mmseg_pfdiff.models.segmentors.encoder import SMPEncoder
from mmseg_pfdiff.models.segmentors.sliding_window import SlidingWindowEncoderDecoder

CLASSES = 4
RESNET18 = [3, 64, 64, 128, 256, 512]
RESNET50 = [3, 64, 256, 512, 1024, 2048]
# The narrowest encoder: MA-Net is 20 million parameters wide on a ResNet-18.
SMALL, SMALL_CHANNELS = 'tu-mobilenetv3_small_050', [3, 16, 8, 16, 24, 288]


def build_segmentor(decoder, encoder=SMALL, in_channels=SMALL_CHANNELS, decoder_cfg=None):
    return SlidingWindowEncoderDecoder(
        backbone=dict(type='mmseg.SMPEncoder', name=encoder, weights=None),
        decode_head=dict(
            type='mmseg.SMPDecoderHead',
            decoder=decoder,
            in_channels=in_channels,
            num_classes=CLASSES,
            decoder_cfg=decoder_cfg,
        ),
    )


def picture(*shape):
    """Random, in the layout that encoders bring images to: in another one, smp's networks round otherwise."""
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


def labelled(label):
    return SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=dict(img_shape=label.shape[-2:]))


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def correlation(a, b):
    """Of two (1, K, H, W) predictions, the mean over the classes."""
    a, b = (x - x.mean(dim=(2, 3), keepdim=True) for x in (a, b))
    return float(((a * b).sum((2, 3)) / (a.norm(dim=(2, 3)) * b.norm(dim=(2, 3)))).mean())


class ArchitectureTester:
    """What holds for each of smp's architectures; a subclass names one."""

    decoder: str
    smp_model: type

    @pytest.fixture(scope='class')
    def reference(self):
        torch.manual_seed(1)
        model = self.smp_model(SMALL, encoder_weights=None, classes=CLASSES)
        for module in model.modules():  # statistics other than 0 and 1, as a trained network has
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.7, 1.3)
        return model.eval()

    @pytest.fixture(scope='class')
    def built(self):
        torch.manual_seed(0)
        return build_segmentor(self.decoder)

    @pytest.fixture
    def segmentor(self, built):
        return copy.deepcopy(built)  # in a tenth of the time of building it

    def test_same_outputs_for_the_same_weights(self, reference, segmentor):
        segmentor.load_state_dict(convert_smp_state_dict(reference.state_dict()))  # strict: no key left over
        image = picture(2, 3, 64, 96)
        with torch.no_grad():
            expected = reference(image)
            logits = segmentor.eval()(image)
            predicted = segmentor(image, mode='predict')
        assert expected.std() > 0.01
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(predicted[1].seg_logits.data, expected[1], rtol=0, atol=1e-6)

    def test_parameters_with_resnet50(self):
        with torch.device('meta'):  # names and shapes only
            segmentor = build_segmentor(self.decoder, 'resnet50', RESNET50)
            reference = self.smp_model('resnet50', encoder_weights=None, classes=CLASSES)
        assert count(segmentor) == count(reference) > 24e6
        ours = {name: value.shape for name, value in segmentor.state_dict().items()}
        assert ours == {n: v.shape for n, v in convert_smp_state_dict(reference.state_dict()).items()}

    def test_forward_backward_reaches_every_parameter(self, segmentor):
        segmentor.train()
        image = picture(2, 3, 64, 64)
        samples = [labelled(torch.randint(0, CLASSES, (1, 64, 64))) for _ in range(2)]
        losses = segmentor(image, samples, mode='loss')
        assert set(losses) == {'decode.loss_dice', 'decode.acc_seg'}
        losses['decode.loss_dice'].backward()
        without = [name for name, p in segmentor.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
        assert without == []
        assert next(segmentor.backbone.parameters()).grad.abs().sum() > 0

    @pytest.mark.parametrize('size', [(50, 77), (33, 64), (32, 100)])
    def test_any_size_is_predicted_at_its_own_size(self, segmentor, size):
        segmentor.eval()
        with torch.no_grad():
            logits = segmentor(torch.randn(1, 3, *size))
        assert logits.shape == (1, CLASSES, *size)
        assert logits.isfinite().all()

    def test_odd_size_agrees_with_the_padded_image(self, reference, segmentor):
        """Nothing shifts: close to smp's answer for the image padded below, far from the one padded on both sides."""
        segmentor.load_state_dict(convert_smp_state_dict(reference.state_dict()))
        image = picture(1, 3, 112, 128)
        with torch.no_grad():
            logits = segmentor.eval()(image)
            below, around = (
                reference(torch.nn.functional.pad(image, (0, 0, *padding), mode='replicate'))[..., :112, :]
                for padding in ((0, 16), (8, 8))
            )
        assert correlation(logits, below) > 0.85
        assert correlation(logits, around) < 0.6

    def test_save_and_load(self, segmentor, tmp_path):
        image = picture(1, 3, 64, 64)
        torch.save(segmentor.state_dict(), tmp_path / 'weights.pth')
        torch.manual_seed(5)
        other = build_segmentor(self.decoder).eval()
        with torch.no_grad():
            expected = segmentor.eval()(image)
            assert not torch.equal(other(image), expected)
            other.load_state_dict(torch.load(tmp_path / 'weights.pth', weights_only=True))
            assert torch.equal(other(image), expected)

    def test_mmseg_backbone_without_stride_2(self):
        torch.manual_seed(0)
        segmentor = SlidingWindowEncoderDecoder(
            backbone=dict(
                type='mmseg.MixVisionTransformer',
                embed_dims=8,
                num_layers=[1, 1, 1, 1],
                num_heads=[1, 1, 1, 1],
                sr_ratios=[8, 4, 2, 1],
            ),
            decode_head=dict(
                type='mmseg.SMPDecoderHead',
                decoder=self.decoder,
                in_channels=[8, 8, 8, 8],
                num_classes=CLASSES,
                first_stride=4,
            ),
        )
        for size in ((64, 64), (50, 77)):
            losses = segmentor(torch.randn(2, 3, *size), [labelled(torch.zeros(1, *size).long())] * 2, mode='loss')
            losses['decode.loss_dice'].backward()
        assert segmentor.backbone.layers[0][0].projection.weight.grad.abs().sum() > 0
        [sample] = segmentor.eval()(torch.randn(1, 3, 50, 77), mode='predict')
        assert sample.pred_sem_seg.data.shape == (1, 50, 77)


class TestUnet(ArchitectureTester):
    decoder, smp_model = 'unet', smp.Unet

    def test_odd_size_equals_smp(self, reference, segmentor):
        segmentor.load_state_dict(convert_smp_state_dict(reference.state_dict()))
        image = picture(1, 3, 50, 77)  # smp's U-Net takes any size itself
        with torch.no_grad():
            torch.testing.assert_close(segmentor.eval()(image), reference(image), rtol=0, atol=1e-6)


class TestUnetPlusPlus(ArchitectureTester):
    decoder, smp_model = 'unetplusplus', smp.UnetPlusPlus


class TestLinknet(ArchitectureTester):
    decoder, smp_model = 'linknet', smp.Linknet


class TestMAnet(ArchitectureTester):
    decoder, smp_model = 'manet', smp.MAnet


@pytest.mark.parametrize(
    ('decoder', 'smp_model'),
    [('fpn', smp.FPN), ('pan', smp.PAN), ('segformer', smp.Segformer), ('upernet', smp.UPerNet)],
)
def test_other_decoders_equal_smp(decoder, smp_model):
    options = dict(encoder_output_stride=32) if decoder == 'pan' else {}
    widths = dict(decoder_channels=32) if decoder == 'upernet' else {}
    reference = smp_model(SMALL, encoder_weights=None, classes=CLASSES, **options, **widths).eval()
    segmentor = build_segmentor(decoder, decoder_cfg=widths).eval()
    segmentor.load_state_dict(convert_smp_state_dict(reference.state_dict()))
    height, width = (256, 288) if decoder == 'pan' else (96, 128)  # PAN needs 8 x 8 features
    image = picture(1, 3, height, width)
    with torch.no_grad():
        torch.testing.assert_close(segmentor(image), reference(image), rtol=0, atol=1e-6)
        assert segmentor(image[..., :-17, :-18]).shape == (1, CLASSES, height - 17, width - 18)


def test_decoder_options_reach_smp():
    widths = (32, 32, 16, 16, 16)
    reference = smp.Unet(
        SMALL, encoder_weights=None, classes=CLASSES, decoder_channels=widths, decoder_attention_type='scse'
    ).eval()
    segmentor = build_segmentor('unet', decoder_cfg=dict(decoder_channels=widths, attention_type='scse'))
    segmentor.load_state_dict(convert_smp_state_dict(reference.state_dict()))
    image = picture(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(segmentor.eval()(image), reference(image), rtol=0, atol=1e-6)


def test_shallow_encoder():
    reference = smp.Unet('resnet18', encoder_depth=3, encoder_weights=None, decoder_channels=(32, 16, 8)).eval()
    backbone = SMPEncoder('resnet18', depth=3, weights=None).eval()
    head = SMPDecoderHead('unet', backbone.out_channels, num_classes=1, decoder_cfg=dict(decoder_channels=(32, 16, 8)))
    segmentor = torch.nn.ModuleDict(dict(backbone=backbone, decode_head=head.eval()))
    segmentor.load_state_dict(convert_smp_state_dict(reference.state_dict()))
    image = picture(1, 3, 40, 48)
    with torch.no_grad():
        torch.testing.assert_close(head(backbone(image)), reference(image), rtol=0, atol=1e-6)


def test_head_is_initialised_as_smp_does():
    """Kaiming uniform for the decoder, Xavier uniform for the last convolution, and init_weights keeps both."""
    torch.manual_seed(0)
    segmentor = build_segmentor('unet', 'resnet18', RESNET18)
    before = {name: value.clone() for name, value in segmentor.state_dict().items()}
    segmentor.init_weights()
    assert all(torch.equal(before[name], value) for name, value in segmentor.state_dict().items())
    head = segmentor.decode_head
    conv = head.decoder.blocks[0].conv1[0].weight  # 256 x 768 x 3 x 3
    bound = (6 / (768 * 9)) ** 0.5
    assert 0.99 * bound < conv.abs().max() <= bound
    xavier = (6 / (16 * 9 + CLASSES * 9)) ** 0.5
    assert 0.9 * xavier < head.conv_seg.weight.abs().max() <= xavier
    assert head.conv_seg.bias.abs().max() == 0
    assert head.dropout is None


class TestEncoder:
    def test_features_and_strides(self):
        encoder = SMPEncoder('resnet18', weights=None)
        features = encoder(torch.randn(1, 3, 64, 64))
        assert [f.shape[1] for f in features] == encoder.out_channels == RESNET18
        assert [f.shape[-1] for f in features] == [64, 32, 16, 8, 4, 2]

    def test_out_indices_give_what_mmseg_heads_expect(self):
        encoder = SMPEncoder('resnet18', weights=None, out_indices=(2, 3, 4, 5))
        head = MODELS.build(
            dict(
                type='SegformerHead', in_channels=encoder.out_channels, in_index=[0, 1, 2, 3], channels=8, num_classes=4
            )
        )
        assert head(encoder(torch.randn(2, 3, 64, 64))).shape == (2, 4, 16, 16)

    def test_grey_images(self):
        assert SMPEncoder('resnet18', in_channels=1, weights=None)(torch.randn(1, 1, 64, 64))[0].shape[1] == 1

    def test_wrong_arguments(self):
        with pytest.raises(KeyError, match='resnet50000'):
            SMPEncoder('resnet50000', weights=None)
        with pytest.raises(ValueError, match=r'0\.\.3'):
            SMPEncoder('resnet18', depth=3, weights=None, out_indices=(2, 4))

    def test_weights_that_cannot_be_fetched(self, monkeypatch, tmp_path):
        monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
        monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path))
        encoder = SMPEncoder('resnet18')  # building, e.g. for a test of a checkpoint, needs no network
        with pytest.raises(OSError, match=r"'imagenet'.*resnet18.*--cfg-options model.backbone.weights=None"):
            encoder.init_weights()
        with pytest.raises(OSError, match='Available options'):
            SMPEncoder('resnet18', weights='imagenet21').init_weights()

    def test_weights_are_loaded_by_init_weights(self, monkeypatch, tmp_path):
        """From a cache laid out as huggingface_hub lays it out, holding known weights."""
        settings = smp.encoders.encoders['resnet18']['pretrained_settings']['imagenet']
        folder = tmp_path / f'models--{settings["repo_id"].replace("/", "--")}' / 'snapshots' / settings['revision']
        folder.mkdir(parents=True)
        (folder / 'config.json').write_text('{}')
        source = SMPEncoder('resnet18', weights=None)
        save_file(source.encoder.state_dict(), folder / 'model.safetensors')
        monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
        monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path))
        encoder = SMPEncoder('resnet18', weights='imagenet')
        assert not torch.equal(encoder.encoder.conv1.weight, source.encoder.conv1.weight)
        encoder.init_weights()
        for name, value in source.encoder.state_dict().items():
            assert torch.equal(encoder.encoder.state_dict()[name], value)

    def test_init_cfg_takes_the_place_of_weights(self, tmp_path):
        source = SMPEncoder('resnet18', weights=None)
        torch.save(source.state_dict(), tmp_path / 'encoder.pth')
        encoder = SMPEncoder(
            'resnet18', weights='imagenet', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'encoder.pth'))
        )
        encoder.init_weights()
        assert torch.equal(encoder.encoder.conv1.weight, source.encoder.conv1.weight)


class TestHeadErrors:
    def test_unknown_decoder(self):
        with pytest.raises(ValueError, match=r"linknet.*got 'unet3'"):
            SMPDecoderHead('unet3', RESNET18, num_classes=4)

    def test_unknown_stride(self):
        with pytest.raises(ValueError, match='got 8'):
            SMPDecoderHead('unet', RESNET18, num_classes=4, first_stride=8)

    def test_channels_of_another_encoder(self):
        head = SMPDecoderHead('unet', RESNET50, num_classes=4)
        with pytest.raises(ValueError, match=r'\[3, 64, 64, 128, 256, 512\] channels'):
            head(SMPEncoder('resnet18', weights=None)(torch.randn(1, 3, 64, 64)))

    def test_dilated_backbone(self):
        head = SMPDecoderHead(
            'unet', [8, 8, 8], num_classes=4, first_stride=4, decoder_cfg=dict(decoder_channels=[8] * 4)
        )
        with pytest.raises(ValueError, match='dilations'):
            head([torch.randn(1, 8, 16, 16), torch.randn(1, 8, 8, 8), torch.randn(1, 8, 8, 8)])

    def test_state_dict_of_something_else(self):
        with pytest.raises(KeyError, match=r'classification_head\.3\.weight'):
            convert_smp_state_dict({'classification_head.3.weight': torch.zeros(1)})


def test_arguments_that_an_encoder_would_ignore_are_refused():
    with pytest.raises(ValueError, match="'resnet18' takes no 'depht'"):
        SMPEncoder('resnet18', weights=None, depht=3)
