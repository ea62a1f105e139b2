"""One head of 128 bits: a short code is the beginning of the long one, to the bit."""

import pytest
import torch

from mlhub.config import ModelConfig
from mlhub.hashing import backbones
from mlhub.hashing.codes import pack, prefix
from mlhub.hashing.model import VECTOR, HashingModel

TEXTS = ("a dog", "a cat", "red apple", "강아지")


@pytest.fixture
def model():
    torch.manual_seed(1)
    backbone = backbones.build(ModelConfig(hidden_dim=32), 24, texts=TEXTS)
    backbone.fit(torch.randint(0, 255, (8, 4, 24, 24), dtype=torch.uint8), TEXTS)
    return HashingModel(backbone, 0.0)


def test_outputs_have_their_shapes_and_vectors_are_normalised(model):
    output = model.texts(model.backbone.tokens(TEXTS))
    assert output.logits.shape == (4, 128)
    assert output.vectors.shape == (4, VECTOR)
    assert torch.allclose(output.vectors.norm(dim=1), torch.ones(4), atol=1e-5)


@pytest.mark.parametrize("bits", [8, 16, 32, 48, 64])
def test_a_short_code_owes_nothing_to_the_bits_behind_it(model, bits):
    """No length has a projection or a norm of its own, and none is normalised together with the others."""
    tokens = model.backbone.tokens(TEXTS)
    whole = model.train().texts(tokens).logits.detach().clone()
    with torch.no_grad():
        model.text_head.logits.weight[bits:].normal_()
    other = model.texts(tokens).logits.detach()
    assert torch.equal(other[:, :bits], whole[:, :bits])
    assert not torch.equal(other[:, bits:], whole[:, bits:])
    assert (prefix(pack(other.numpy()), bits) == prefix(pack(whole.numpy()), bits)).all()


def test_a_model_of_one_length_has_the_codes_of_a_model_of_all():
    models = []
    for lengths in ((64,), (8, 16, 32, 48, 64, 128)):
        torch.manual_seed(1)
        backbone = backbones.build(ModelConfig(hidden_dim=32, bit_list=lengths), 24, texts=TEXTS)
        models.append(HashingModel(backbone, 0.0).eval())
    one, all_ = ({name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} for model in models)
    assert one == all_
    codes = [pack_of(model.texts(model.backbone.tokens(TEXTS))) for model in models]
    assert torch.equal(*codes)


def test_heads_are_float32_under_mixed_precision(model):
    model.eval()
    features = torch.randn(4, 32)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model.image_head(features.bfloat16())
    whole = model.image_head(features.bfloat16())
    assert (mixed.logits.dtype, mixed.vectors.dtype) == (torch.float32, torch.float32)
    assert torch.equal(mixed.logits, whole.logits)


def test_tiny_refuses_a_set_whose_word_matrix_would_not_fit(model):
    from mlhub.errors import MlhubError

    with pytest.raises(MlhubError, match="tiny is for small sets, not 200,000 concepts"):
        model.backbone.check(200_000)


def test_a_text_has_one_code_whatever_stands_beside_it(model):
    model.eval()
    alone = model.texts(model.backbone.tokens(TEXTS[:1]))
    among = model.texts(model.backbone.tokens(TEXTS))
    assert torch.equal(pack_of(alone)[0], pack_of(among)[0])


def pack_of(output):
    return torch.from_numpy(pack(output.logits.detach().numpy()))


def test_names_of_one_thing_in_two_languages_start_near_each_other():
    documents = ["dog 강아지", "apple 사과", "guitar 기타", "house 집"]
    texts = [word for document in documents for word in document.split()]
    backbone = backbones.build(ModelConfig(hidden_dim=32), 24, texts=texts)
    table = backbone._latent(documents)
    from mlhub.hashing.text import bags

    rows, weights, starts = bags(["dog", "강아지", "사과"], backbone.keys)
    dog, puppy, apple = torch.nn.functional.embedding_bag(rows, table, starts, mode="sum", per_sample_weights=weights)
    near, far = torch.cosine_similarity(dog, puppy, dim=0), torch.cosine_similarity(dog, apple, dim=0)
    assert near > 0.9
    assert far < 0.3


def test_an_unknown_backbone_is_named():
    from mlhub.errors import MlhubError

    with pytest.raises(MlhubError, match="open_clip knows no model giant"):
        backbones.build(ModelConfig(backbone="giant"), 24, texts=TEXTS)


def test_of_a_long_text_the_first_words_count():
    config = ModelConfig(hidden_dim=32)
    backbone = backbones.build(config, 24, 2, texts=["red apple pie"])
    assert torch.equal(backbone.tokens(["red apple pie"])[0], backbone.tokens(["red apple"])[0])
