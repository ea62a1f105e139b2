from itertools import chain, groupby, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.hashing.codes import BITS, hamming, pack
from mlhub.hashing.ranking import SharedLabels, average_precision, evaluate_codes, evaluate_float, hit_rate

#: distance and relevance of up to seven items, at least one of them relevant
rankings = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=7).filter(
    lambda items: any(relevant for _, relevant in items)
)


def every_order(items):
    """All orders of the items that rise in distance, as lists of relevance."""
    ordered = sorted(items, key=lambda item: item[0])
    groups = [[relevant for _, relevant in group] for _, group in groupby(ordered, key=lambda item: item[0])]
    return [list(chain(*choice)) for choice in product(*(list(permutations(group)) for group in groups))]


def plain_average_precision(order):
    """The textbook's loop for one order without ties."""
    found, total = 0, 0.0
    for place, relevant in enumerate(order, start=1):
        if relevant:
            found += 1
            total += found / place
    return total / found


def as_groups(items):
    totals, relevant = np.zeros((1, 4), np.int64), np.zeros((1, 4), np.int64)
    for distance, wanted in items:
        totals[0, distance] += 1
        relevant[0, distance] += wanted
    return totals, relevant


def codes_at(distances):
    """One code for each distance from the all-zero code, over 8 bits."""
    logits = np.full((len(distances), BITS), -1.0)
    for row, distance in enumerate(distances):
        logits[row, :distance] = 1.0
    return pack(logits)


def random_codes(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 16), np.uint8)


def random_relevance(queries, gallery, seed, share=0.2):
    return np.random.default_rng(seed).random((queries, gallery)) < share


@settings(deadline=None)
@given(rankings)
def test_average_precision_is_the_mean_over_every_order_of_the_tied_items(items):
    expected = np.mean([plain_average_precision(order) for order in every_order(items)])
    assert average_precision(*as_groups(items))[0] == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(rankings, st.sampled_from([1, 2, 3, 5, 10]))
def test_hit_rate_is_the_share_of_tied_orders_with_a_relevant_item_in_the_first_k(items, k):
    expected = np.mean([any(order[:k]) for order in every_order(items)])
    assert hit_rate(*as_groups(items), k)[0] == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(rankings)
def test_codes_are_ranked_by_their_distances_with_ties_averaged(items):
    orders = every_order(items)
    relevant = np.array([[wanted for _, wanted in items]])
    result = evaluate_codes(codes_at([0]), codes_at([distance for distance, _ in items]), relevant, 8)
    assert result.map == pytest.approx(np.mean([plain_average_precision(order) for order in orders]), abs=1e-12)
    assert result.r1 == pytest.approx(np.mean([order[0] for order in orders]), abs=1e-12)
    assert result.r5 == pytest.approx(np.mean([any(order[:5]) for order in orders]), abs=1e-12)
    assert result.r10 == pytest.approx(1.0, abs=1e-12)


@settings(deadline=None)
@given(rankings)
def test_equal_vectors_tie_under_cosine_too(items):
    angles = np.array([0.0, 0.3, 0.7, 1.1])[[distance for distance, _ in items]]
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    relevant = np.array([[wanted for _, wanted in items]])
    expected = np.mean([plain_average_precision(order) for order in every_order(items)])
    assert evaluate_float(np.array([[2.0, 0.0]]), gallery, relevant).map == pytest.approx(expected, abs=1e-12)


def test_without_ties_the_figures_are_the_plain_loop_s():
    random = np.random.default_rng(3)
    queries, gallery = random.standard_normal((40, 9)), random.standard_normal((300, 9))
    relevant = random_relevance(40, 300, seed=4, share=0.05)
    unit = queries / np.linalg.norm(queries, axis=1)[:, None], gallery / np.linalg.norm(gallery, axis=1)[:, None]
    orders = [wanted[np.argsort(-row)] for row, wanted in zip(unit[0] @ unit[1].T, relevant, strict=True)]
    result = evaluate_float(queries, gallery, relevant)
    assert result.map == pytest.approx(np.mean([plain_average_precision(order) for order in orders]), abs=1e-12)
    assert result.r5 == pytest.approx(np.mean([order[:5].any() for order in orders]), abs=1e-12)


@pytest.mark.parametrize("bits", [8, 48, 128])
def test_figures_are_the_same_in_one_block_and_in_many(bits, monkeypatch):
    queries, gallery, relevant = random_codes(30, 0), random_codes(50, 1), random_relevance(30, 50, seed=2)
    whole = evaluate_codes(queries, gallery, relevant, bits)
    monkeypatch.setattr("mlhub.hashing.ranking._BLOCK", 120)
    parts = evaluate_codes(queries, gallery, relevant, bits)
    assert (parts.map, parts.r1, parts.r10) == pytest.approx((whole.map, whole.r1, whole.r10), abs=1e-14)


def test_a_query_without_a_relevant_item_is_left_out_and_counted():
    queries, gallery, relevant = random_codes(5, 0), random_codes(20, 1), random_relevance(5, 20, seed=2, share=0.5)
    relevant[[1, 3]] = False
    result = evaluate_codes(queries, gallery, relevant, 64)
    kept = evaluate_codes(queries[[0, 2, 4]], gallery, relevant[[0, 2, 4]], 64)
    assert (result.queries, result.left_out) == (3, 2)
    assert result.map == kept.map


def test_no_query_with_a_relevant_item_has_no_figure():
    result = evaluate_codes(random_codes(2, 0), random_codes(3, 1), np.zeros((2, 3), bool), 64)
    assert np.isnan(result.map)
    assert result.queries == 0


def test_codes_that_all_tie_score_the_expected_precision_of_a_shuffle():
    relevant = np.zeros((1, 10), bool)
    relevant[0, 0] = True
    result = evaluate_codes(np.zeros((1, 16), np.uint8), np.zeros((10, 16), np.uint8), relevant, 128)
    assert result.map == pytest.approx(sum(1 / place for place in range(1, 11)) / 10, abs=1e-12)
    assert (result.r1, result.r5) == pytest.approx((0.1, 0.5))


@given(st.integers(0, 1000), st.permutations(range(12)))
def test_the_order_of_the_gallery_changes_nothing(seed, order):
    queries, gallery = random_codes(4, seed), random_codes(12, seed + 1)
    relevant = random_relevance(4, 12, seed)
    shuffled = evaluate_codes(queries, gallery[order], relevant[:, order], 8)
    plain = evaluate_codes(queries, gallery, relevant, 8)
    assert (shuffled.map, shuffled.r5) == pytest.approx((plain.map, plain.r5), abs=1e-12, nan_ok=True)


@given(st.integers(0, 1000))
def test_inverting_every_bit_of_both_sides_changes_nothing(seed):
    queries, gallery, relevant = random_codes(4, seed), random_codes(12, seed + 1), random_relevance(4, 12, seed)
    plain = evaluate_codes(queries, gallery, relevant, 48)
    assert evaluate_codes(~queries, ~gallery, relevant, 48).map == pytest.approx(plain.map, abs=1e-12, nan_ok=True)


def test_the_query_itself_takes_no_part_in_its_ranking():
    codes, relevant = random_codes(9, 5), random_relevance(9, 9, seed=6, share=0.4)
    own = np.arange(9)
    result = evaluate_codes(codes, codes, relevant, 16, itself=own)
    singles = [
        evaluate_codes(codes[[row]], np.delete(codes, row, 0), np.delete(relevant[[row]], row, 1), 16) for row in own
    ]
    asked = [single for single in singles if single.queries]
    assert result.map == pytest.approx(np.mean([single.map for single in asked]), abs=1e-12)
    assert result.r1 == pytest.approx(np.mean([single.r1 for single in asked]), abs=1e-12)


def test_the_query_itself_takes_no_part_under_cosine_either():
    vectors = np.random.default_rng(7).standard_normal((6, 4))
    relevant = np.eye(6, dtype=bool)[[1, 0, 3, 2, 5, 4]] | np.eye(6, dtype=bool)
    result = evaluate_float(vectors, vectors, relevant, itself=np.arange(6))
    singles = [
        evaluate_float(vectors[[row]], np.delete(vectors, row, 0), np.delete(relevant[[row]], row, 1))
        for row in range(6)
    ]
    assert result.map == pytest.approx(np.mean([single.map for single in singles]), abs=1e-12)


def test_the_ranking_leaves_the_relevance_it_was_given_alone():
    codes, relevant = random_codes(4, 0), np.ones((4, 4), bool)
    evaluate_codes(codes, codes, relevant, 64, itself=np.arange(4))
    assert relevant.all()


def test_equal_vectors_tie_wherever_they_stand_in_a_large_gallery():
    random = np.random.default_rng(8)
    vector = random.standard_normal(37).astype(np.float32)
    relevant = np.zeros((3, 1001), bool)
    relevant[:, 0] = True
    result = evaluate_float(random.standard_normal((3, 37)).astype(np.float32), np.tile(vector, (1001, 1)), relevant)
    assert result.r1 == pytest.approx(1 / 1001, abs=1e-12)


def test_the_closed_form_keeps_its_precision_over_a_large_gallery():
    queries, gallery, relevant = random_codes(2, 0), random_codes(100_000, 1), random_relevance(2, 100_000, seed=2)
    result = evaluate_codes(queries, gallery, relevant, 128)
    exact = [summed_in_order(*rows) for rows in zip(hamming(queries, gallery), relevant, strict=True)]
    assert result.map == pytest.approx(np.mean(exact), abs=1e-11)


def summed_in_order(distances, relevant):
    """McSherry and Najork's sum, place by place, without the harmonic numbers."""
    before = found = 0
    total = 0.0
    for distance in np.unique(distances):
        group = relevant[distances == distance]
        n, r = len(group), int(group.sum())
        place = np.arange(n)
        total += float((r / n * (found + 1 + place * (r - 1) / max(n - 1, 1)) / (before + place + 1)).sum())
        before, found = before + n, found + r
    return total / found


def test_shared_labels_are_the_label_product_a_slice_at_a_time(monkeypatch):
    labels = random_relevance(40, 6, seed=1, share=0.3).astype(np.float32)
    queries, gallery = random_codes(15, 0), random_codes(25, 1)
    whole = evaluate_codes(queries, gallery, labels[:15] @ labels[15:].T > 0, 32)
    monkeypatch.setattr("mlhub.hashing.ranking._BLOCK", 60)
    assert evaluate_codes(queries, gallery, SharedLabels(labels[:15], labels[15:]), 32).map == pytest.approx(whole.map)
