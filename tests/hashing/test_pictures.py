"""Files become small square pictures of the thing alone; augmentation keeps shapes, ranges and its seed."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from mlhub.errors import MlhubError
from mlhub.hashing import front
from mlhub.hashing.pictures import RENDERINGS, augment, open_image, picture, renderings


def disc(mode="RGBA", ground=(0, 0, 0, 0), box=(10, 10, 40, 40), size=(72, 72)):
    image = Image.new("RGBA", size, ground)
    ImageDraw.Draw(image).ellipse(box, fill=(200, 30, 30, 255))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "P", "1", "CMYK", "LA", "I;16"])
def test_any_mode_becomes_four_planes(mode):
    image = Image.new(mode, (30, 50)) if mode == "I;16" else disc(mode, (255, 255, 255, 255))
    assert picture(image, 48).shape == (4, 48, 48)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (500, 2)])
def test_any_size_becomes_the_same_square(size):
    assert picture(Image.new("RGB", size, "red"), 48).shape == (4, 48, 48)


def test_where_the_thing_lies_does_not_matter():
    here, there = picture(disc(box=(0, 0, 30, 30)), 48), picture(disc(box=(40, 20, 70, 50)), 48)
    assert (here.float() - there.float()).abs().mean() < 2


def test_a_white_ground_counts_as_transparent():
    clear, white = picture(disc(), 48), picture(disc("RGB", (255, 255, 255, 255)), 48)
    assert (clear.float() - white.float()).abs().mean() < 4


def test_an_empty_image_is_white_and_nothing():
    pixels = picture(Image.new("RGBA", (20, 20)), 48)
    assert pixels[:3].min() == 255
    assert pixels[3].max() == 0


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(MlhubError, match=r"gone\.png: no such image"):
        open_image(tmp_path / "gone.png")


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path):
    held = Image.Exif()
    held[0x0112] = 6  # turned a quarter to the right to be shown
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=held)
    assert open_image(tmp_path / "turned.jpg").size == (20, 40)


@pytest.mark.parametrize("cut", [0, 8, 60, 200])
def test_a_broken_image_is_named(tmp_path, cut):
    path = tmp_path / "broken.png"
    noise = np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(MlhubError, match=r"broken\.png: not a readable image"):
        open_image(path)


def test_renderings_begin_with_the_picture_itself():
    pictures = picture(disc(), 48).unsqueeze(0)
    made = renderings(pictures)
    assert made.shape == (RENDERINGS, 1, 4, 48, 48)
    assert torch.equal(made[0], pictures)
    assert all(not torch.equal(other, pictures) for other in made[2:])


def test_an_outline_is_dark_and_a_closing_takes_it_away():
    pictures = picture(disc(), 48).unsqueeze(0)
    plain, _, outlined, *_ = renderings(pictures)
    closed = renderings(outlined)[1]
    dark = [(made[:, :3].amax(1) < 90).sum() for made in (plain, outlined, closed)]
    assert dark[1] > 100 > dark[2]


def test_augmentation_keeps_shape_and_range_and_its_seed():
    pictures = torch.stack([picture(disc(), 48)] * 6).float() / 255
    one, two = (augment(pictures, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)
    assert one.shape == pictures.shape
    assert -0.01 <= float(one.min()) <= float(one.max()) <= 1.01
    assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("size", [24, 48, 96])
def test_features_are_finite_even_of_nothing(size):
    for pictures in (torch.zeros(2, 4, size, size), torch.ones(2, 4, size, size)):
        assert front.features(pictures).isfinite().all()


def test_features_see_colour():
    red, green = torch.zeros(2, 4, 48, 48).unbind()
    red[0], green[1] = 1, 1
    made = front.features(torch.stack([red, green]))
    assert (made[0] - made[1]).norm() > 1
