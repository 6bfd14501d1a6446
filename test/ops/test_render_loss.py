"""The render loss: silhouettes against OpenCV's polygons and convex hulls, gradients against finite differences."""

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from pose_regressor.ops.projection import MeshEdges, mesh_edges, render_loss
from pose_regressor.ops.projection.render import soft_silhouette
from pose_regressor.types import InputError

K = torch.tensor([[120.0, 0.4, 31.5], [0, 125, 23.5], [0, 0, 1]], dtype=torch.float64)
SIZE = (48, 64)


def tetrahedron(size: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    vertices = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64) * size
    return vertices, torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])


def ring(count: int = 16, radius: float = 0.1, thickness: float = 0.04) -> tuple[torch.Tensor, torch.Tensor]:
    """A square profile turned about z: a surface with a hole, and with contours inside its silhouette."""
    angle = torch.arange(count, dtype=torch.float64) * (2 * torch.pi / count)
    profile = thickness * torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64)
    vertices = torch.stack([
        torch.stack([(radius + r) * angle.cos(), (radius + r) * angle.sin(), torch.full_like(angle, z)], 1)
        for r, z in profile.tolist()
    ], 1).flatten(0, 1)  # fmt: skip
    faces = []
    for k in range(count):
        here, there = 4 * k, 4 * ((k + 1) % count)
        for i in range(4):
            j = (i + 1) % 4
            faces += [[here + i, there + i, there + j], [here + i, there + j, here + j]]
    return vertices, torch.tensor(faces)


def poses(batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    translation = np.array([0, 0, 0.5]) + rng.normal(0, 0.01, (batch, 3))
    return torch.tensor(Rotation.from_quat(rng.normal(size=(batch, 4))).as_matrix()), torch.tensor(translation)


def silhouettes(mesh: tuple[torch.Tensor, torch.Tensor], rotation, translation, scale: float = 1.0) -> torch.Tensor:
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    return soft_silhouette(mesh_edges(*mesh), rotation, translation, K.expand(len(rotation), 3, 3), size, scale)


def projected(vertices: torch.Tensor, rotation: torch.Tensor, translation: torch.Tensor) -> np.ndarray:
    homogeneous = (vertices @ rotation.T + translation) @ K.T
    return (homogeneous[:, :2] / homogeneous[:, 2:]).numpy()


def test_a_convex_silhouette_has_the_area_of_the_hull():
    """Blurring moves coverage about and loses none."""
    vertices, faces = tetrahedron(0.05)
    rotation, translation = poses(8)
    for index, covered in enumerate(silhouettes((vertices, faces), rotation, translation)):
        area = ConvexHull(projected(vertices, rotation[index], translation[index])).volume
        assert covered.sum().item() == pytest.approx(area, rel=1e-9)


@pytest.mark.parametrize("mesh", [tetrahedron(0.07), ring()], ids=["tetrahedron", "ring"])
def test_silhouettes_are_those_of_the_triangles(mesh):
    rotation, translation = poses(6)
    for index, covered in enumerate(silhouettes(mesh, rotation, translation).numpy()):
        corners = projected(mesh[0], rotation[index], translation[index])
        drawn = np.zeros((SIZE[0] * 16, SIZE[1] * 16), np.uint8)
        for face in mesh[1].numpy():
            cv2.fillConvexPoly(
                drawn, np.round(((corners[face] + 0.5) * 16 - 0.5) * 16).astype(np.int32), 1, cv2.LINE_8, 4
            )
        inside = cv2.resize(drawn.astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_AREA)
        around = cv2.boxFilter(inside, -1, (3, 3))[1:-1, 1:-1]  # of what is beyond the grid it knows nothing
        assert covered[1:-1, 1:-1][around > 0.9999].min() > 0.98
        assert covered[1:-1, 1:-1][around < 0.0001].max() < 0.02
        assert np.abs(covered - inside).max() < 0.35
        assert covered.sum() == pytest.approx(inside.sum(), rel=0.03)


def test_the_hole_of_a_ring_is_open():
    rotation = torch.eye(3, dtype=torch.float64)[None]
    covered = silhouettes(ring(), rotation, torch.tensor([[0.0, 0, 0.5]], dtype=torch.float64))[0]
    assert covered[24, 32] == 0 and covered[24, 32 + 24] > 0.9


@pytest.mark.parametrize("mesh", [tetrahedron(0.07), ring()], ids=["tetrahedron", "ring"])
def test_gradients_are_those_of_finite_differences(mesh):
    edges = mesh_edges(*mesh)
    rotation_gt, translation_gt = poses(5)
    turn = torch.tensor(Rotation.from_rotvec(np.random.default_rng(1).normal(0, 0.2, (5, 3))).as_matrix())
    rotation = turn @ rotation_gt
    values = (rotation.clone().requires_grad_(), (translation_gt + 0.02).requires_grad_())

    def loss(rotation, translation):
        return render_loss(edges, rotation, translation, rotation_gt, translation_gt, K, SIZE)

    loss(*values).sum().backward()
    rng = np.random.default_rng(2)
    for _ in range(5):
        along = [torch.tensor(rng.normal(size=value.shape)) for value in values]
        step = 1e-6
        with torch.no_grad():
            ahead, behind = (
                loss(*(value + sign * step * way for value, way in zip(values, along, strict=True))) for sign in (1, -1)
            )
        measured = (ahead - behind) / (2 * step)
        stated = sum((value.grad * way).flatten(1).sum(1) for value, way in zip(values, along, strict=True))
        torch.testing.assert_close(stated, measured, rtol=2e-3, atol=2e-4)


def test_equal_poses_are_the_minimum():
    edges = mesh_edges(*ring())
    rotation, translation = poses(4)
    moved = translation.clone().requires_grad_()
    loss = render_loss(edges, rotation, moved, rotation, translation, K, SIZE)
    loss.sum().backward()
    assert loss.abs().max() < 1e-12 and moved.grad.abs().max() < 1e-9
    assert (render_loss(edges, rotation, translation + 0.01, rotation, translation, K, SIZE) > 0.03).all()


def test_parts_off_the_grid_and_behind_the_camera():
    edges = mesh_edges(*tetrahedron(0.1))
    rotation, _ = poses(1)
    for place in ([-9.0, 0, 0.5], [9.0, 0, 0.5], [0, 9.0, 0.5], [0, 0, 0.05], [0, 0, -1.0]):
        at = torch.tensor([place], dtype=torch.float64, requires_grad=True)
        seen = soft_silhouette(edges, rotation, at, K[None], SIZE, 1.0)
        seen.sum().backward()
        assert seen.sum() < 1e-9 and at.grad.isfinite().all()
    # Half of it to the left of the grid: what is left is what a wider grid shows there.
    shift = torch.tensor([[-0.13, 0, 0.5]], dtype=torch.float64)
    wide = K.clone()
    wide[0, 2] += 32
    cut = soft_silhouette(edges, rotation, shift, K[None], SIZE, 1.0)
    whole = soft_silhouette(edges, rotation, shift, wide[None], (48, 96), 1.0)
    assert whole[0, :, :32].sum() > 50
    torch.testing.assert_close(cut, whole[:, :, 32:], rtol=0, atol=1e-9)


def test_seams_do_not_open_a_mesh_and_flat_edges_do_not_count():
    vertices, faces = tetrahedron()
    assert len(mesh_edges(vertices, faces).start) == 6
    apart = vertices[faces].flatten(0, 1)  # every triangle with corners of its own, as at the seams of a texture
    assert len(mesh_edges(apart, torch.arange(12).view(4, 3)).start) == 6
    # A corner of the base in two halves: one edge more, and no bend there.
    middle = (vertices[1] + vertices[2]) / 2
    halved = torch.cat([vertices, middle[None]])
    split = torch.tensor([[0, 1, 4], [0, 4, 2], [0, 2, 3], [0, 3, 1], [1, 3, 4], [4, 3, 2]])
    assert len(mesh_edges(halved, split).start) == 7


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (tetrahedron()[0], tetrahedron()[1][:3], "expected a closed surface"),
        (
            tetrahedron()[0],
            torch.cat([tetrahedron()[1][:3], tetrahedron()[1][3:].flip(1)]),
            "expected a closed surface",
        ),
        (tetrahedron()[0], torch.tensor([[0, 1, 7]]), "expected numbers of 4 vertices, got 0 to 7"),
        (tetrahedron()[0], torch.zeros(3, 4).long(), r"expected integers of shape \(F, 3\)"),
        (torch.zeros(4, 2), tetrahedron()[1], r"expected floats of shape \(V, 3\)"),
    ],
)
def test_meshes_that_will_not_do_are_named(vertices, faces, message):
    with pytest.raises(InputError, match=f"^mesh: .*{message}"):
        mesh_edges(vertices, faces)


def test_wrong_input_is_named():
    edges = mesh_edges(*tetrahedron())
    rotation, translation = poses(2)
    with pytest.raises(InputError, match=r"^render_loss: translation_gt: expected shape \(2, 3\).*got \(1, 3\)"):
        render_loss(edges, rotation, translation, rotation, translation[:1], K, SIZE)
    with pytest.raises(InputError, match=r"^render_loss: translation: expected finite numbers"):
        render_loss(edges, rotation, translation * torch.nan, rotation, translation, K, SIZE)
    with pytest.raises(InputError, match=r"^render_loss: size"):
        render_loss(edges, rotation, translation, rotation, translation, K, (0, 4))


def test_half_precision_comes_out_as_float32():
    edges = MeshEdges(*(value.half() for value in mesh_edges(*tetrahedron())))
    rotation, translation = (value.half() for value in poses(2))
    moved = (translation + 0.01).requires_grad_()
    loss = render_loss(edges, rotation, moved, rotation, translation, K.half(), SIZE)
    loss.sum().backward()
    assert loss.dtype == torch.float32 and moved.grad.dtype == torch.float16 and moved.grad.isfinite().all()
