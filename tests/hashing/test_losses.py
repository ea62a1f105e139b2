"""Losses see what search will see: binary codes at every length; pairs of one concept are never pushed apart."""

import pytest
import torch
from torch.nn.functional import normalize

from mlhub.config import LossConfig
from mlhub.hashing.losses import Losses, Sides, shares, sign, similarities
from mlhub.hashing.model import VECTOR, Output

BITS = (8, 32, 128)


def output(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 128, generator=generator).requires_grad_()
    vectors = normalize(torch.randn(rows, VECTOR, generator=generator), dim=1).requires_grad_()
    return Output(logits, vectors)


def sides(images, texts, concepts=(0, 1, 2, 3)):
    of, labels = torch.tensor(concepts), torch.eye(4)[torch.tensor(concepts) // 2]
    return Sides(images, texts, of, of, labels, labels)


def test_sign_is_plus_or_minus_one_and_zero_is_minus():
    assert sign(torch.tensor([-2.0, 0.0, 0.1])).tolist() == [-1, -1, 1]


def test_sign_passes_tanhs_gradient():
    logits = torch.tensor([0.5, -3.0], requires_grad=True)
    sign(logits).sum().backward()
    assert torch.allclose(logits.grad, 1 - torch.tanh(logits.detach()).square())


def test_similarities_are_those_of_each_prefix_then_of_the_vectors():
    one, other = output(3, 1), output(5, 2)
    found = similarities(one, other, BITS)
    for bits, similarity in zip(BITS, found, strict=False):
        expected = sign(one.logits)[:, :bits] @ sign(other.logits)[:, :bits].T / bits
        assert torch.allclose(similarity, expected, atol=1e-6)
    assert torch.allclose(found[-1], one.vectors @ other.vectors.T)


@pytest.mark.parametrize("name", ["contrastive", "anchor", "label", "distillation", "quantization"])
def test_every_loss_is_finite_positive_and_has_a_gradient(name):
    config = LossConfig(**({"contrastive": 0.0} | {name: 1.0}))
    parts = Losses(config, BITS, 4)(batch := sides(output(4, 1), output(4, 2)))
    assert list(parts) == [name]
    parts[name].backward()
    assert parts[name].isfinite()
    assert parts[name] > 0
    assert batch.images.logits.grad.abs().sum() > 0


def test_a_weight_of_zero_leaves_a_loss_out():
    assert list(Losses(LossConfig(contrastive=1.0), BITS, 4)(sides(output(4, 1), output(4, 2)))) == ["contrastive"]


def test_weights_scale():
    batch = sides(output(4, 1), output(4, 2))
    one, two = (Losses(LossConfig(contrastive=weight), BITS, 4)(batch)["contrastive"] for weight in (1.0, 2.0))
    assert torch.allclose(2 * one, two)


def test_contrastive_is_least_when_pairs_agree():
    images = output(4, 1)
    right, wrong = sides(images, images), sides(images, Output(images.logits.flip(0), images.vectors.flip(0)))
    losses = Losses(LossConfig(), BITS, 4)
    assert losses(right)["contrastive"] < losses(wrong)["contrastive"]


def test_pairs_of_one_concept_are_not_pushed_apart():
    """Two images of one concept with one code: the best there is, so the loss is the least it can be, log 2 a row."""
    same = output(1, 1)
    twice = Output(same.logits.expand(2, -1), same.vectors.expand(2, -1))
    loss = Losses(LossConfig(), BITS, 1)(sides(twice, twice, (0, 0)))["contrastive"]
    assert torch.allclose(loss, torch.tensor(2.0).log(), atol=1e-5)


def test_losses_are_float32_under_mixed_precision():
    losses, batch = Losses(LossConfig(anchor=1.0), BITS, 4), sides(output(4, 1), output(4, 2))
    whole = losses(batch)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = losses(batch)
    assert all(torch.equal(mixed[name], whole[name]) for name in ("contrastive", "anchor"))


def test_shares_of_the_gradient_sum_to_one():
    config = LossConfig(contrastive=1.0, anchor=1.0, quantization=1e-6)
    losses = Losses(config, BITS, 4)
    batch = sides(output(4, 1), output(4, 2))
    found = shares(losses(batch), batch)
    assert sum(found.values()) == pytest.approx(1)
    assert found["quantization"] < 0.01 < found["anchor"]
