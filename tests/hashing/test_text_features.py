"""Text becomes a bag of words and character n-grams; what was never seen counts for nothing."""

import torch

from mlhub.hashing.text import bags, features, vocabulary, words


def weights(text, keys):
    rows, weight, _ = bags([text], keys)
    return {int(row): float(value) for row, value in zip(rows, weight, strict=True) if value}


def test_articles_and_stop_words_say_nothing():
    assert words("A picture of the Dog") == ("dog",)


def test_a_text_of_stop_words_alone_keeps_them():
    assert words("on the") == ("on", "the")


def test_forms_of_one_letter_are_one():
    assert words("ＤＯＧ Café") == words("dog cafe\u0301")


def test_a_dog_is_dog():
    assert features("a dog") == features("dog")


def test_hangul_shares_single_syllables():
    assert features("개").keys() & features("강아지 개집").keys()


def test_an_inflected_word_shares_n_grams():
    assert len(features("guitars").keys() & features("guitar").keys()) > 5


def test_the_vocabulary_is_sorted_and_without_doubles():
    keys = vocabulary(["red apple", "green apple"])
    assert torch.equal(keys, torch.unique(keys))


def test_what_was_never_seen_has_no_weight():
    keys = vocabulary(["red apple"])
    assert weights("red xyzzy", keys) == weights("red", keys)
    assert weights("xyzzy", keys) == {}


def test_no_text_and_no_vocabulary_are_no_features():
    rows, weight, starts = bags([""], vocabulary([]))
    assert (len(rows), len(weight), starts.tolist()) == (0, 0, [0])
    rows, weight, starts = bags(["dog"], vocabulary([]))
    assert float(weight.sum()) == 0


def test_each_text_starts_where_the_one_before_ended():
    keys = vocabulary(["red", "apple"])
    _, _, starts = bags(["red", "", "apple"], keys)
    assert starts.tolist() == [0, len(features("red")), len(features("red"))]
