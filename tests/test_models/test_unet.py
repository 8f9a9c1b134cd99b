import pytest
import torch

from mmseg_pfdiff.models.diffusion.unet import PairUNet

TINY = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4)


def test_the_paper_s_network_has_its_stages_blocks_and_cross_attention():
    net = PairUNet(4, 4, num_fractions=4).net
    assert [block.resnets[0].out_channels for block in net.down_blocks] == [128, 128, 256, 256, 512, 512]
    assert [len(block.resnets) for block in net.down_blocks] == [2] * 6
    assert [hasattr(block, 'attentions') for block in net.down_blocks] == [False] * 5 + [True]
    assert [hasattr(block, 'attentions') for block in net.up_blocks] == [True] + [False] * 5
    attention = net.down_blocks[-1].attentions[0].transformer_blocks[0].attn2
    assert attention.heads == 8 and attention.to_k.in_features == 512
    # R^{1x4} -> R^{1xD}, D the width of the time embedding.
    assert tuple(net.class_embedding.weight.shape) == (512, 4)
    assert sum(p.numel() for p in net.parameters()) == 142_038_276


@pytest.mark.parametrize('patch_size', [1, 2])
def test_shapes_and_gradients(patch_size):
    unet = PairUNet(4, 3, num_fractions=4, patch_size=patch_size, **TINY)
    out = unet(torch.randn(2, 4, 16, 24), torch.tensor([1, 900]), torch.full((2, 4), 0.25))
    assert out.shape == (2, 3, 16, 24)
    out.square().sum().backward()
    assert all(p.grad is not None for p in unet.parameters())


def test_fractions_reach_the_output_by_both_ways():
    torch.manual_seed(0)
    unet = PairUNet(4, 4, num_fractions=4, **TINY).eval()
    x, t = torch.randn(1, 4, 16, 16), torch.tensor(500)
    a, b = torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[0, 0, 0, 1.0]])
    with torch.no_grad():
        assert (unet(x, t, a) - unet(x, t, b)).abs().max() > 1e-4
        tokens = [unet.net(x, t, encoder_hidden_states=c[:, None], class_labels=a).sample for c in (a, b)]
        embeddings = [unet.net(x, t, encoder_hidden_states=a[:, None], class_labels=c).sample for c in (a, b)]
    assert not torch.equal(*tokens)
    assert not torch.equal(*embeddings)


def test_noise_level_reaches_the_output():
    torch.manual_seed(0)
    unet = PairUNet(4, 4, noise_level_input=True, **TINY).eval()
    x, t = torch.randn(1, 4, 16, 16), torch.tensor(500)
    with torch.no_grad():
        assert not torch.equal(
            unet(x, t, noise_level=torch.tensor([0.0])), unet(x, t, noise_level=torch.tensor([300.0]))
        )


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r'multiples of 4, got \(16, 18\)'):
        PairUNet(4, 4, num_fractions=4, patch_size=2, **TINY)(
            torch.zeros(1, 4, 16, 18), torch.tensor(0), torch.zeros(1, 4)
        )
    with pytest.raises(ValueError, match='num_fractions=0'):
        PairUNet(4, 4, num_fractions=4, noise_level_input=True, **TINY)
