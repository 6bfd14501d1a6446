"""Light, shadows and colours of the ray tracer against closed forms and against the file's own texels."""

import numpy as np
import pytest
import torch
import trimesh

from pose_regressor.color import srgb_from_linear, srgb_table
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import Scenes, blank_scenes

SIZE = 64
FOCAL = 100.0
MIDDLE = (SIZE - 1) / 2


def quad(edge: float, color: int = 255, **given) -> Mesh:
    """A square in the plane z = 0 that faces a camera on its negative side."""
    corners = np.float32([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * edge / 2
    given = {"texture": None, "uv": None, "vertex_colors": np.full((4, 3), color, np.uint8)} | given
    return Mesh(corners, np.int32([[0, 2, 1], [0, 3, 2]]), **given)


def about_x(angle: float) -> np.ndarray:
    return np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])


def facing(count: int = 1, places: int = 1, depth: float = 0.5) -> Scenes:
    """Mesh 0 in the first place, `depth` before the camera, which has it in the middle of SIZE pixels."""
    scenes = blank_scenes(count, places)
    scenes.camera_matrix[:] = [[FOCAL, 0, MIDDLE], [0, FOCAL, MIDDLE], [0, 0, 1]]
    scenes.mesh[:, 0], scenes.cam_from_obj[:, 0, 2, 3] = 0, depth
    return scenes


def rays() -> np.ndarray:
    rows, columns = np.indices((SIZE, SIZE))
    return np.stack([(columns - MIDDLE) / FOCAL, (rows - MIDDLE) / FOCAL, np.ones_like(rows)], -1)


def color_of(raytracer: Raytracer, scenes: Scenes, **options) -> np.ndarray:
    """(B, H, W, 3)"""
    return raytracer.render(scenes, SIZE, SIZE, **options).color.numpy()


def test_lambert():
    """A lamp lights a matt plane by the cosine, from in front only."""
    scenes = facing(3)
    scenes.ambient[:] = 0
    angle = 0.7
    scenes.light["direction"][:, 1] = 0, np.sin(angle), -np.cos(angle)
    scenes.light["color"][:, 1] = 0.9, 0.5, 0.1
    scenes.cam_from_obj[1, 0, :3, :3] = about_x(0.4)
    scenes.light["direction"][2, 1] *= -1
    color = color_of(Raytracer([quad(2, color=188)]), scenes)
    albedo = srgb_table()[188] * np.array([0.9, 0.5, 0.1])
    np.testing.assert_allclose(color[0], np.broadcast_to(albedo * np.cos(angle), color[0].shape), atol=1e-5)
    normal = about_x(0.4) @ (0, 0, -1)
    expected = albedo * (normal @ (0, np.sin(angle), -np.cos(angle)))
    np.testing.assert_allclose(color[1], np.broadcast_to(expected, color[1].shape), atol=1e-5)
    assert not color[2].any()


def test_light_from_all_around_is_the_integral_over_the_directions():
    """Coefficients of harmonics against a sum over the sphere, with harmonics scaled so that the first is 1."""
    rng = np.random.default_rng(0)
    count = 200_000
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    x, y = np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn)
    harmonics = np.stack(
        [np.full(count, np.sqrt(1 / 4)), *(np.sqrt(3 / 4) * a for a in (y, z, x)),
         *(np.sqrt(15 / 4) * a for a in (x * y, y * z)), np.sqrt(5 / 16) * (3 * z**2 - 1), np.sqrt(15 / 4) * x * z,
         np.sqrt(15 / 16) * (x**2 - y**2)]
    ) / np.sqrt(1 / 4)  # fmt: skip
    scenes = facing(8)
    scenes.ambient[:] = rng.normal(size=(8, 9, 3)) * 0.04
    scenes.ambient[:, 0] = 0.8
    turns = [about_x(angle) for angle in rng.uniform(-1.0, 1.0, 8)]
    scenes.cam_from_obj[:, 0, :3, :3] = turns
    color = color_of(Raytracer([quad(2)]), scenes)
    for i in range(8):
        normal = turns[i] @ (0, 0, -1)
        cosine = np.maximum(normal @ np.stack([x, y, z]), 0)
        expected = 4 * (cosine * (scenes.ambient[i].T @ harmonics)).mean(1)
        middle = color[i, SIZE // 2, SIZE // 2]
        np.testing.assert_allclose(middle, expected, rtol=1e-3)
    even = facing()
    even.ambient[:, 0] = 0.2, 0.3, 0.4
    np.testing.assert_allclose(color_of(Raytracer([quad(2)]), even)[0, 5, 5], (0.2, 0.3, 0.4), rtol=1e-6)


def test_highlight():
    """Against the microfacet model written out with Smith's exact term."""
    scenes = facing(4)
    scenes.ambient[:] = 0
    scenes.material["tint"], scenes.material["specular"] = 0, 0.3
    scenes.material["roughness"][:, 0] = 0.3, 0.5, 0.7, 1.0
    light = np.array([0.1, -0.2, -1]) / np.linalg.norm([0.1, -0.2, -1])
    scenes.light["direction"][:, 0], scenes.light["color"][:, 0] = light, 1
    color = color_of(Raytracer([quad(2)]), scenes)[..., 0]
    view = -rays() / np.linalg.norm(rays(), axis=-1, keepdims=True)
    normal = np.array([0, 0, -1.0])
    half = (light + view) / np.linalg.norm(light + view, axis=-1, keepdims=True)
    for image, roughness in zip(color, (0.3, 0.5, 0.7, 1.0), strict=True):
        a = roughness**2
        n_l, n_v, n_h, l_h = normal @ light, view @ normal, half @ normal, half @ light
        distribution = a**2 / (np.pi * (n_h**2 * (a**2 - 1) + 1) ** 2)
        smith = 2 / (n_l * np.sqrt(a**2 + (1 - a**2) * n_v**2) + n_v * np.sqrt(a**2 + (1 - a**2) * n_l**2))
        expected = np.pi * distribution * smith / 4 * (0.3 + 0.7 * (1 - l_h) ** 5) * n_l
        np.testing.assert_allclose(image, expected, rtol=0.03, atol=1e-4)


def plate_over_ground() -> tuple[Raytracer, Scenes]:
    """Looking straight down on white ground at depth 1, over which a plate of 0.2 m hovers, with a lamp at its side."""
    scenes = facing(depth=0.8)
    scenes.ambient[:] = 0
    scenes.ground["plane"], scenes.ground["picture"], scenes.ground["picture_scale"] = (0, 0, -1, 1), 0, 1
    light = np.array([0.8, 0.3, -1]) / np.linalg.norm([0.8, 0.3, -1])
    scenes.light["direction"][:, 0], scenes.light["color"][:, 0], scenes.light["shadow"][:, 0] = light, 1, 1
    return Raytracer([quad(0.2)], np.full((1, 4, 4, 3), 255, np.uint8)), scenes


def test_hard_shadow():
    raytracer, scenes = plate_over_ground()
    rendered = raytracer.render(scenes, SIZE, SIZE)
    ground = rendered.thing[0].numpy() == 1
    light = scenes.light["direction"][0, 0]
    at_plate = (rays() + light * (0.2 / -light[2]))[..., :2]
    shadow = (np.abs(at_plate) < 0.1).all(-1)
    expected = np.where(shadow, 0, -light[2])
    wrong = ground & (np.abs(rendered.color[0].numpy()[..., 0] - expected) > 1e-4)
    assert (ground & shadow).sum() > 100 and wrong.sum() <= 4
    plate = rendered.thing[0].numpy() == 0
    np.testing.assert_allclose(rendered.color[0].numpy()[plate], -light[2], atol=1e-5)
    scenes.light["shadow"] = 0
    np.testing.assert_allclose(color_of(raytracer, scenes)[0], -light[2], atol=1e-5)


def test_soft_shadow():
    """Where the hard shadow's straight edge was, half of the lamp is seen; far from it all or nothing."""
    raytracer, scenes = plate_over_ground()
    scenes.light["radius"][:, 0] = 0.15
    light = scenes.light["direction"][0, 0]
    share = color_of(raytracer, scenes)[0, ..., 0] / -light[2]
    assert ((share < 1e-5) | (np.abs(share - 1) < 1e-4)).all()
    at_plate = (rays() + light * (0.2 / -light[2]))[..., :2]
    ground = np.abs(rays()[..., :2] * 0.8).max(-1) > 0.1
    along_edge = ground & (np.abs(at_plate[..., 1] - 0.1) < 0.006) & (np.abs(at_plate[..., 0]) < 0.05)
    assert along_edge.sum() >= 8 and 0.3 < share[along_edge].mean() < 0.7
    np.testing.assert_allclose(share[ground & (np.abs(at_plate) > 0.2).any(-1)], 1, atol=1e-4)
    assert share[ground & (np.abs(at_plate) < 0.05).all(-1)].mean() < 0.02
    smooth = color_of(raytracer, scenes, edge_samples=16)[0, ..., 0] / -light[2]
    assert smooth[along_edge].std() < 0.2 and abs(smooth[along_edge].mean() - 0.5) < 0.1


@pytest.mark.parametrize("convex", [True, False])
def test_a_ball_has_no_shadow_on_its_lit_side(convex):
    """Not from its own facets, whether or not it is known to be convex."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
    vertices, faces = np.float32(ball.vertices), np.int32(ball.faces)
    if not convex:  # a second, tiny ball beside it in the same mesh
        faces = np.concatenate([faces, faces + len(vertices)])
        vertices = np.concatenate([vertices, vertices * 0.01 + np.float32([0.2, 0, 0])])
    mesh = Mesh(vertices, faces, None, None, np.full((len(vertices), 3), 255, np.uint8))
    scenes = facing()
    scenes.ambient[:] = 0
    light = np.array([0.6, -0.5, -0.6]) / np.linalg.norm([0.6, -0.5, -0.6])
    scenes.light["direction"][:, 0], scenes.light["color"][:, 0] = light, 1
    bare = color_of(Raytracer([mesh]), scenes)
    scenes.light["shadow"] = 1
    shadowed = color_of(Raytracer([mesh]), scenes)
    assert (bare > 0.3).sum() > 500
    np.testing.assert_array_equal(shadowed[bare > 0.15], bare[bare > 0.15])
    # And as smooth as a ball: the cosine of its own normal, not of the facets'.
    rendered = Raytracer([mesh]).render(scenes, SIZE, SIZE)
    position = rendered.position[0].numpy()
    seen = (rendered.thing[0].numpy() == 0) & (shadowed[0, ..., 0] > 0.15) & (np.linalg.norm(position, axis=-1) < 0.12)
    expected = position[seen] @ light / np.linalg.norm(position[seen], axis=1)
    np.testing.assert_allclose(shadowed[0, seen, 0], expected, atol=0.01)


def test_texture_colours_are_the_files():
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 256, (4, 4, 3), np.uint8)
    texture = blocks.repeat(16, 0).repeat(16, 1)
    uv = np.float32([[0, 1], [1, 1], [1, 0], [0, 0]])[np.array([[0, 2, 1], [0, 3, 2]])]
    mesh = quad(0.32, texture=texture, uv=uv, vertex_colors=None)
    scenes = facing()  # each of the 64 texels is a pixel
    color = color_of(Raytracer([mesh]), scenes)[0]
    np.testing.assert_allclose(color[8::16, 8::16], srgb_table()[blocks], atol=1e-5)
    np.testing.assert_array_equal(srgb_from_linear(color[8::16, 8::16]), blocks)
    np.testing.assert_allclose(color, srgb_table()[texture], atol=0.01)
    scenes.material["tint"], scenes.material["offset"] = np.roll(np.eye(3), 1, 0) * 0.5, (0.1, 0, -2)
    changed = color_of(Raytracer([mesh]), scenes)[0]
    expected = np.roll(srgb_table()[texture], 1, -1) * 0.5 + (0.1, 0, -2)
    np.testing.assert_allclose(changed, expected.clip(0), atol=0.01)


def test_a_texture_seen_from_afar_is_its_mean_light():
    """Black and white texels average to half the light, which is sRGB 188 and not 128."""
    texture = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    uv = np.float32([[0, 1], [1, 1], [1, 0], [0, 0]])[np.array([[0, 2, 1], [0, 3, 2]])]
    color = color_of(Raytracer([quad(0.2, texture=texture, uv=uv, vertex_colors=None)]), facing(depth=1.0))[0]
    inside = color[SIZE // 2 - 6 : SIZE // 2 + 6, SIZE // 2 - 6 : SIZE // 2 + 6]
    np.testing.assert_allclose(inside, 0.5, atol=0.01)


def test_vertex_colours_mix_linearly():
    codes = np.uint8([[255, 0, 0], [0, 255, 0], [0, 0, 255], [40, 120, 200]])
    mesh = quad(0.32, vertex_colors=codes)
    rendered = Raytracer([mesh]).render(facing(), SIZE, SIZE)
    place = rendered.position[0].numpy()[..., :2] / 0.32 + 0.5
    light = srgb_table()[codes]
    u, v = place[..., :1], place[..., 1:]
    upper = light[0] + u * (light[1] - light[0]) + v * (light[2] - light[1])
    lower = light[0] + v * (light[3] - light[0]) + u * (light[2] - light[3])
    np.testing.assert_allclose(rendered.color[0].numpy(), np.where(u >= v, upper, lower), atol=1e-5)


def test_a_picture_in_place_of_the_texture():
    """Laid on at its scale, the same on every side of a box, going on beyond its edge as in a mirror."""
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    picture[0, :, :32] = 255
    scenes = facing()
    scenes.material["picture"], scenes.material["picture_scale"] = 0, 10
    rendered = Raytracer([quad(0.32)], picture).render(scenes, SIZE, SIZE)
    x = rendered.position[0].numpy()[..., 0] * 10
    folded = np.abs(x - 2 * np.round(x / 2))
    clear = np.abs(folded - 0.5) > 0.05
    expected = np.where(folded < 0.5, 1.0, 0.0)
    np.testing.assert_allclose(rendered.color[0].numpy()[..., 0][clear], expected[clear], atol=1e-4)


def test_background_is_the_picture_laid_over_the_image():
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (3, 16, 16, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    scenes = blank_scenes(1, 0)
    scenes.camera_matrix[:] = np.eye(3)
    scenes.background["picture"] = 2
    # Pixel centres on texel centres, mirrored left to right.
    scenes.background["from_pixel"] = [[-1 / SIZE, 0, 1 - 0.5 / SIZE], [0, 1 / SIZE, 0.5 / SIZE]]
    scenes.background["tint"] = np.diag([1, 0.5, 0])
    color = color_of(Raytracer([], pictures), scenes)[0]
    np.testing.assert_allclose(color, srgb_table()[pictures[2, :, ::-1]] * (1, 0.5, 0), atol=1e-4)


@pytest.mark.parametrize("shape", ["square", "two"])
def test_edges_of_several_rays(shape):
    """Mean colours tell the area that is covered, stay between what meets at the edge, and leave the labels alone."""
    places = 2 if shape == "two" else 1
    scenes = facing(places=places)
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    scenes.cam_from_obj[:, 0, :3, :3] = turn
    if shape == "two":
        scenes.mesh[:, 1], scenes.cam_from_obj[:, 1, :3, 3] = 0, (0.03, 0.02, 0.6)
        scenes.material["tint"][:, 1] = 0.5 * np.eye(3)
    raytracer = Raytracer([quad(0.15)])
    hard = raytracer.render(scenes, SIZE, SIZE)
    soft = raytracer.render(scenes, SIZE, SIZE, edge_samples=16)
    for name in ("thing", "depth", "normal", "position", "covered"):
        assert torch.equal(getattr(hard, name), getattr(soft, name))
    color = soft.color[0, ..., 0].numpy()
    assert color.min() >= 0 and color.max() <= 1 + 1e-6
    if shape == "square":
        area = (0.15 / 0.5 * FOCAL) ** 2
        assert abs(color.sum() - area) < 0.005 * area
        assert ((color > 0.1) & (color < 0.9)).sum() > 60
    window = np.lib.stride_tricks.sliding_window_view(hard.color[0, ..., 0].numpy(), (3, 3))
    inner = color[1:-1, 1:-1]
    assert (inner >= window.min((2, 3)) - 1e-6).all() and (inner <= window.max((2, 3)) + 1e-6).all()
