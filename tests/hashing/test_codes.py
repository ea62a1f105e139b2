import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlhub.errors import MlhubError
from mlhub.hashing.codes import BITS, hamming, pack, prefix, unpack

LENGTHS = [8, 16, 32, 48, 64, 128]
signs = arrays(np.bool_, st.tuples(st.integers(1, 6), st.just(BITS)))


def as_logits(bits):
    return np.where(bits, 1.0, -1.0).astype(np.float32)


@pytest.mark.parametrize("bit", [0, 1, 7, 8, 63, 127])
def test_bit_b_is_bit_7_minus_b_mod_8_of_byte_b_div_8(bit):
    logits = np.full((1, BITS), -1.0)
    logits[0, bit] = 1.0
    expected = np.zeros((1, 16), np.uint8)
    expected[0, bit // 8] = 1 << (7 - bit % 8)
    np.testing.assert_array_equal(pack(logits), expected)


def test_zero_and_negative_zero_are_unset_and_the_smallest_positive_is_set():
    logits = np.zeros((1, BITS), np.float32)
    logits[0, 1] = -0.0
    logits[0, 2] = np.nextafter(np.float32(0), np.float32(1))
    assert pack(logits)[0, 0] == 0b00100000


@given(signs)
def test_unpacking_gives_back_the_signs(bits):
    np.testing.assert_array_equal(unpack(pack(as_logits(bits))), bits)


@given(signs, st.sampled_from(LENGTHS))
def test_the_code_of_a_length_is_the_first_bits_of_the_long_one(bits, length):
    np.testing.assert_array_equal(unpack(prefix(pack(as_logits(bits)), length)), bits[:, :length])


@given(signs, signs, st.sampled_from([*LENGTHS, 24, 40, 56, 96, 120]))
def test_distance_is_the_number_of_differing_bits_of_the_prefix(left, right, length):
    expected = (left[:, None, :length] != right[None, :, :length]).sum(axis=2)
    np.testing.assert_array_equal(hamming(pack(as_logits(left)), pack(as_logits(right)), length), expected)


def test_distances_are_the_same_across_block_borders():
    random = np.random.default_rng(0)
    queries = random.integers(0, 256, (7, 16), np.uint8)
    gallery = random.integers(0, 256, (60_000, 16), np.uint8)  # a block is two queries
    whole = hamming(queries, gallery)
    for row in range(7):
        np.testing.assert_array_equal(whole[row], np.bitwise_count(gallery ^ queries[row]).sum(axis=1))


def test_a_prefix_is_a_view_and_copies_nothing():
    codes = np.zeros((3, 16), np.uint8)
    assert np.shares_memory(prefix(codes, 16), codes)


@pytest.mark.parametrize("bits", [0, 4, 12, 136])
def test_a_length_that_is_not_whole_bytes_of_the_code_is_refused(bits):
    with pytest.raises(ValueError, match="multiple of 8"):
        prefix(np.zeros((1, 16), np.uint8), bits)


def test_logits_that_are_not_numbers_make_no_code():
    with pytest.raises(MlhubError, match="NaN"):
        pack(np.full((1, BITS), np.nan))


def test_logits_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"\[n, 128\]"):
        pack(np.zeros((2, 64)))
