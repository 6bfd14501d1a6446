"""Lines of MTL files beside the usual ones: colours of every face, or what is said of them."""

import numpy as np
import pytest

from pose_regressor_training.meshes.mesh import load_mesh


@pytest.fixture
def write(box, tmp_path):
    """A function that writes box.obj, tex.png and box.mtl with lines of the one material, and returns the OBJ."""
    box.write_picture(tmp_path)
    (tmp_path / "box.obj").write_text(box.obj())

    def write(*lines, encoding="utf-8"):
        (tmp_path / "box.mtl").write_text("\n".join(("newmtl skin", *lines)), encoding)
        return tmp_path / "box.obj"

    return write


def test_a_comment_behind_a_picture(box, write, tmp_path):
    box.check(load_mesh(write("map_Kd tex.png # the skin"), "mm"))
    box.write_picture(tmp_path, "no # comment.png", colors=box.colors[::-1])
    box.check(load_mesh(write("map_Kd no # comment.png"), "mm"), box.colors[::-1])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_encodings_with_a_mark(box, write, encoding):
    box.check(load_mesh(write("Kd 1 1 1", "map_Kd tex.png", encoding=encoding), "mm"))


def test_what_only_shines_counts_as_the_colour(box, write):
    box.check(load_mesh(write("Kd 0 0 0", "Ke 0.8 0.2 0.4"), "mm"), [(204, 51, 102)] * 6)
    box.check(load_mesh(write("Kd 0 0 0", "map_Ke tex.png"), "mm"))
    box.check(load_mesh(write("Kd 0.4 0.6 0.8", "Ke 1 1 1", "map_Ke gone.png"), "mm"), [(102, 153, 204)] * 6)
    box.check(load_mesh(write("Kd 0 0 0", "Ke 0 0 0"), "mm"), [(0, 0, 0)] * 6)


def test_transparent_materials_and_colours_that_cannot_be_read_are_said(box, write):
    with pytest.warns(UserWarning, match=r"material 'skin' is transparent \(d 0.2\); it is drawn opaque"):
        box.check(load_mesh(write("map_Kd tex.png", "d 0.2"), "mm"))
    for line in ("Kd spectral file.rfl 1", "Kd xyz 0.3 0.4 0.5"):
        with pytest.warns(UserWarning, match=rf"the colour '{line}' of material 'skin' is left out, expected red"):
            box.check(load_mesh(write(line), "mm"), [(160, 160, 160)] * 6)


def test_clamped_pictures_show_their_edges_beyond(box, write, tmp_path, colors_of):
    """All coordinates are moved beyond the upper left corner, where the picture's corner is stretched."""
    moved = [f"{place[0] - 1} {place[1] + 1}" for place in box.uv.reshape(-1, 2)]
    lines = [line for line in box.obj().splitlines() if not line.startswith("vt ")]
    lines[1:1] = [f"vt {place}" for place in moved]
    path = write("map_Kd -clamp on tex.png")
    path.write_text("\n".join(lines))
    box.check(load_mesh(path, "mm"), [box.colors[0]] * 6)
    path = write("map_Kd tex.png")
    path.write_text("\n".join(lines))
    mesh = load_mesh(path, "mm")
    assert len(np.unique(colors_of(mesh), axis=0)) == 6  # repeated, as without the option
