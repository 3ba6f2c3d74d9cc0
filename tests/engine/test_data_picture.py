"""One picture: any size and mode, scaled, cut and laid on white."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from engine.data.picture import read_picture, strict_pillow


def saved(image: Image.Image, kind: str = "PNG", **settings: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    file.seek(0)
    return file


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, channels)).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(9, 9), (16, 16), (50, 50), (200, 100), (96, 240)])
def test_it_is_scaled_and_cut_as_torchvision_does(width: int, height: int) -> None:
    from torchvision.transforms import functional

    image = noise(width, height)
    theirs = np.asarray(functional.center_crop(functional.resize(image, 16), [16])).transpose(2, 0, 1)
    assert (read_picture(saved(image), 16, True) == theirs).all()


@pytest.mark.parametrize(("width", "height"), [(48, 16), (16, 48), (480, 160)])
def test_the_middle_is_cut_out(width: int, height: int) -> None:
    thirds = np.repeat(np.array([255, 100, 0], np.uint8), max(width, height) // 3)
    stripes = np.tile(
        thirds[None, :] if width > height else thirds[:, None], (height, 1) if width > height else (1, width)
    )
    picture = read_picture(saved(Image.fromarray(stripes)), 16, False)
    assert picture.shape == (1, 16, 16)
    assert (picture[:, 1:-1, 1:-1] == 100).all()  # what lies beside the cut blends into its edge


def test_shrinking_averages_over_all_pixels() -> None:
    checks = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    picture = read_picture(saved(Image.fromarray(checks)), 8, False)
    assert np.abs(picture.astype(int) - 127).max() <= 2


def test_a_large_jpeg_looks_the_same_by_the_short_way() -> None:
    smooth = noise(24, 18).resize((1200, 900), Image.Resampling.BICUBIC)
    difference = read_picture(saved(smooth, "JPEG", quality=95), 32, True) - read_picture(
        saved(smooth), 32, True
    ).astype(int)
    assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    assert read_picture(saved(noise(*size)), 8, True).shape == (3, 8, 8)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(mode: str) -> None:
    image = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    image.paste((200, 200, 200, 255), (0, 0, 10, 5))
    for color in (True, False):
        picture = read_picture(saved(image.convert(mode)), 10, color)
        assert (picture[:, 0] == 200).all()
        assert (picture[:, 9] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB"])
def test_every_mode_becomes_three_channels_or_one(mode: str) -> None:
    image = Image.new("RGB", (6, 6), "white").convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert (read_picture(saved(image, kind), 6, True) == 255).all()
    assert read_picture(saved(image, kind), 6, False).shape == (1, 6, 6)


def test_sixteen_bits_keep_their_shades() -> None:
    shades = np.tile(np.arange(0, 65536, 4096, np.uint16), (16, 1))
    assert read_picture(saved(Image.fromarray(shades)), 16, False)[0, 0].tolist() == list(range(0, 256, 16))


def test_numbers_that_are_no_bytes_are_refused() -> None:
    with pytest.raises(OSError, match="mode F"):
        read_picture(saved(Image.new("F", (4, 4)), "TIFF"), 4, False)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_sideways_is_undone(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = noise(12, 12)
    turned = Image.open(saved(image, exif=exif))
    expected = np.asarray(ImageOps.exif_transpose(turned)).transpose(2, 0, 1)
    assert (read_picture(saved(image, exif=exif), 12, True) == expected).all()


def test_damaged_notes_say_nothing_against_the_pixels(recwarn: pytest.WarningsRecorder) -> None:
    file = saved(noise(8, 8), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense")
    with strict_pillow():
        assert read_picture(file, 8, True).shape == (3, 8, 8)
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
def test_a_picture_cut_short_is_an_error(kind: str) -> None:
    whole = saved(noise(60, 60), kind).getvalue()
    assert read_picture(io.BytesIO(whole), 8, True).shape == (3, 8, 8)
    for part in (len(whole) // 2, 5, 0):
        with pytest.raises(Exception):  # noqa: B017 - whatever the decoder raises
            read_picture(io.BytesIO(whole[:part]), 8, True)


def test_another_file_is_no_picture() -> None:
    with pytest.raises(OSError, match=r"^not a picture$"):
        read_picture(io.BytesIO(b"hello, world"), 8, True)


def test_a_bomb_is_refused_unopened(tmp_path: Path) -> None:
    bomb = saved(Image.new("1", (12_000, 9_000)))
    with strict_pillow(), pytest.raises(Image.DecompressionBombWarning, match="exceeds limit"):
        read_picture(bomb, 8, True)
