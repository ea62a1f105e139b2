from pathlib import Path

import numpy as np
import pytest

from mlhub.data.items import Dataset, Item, fingerprint
from mlhub.errors import MlhubError
from mlhub.hashing.protocol import plan


def drawing(concept, style, split="train", labels=("animal",), **captions):
    captions = captions or {"en": (concept, f"a {concept}"), "ko": (f"{concept}-ko",)}
    return Item(f"{concept}-{style}", f"{concept}-{style}.png", captions, labels, concept, style, split)


def dataset(items, name="emoji"):
    return Dataset(name, Path("/data"), tuple(items), fingerprint(tuple(items)))


@pytest.fixture
def emoji():
    """Three concepts in two drawings; one drawing of the dog and one of the car held out."""
    return dataset(
        [
            drawing("dog", "a"),
            drawing("dog", "b", split="test"),
            drawing("cat", "a"),
            drawing("cat", "b", split="val"),
            drawing("car", "a", split="test", labels=("vehicle",)),
            drawing("car", "b", labels=("vehicle",)),
        ]
    )


def tasks(dataset, *languages):
    return {task.key: task for task in plan(dataset, languages).tasks}


def names(plan, side):
    values = plan.texts if side.modality == "text" else [path.name for path in plan.images]
    return [values[row] for row in side.rows]


def test_text_to_image_asks_every_concept_s_name_among_the_held_out_drawings(emoji):
    made = plan(emoji, ["en"])
    task = next(task for task in made.tasks if task.key == "t2i")
    assert names(made, task.queries) == ["dog", "cat", "car"]
    assert names(made, task.gallery) == ["dog-b.png", "car-a.png"]


def test_image_to_text_asks_the_held_out_drawings_among_every_concept_s_name(emoji):
    made = plan(emoji, ["en"])
    task = next(task for task in made.tasks if task.key == "i2t")
    assert names(made, task.queries) == ["dog-b.png", "car-a.png"]
    assert names(made, task.gallery) == ["dog", "cat", "car"]


def test_image_to_image_searches_every_drawing_but_the_query(emoji):
    made = plan(emoji, ["en"])
    task = next(task for task in made.tasks if task.key == "i2i")
    assert names(made, task.queries) == ["dog-b.png", "car-a.png"]
    assert sorted(names(made, task.gallery)) == sorted(item.image for item in emoji.items)
    np.testing.assert_array_equal(task.gallery.rows[task.itself], task.queries.rows)


def test_relevant_is_the_same_concept(emoji):
    np.testing.assert_array_equal(tasks(emoji, "en")["t2i"].relevant[0:3], [[1, 0], [0, 0], [0, 1]])


def test_relevant_by_label_is_the_same_subcategory(emoji):
    np.testing.assert_array_equal(tasks(emoji, "en")["t2i"].labels[0:3], [[1, 0], [1, 0], [0, 1]])


def test_keys_without_a_language_are_english(emoji):
    assert list(tasks(emoji, "en", "ko")) == ["t2i", "i2t", "ko/t2i", "ko/i2t", "i2i"]


def test_a_language_asks_in_its_own_names(emoji):
    made = plan(emoji, ["en", "ko"])
    task = next(task for task in made.tasks if task.key == "ko/t2i")
    assert names(made, task.queries) == ["dog-ko", "cat-ko", "car-ko"]


def test_a_concept_without_a_name_in_a_language_is_not_asked_in_it():
    items = [drawing("dog", "a", split="test"), drawing("cat", "a", split="test", en=("cat",))]
    made = plan(dataset(items), ["en", "ko"])
    assert [len(task.queries.rows) for task in made.tasks if task.key.endswith("t2i")] == [2, 1]


def test_a_language_the_data_set_does_not_have_has_no_task_and_is_not_in_the_protocol(emoji):
    made = plan(emoji, ["en", "fr"])
    assert [task.key for task in made.tasks] == ["t2i", "i2t", "i2i"]
    assert made.protocol.languages == ("en",)


def test_baselines_are_fitted_on_the_training_split_alone(emoji):
    made = plan(emoji, ["en"])
    assert [made.images[row].name for row in made.fit_images] == ["dog-a.png", "cat-a.png", "car-b.png"]
    assert [made.texts[row] for row in made.fit_texts] == ["dog", "a dog", "cat", "a cat", "car", "a car"]


def test_each_image_and_text_is_encoded_once(emoji):
    made = plan(emoji, ["en", "ko"])
    assert len(set(made.images)) == len(made.images) == 6
    assert len(set(made.texts)) == len(made.texts)


def test_the_protocol_names_itself_and_its_data(emoji):
    protocol = plan(emoji, ["en"]).protocol
    assert (protocol.name, protocol.version, protocol.denominator) == ("emoji-v1", 1, "all")
    assert protocol.fingerprint == emoji.fingerprint


def test_another_data_set_is_measured_among_its_held_out_items():
    items = [drawing("dog", "a"), drawing("cat", "a", split="test"), drawing("car", "a", split="test")]
    made = plan(dataset(items, name="photos"), ["en"])
    assert made.protocol.name == "pairs-v1"
    assert names(made, made.tasks[0].queries) == ["cat", "car"]
    assert [task.key for task in made.tasks] == ["t2i", "i2t"]  # no concept has two images


def test_an_image_without_a_concept_is_one_by_itself():
    items = [Item(str(number), f"{number}.png", {"en": ("a dog",)}, split="test") for number in range(3)]
    task = tasks(dataset(items, name="photos"), "en")["t2i"]
    np.testing.assert_array_equal(task.relevant[0:3], np.eye(3, dtype=bool))
    assert task.labels is None


def test_nothing_held_out_is_an_error():
    with pytest.raises(MlhubError, match="holds out nothing"):
        plan(dataset([drawing("dog", "a")]), ["en"])


def test_no_caption_in_any_language_is_an_error_that_names_those_there_are(emoji):
    with pytest.raises(MlhubError, match="no captions in fr") as error:
        plan(emoji, ["fr"])
    assert "en, ko" in error.value.hint
