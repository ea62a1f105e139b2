import numpy as np
import pytest

from mlhub.hashing.baselines import NAMES, fit, itq_rotation, principal_axes
from mlhub.hashing.codes import hamming, prefix
from mlhub.hashing.ranking import evaluate_codes


def vectors(count, width, seed=0):
    """Rows whose variance falls from the first column to the last."""
    rows = np.random.default_rng(seed).standard_normal((count, width)) * np.geomspace(4, 0.1, width)
    return rows.astype(np.float32)


def pairs(count, width, noise, gap):
    """Images and texts of the same things, apart from each other by `gap`."""
    random = np.random.default_rng(1)
    shared = random.standard_normal((count, width))
    images = shared + noise * random.standard_normal((count, width)) + gap
    texts = shared + noise * random.standard_normal((count, width)) - gap
    return images.astype(np.float32), texts.astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_each_baseline_gives_codes_of_its_length(name):
    planes = fit(name, vectors(200, 40), vectors(100, 40, seed=1), bits=32, seed=0)
    assert planes.encode_images(vectors(5, 40)).shape == (5, 4)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_codes(name):
    images, texts = vectors(200, 40), vectors(100, 40, seed=1)
    codes = [fit(name, images, texts, bits=32, seed=7).encode_images(images) for _ in range(2)]
    np.testing.assert_array_equal(*codes)


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_between_the_modalities_costs_a_baseline_nothing(name):
    figures = []
    for gap in (0.0, 5.0):
        images, texts = pairs(300, 32, noise=0.3, gap=gap)
        planes = fit(name, images, texts, bits=16, seed=0)
        codes = planes.encode_texts(texts), planes.encode_images(images)
        figures.append(evaluate_codes(*codes, np.eye(300, dtype=bool), 16).map)
    assert figures[1] == pytest.approx(figures[0], abs=0.04)  # uncentred, ITQ and LSH fall below 0.05


@pytest.mark.parametrize("name", NAMES)
def test_each_baseline_finds_pairs_far_better_than_chance(name):
    images, texts = pairs(300, 32, noise=0.2, gap=1.0)
    planes = fit(name, images[:200], texts[:200], bits=32, seed=0)
    found = evaluate_codes(
        planes.encode_texts(texts[200:]), planes.encode_images(images[200:]), np.eye(100, dtype=bool), 32
    )
    assert found.r10 > 0.6  # chance is 0.1


@pytest.mark.parametrize("name", ["pca", "itq"])
def test_more_bits_than_dimensions_are_left_out(name):
    assert fit(name, vectors(200, 24), vectors(100, 24), bits=32, seed=0) is None


@pytest.mark.parametrize("name", ["pca", "itq"])
def test_more_bits_than_the_rows_span_are_left_out(name):
    assert fit(name, vectors(8, 64), vectors(8, 64), bits=16, seed=0) is None


def test_lsh_has_any_length_and_shorter_codes_are_prefixes():
    images, texts = vectors(50, 24), vectors(50, 24, seed=1)
    short, long = (fit("lsh", images, texts, bits, seed=3).encode_images(images) for bits in (16, 128))
    np.testing.assert_array_equal(short, prefix(long, 16))


def test_lsh_distance_follows_the_angle():
    images = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)
    codes = fit("lsh", images, images, bits=128, seed=0).encode_images(images)
    distances = hamming(codes, codes, 128)[0]
    assert distances[2] == 128
    assert 32 < distances[1] < 96


def test_the_principal_axes_are_in_order_of_variance():
    projected = vectors(400, 10) @ principal_axes(vectors(400, 10), 4)
    variances = projected.var(axis=0)
    assert (variances[:-1] > variances[1:]).all()
    np.testing.assert_allclose(np.corrcoef(projected.T) - np.eye(4), 0, atol=0.02)


def test_the_itq_rotation_is_a_rotation_that_brings_rows_nearer_to_their_signs():
    rows = vectors(500, 16)
    rotation = itq_rotation(rows, seed=0)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(16), atol=1e-4)
    away = [np.square(np.abs(turned) - 1).sum() for turned in (rows @ rotation, rows, rows @ rotation.T)]
    assert away[0] < min(away[1:])


def test_another_seed_gives_another_itq_rotation():
    rows = vectors(500, 16)
    assert not np.allclose(itq_rotation(rows, seed=0), itq_rotation(rows, seed=1), atol=1e-3)
