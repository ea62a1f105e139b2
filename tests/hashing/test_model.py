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


def test_a_short_code_is_the_beginning_of_the_long_one(model):
    logits = model.eval().texts(model.backbone.tokens(TEXTS)).logits.detach().numpy()
    for bits in (8, 16, 32, 48, 64):
        shorter = logits.copy()
        shorter[:, bits:] = -1
        assert (prefix(pack(shorter), bits) == prefix(pack(logits), bits)).all()


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
