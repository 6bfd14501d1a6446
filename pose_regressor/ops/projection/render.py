"""The render loss: the projection loss over a closed mesh, with soft edges and with a true derivative.

A mesh's silhouette is enclosed by its contour: the edges between a face that looks at the camera and one that looks
away. So no triangle is rasterised. Each piece of the projected contour adds its height to the pixels on its right, with
the sign of its direction (Green's theorem). The sum in a pixel is the number of front faces over it; limited to [0, 1],
it is the silhouette. The contour is blurred by a pixel to either side, which makes it differentiable; pixels of a
coarser grid reach farther.

Cost: two dot products for each edge of the mesh and each image, eight additions for each pixel of the contour's length,
and a sum along the rows of the grid.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.projection.checks import batch_of, check_finite, check_size, computed_in
from pose_regressor.ops.projection.reference import NEAR
from pose_regressor.types import InputError

#: Vertices nearer to each other than this share of the mesh's size count as one.
WELD = 1e-6
#: Most pixels of contour that one edge may have: more than any grid that an object fits in.
MAX_PIECES = 8192


class MeshEdges(NamedTuple):
    """The edges of a closed mesh at which its surface bends.

    start, end: (E, 3) metres, object frame
    left: (E, 3) unit normal of the face around which the edge runs counter-clockwise, seen from outside
    right: (E, 3) unit normal of the other face
    """

    start: Tensor
    end: Tensor
    left: Tensor
    right: Tensor


def mesh_edges(vertices: Tensor, faces: Tensor) -> MeshEdges:
    """The edges of a mesh, on its device.

    vertices: (V, 3) metres; those in the same place, as meshes with textures have them, count as one
    faces: (F, 3) vertices, counter-clockwise seen from outside
    InputError: the surface is not closed. Each edge must belong to exactly two faces that run along it in opposite
    directions.
    """
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not vertices.is_floating_point():
        raise InputError(
            f"mesh: vertices: expected floats of shape (V, 3), got {vertices.dtype} {list(vertices.shape)}"
        )
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.is_floating_point() or len(faces) == 0:
        raise InputError(f"mesh: faces: expected integers of shape (F, 3), got {faces.dtype} {list(faces.shape)}")
    if not 0 <= int(faces.min()) <= int(faces.max()) < len(vertices):
        raise InputError(
            f"mesh: faces: expected numbers of {len(vertices)} vertices, got {faces.min()} to {faces.max()}"
        )
    extent = (vertices.amax(0) - vertices.amin(0)).max()
    _, welded = torch.unique((vertices / (extent * WELD)).round(), dim=0, return_inverse=True)
    faces = faces.long()
    corners = welded[faces]
    full = (corners != corners.roll(1, 1)).all(1)  # a face that is only a line has no normal
    faces, corners = faces[full], corners[full]
    triangle = vertices[faces]
    normal = torch.linalg.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    normal = torch.nn.functional.normalize(normal, dim=1, eps=0)

    # Each edge once for each of its faces: first those that run to a higher vertex number, then those to a lower one.
    begin, stop = corners.flatten(), corners.roll(-1, 1).flatten()
    count = len(vertices)
    name = torch.minimum(begin, stop) * count + torch.maximum(begin, stop)
    order = torch.argsort(2 * name + (begin > stop))
    up, down = order[::2], order[1::2]
    pairs = len(order) % 2 == 0 and bool(
        (name[up] == name[down]).all() and (begin < stop)[up].all() and (begin > stop)[down].all()
    )
    if not pairs or len(torch.unique(name)) != len(up):
        raise InputError("mesh: expected a closed surface, every edge between two faces of the same orientation")
    left, right = normal[up // 3], normal[down // 3]
    bent = (left - right).norm(dim=1) > 1e-6
    start, end = vertices[faces.flatten()[up]], vertices[faces.roll(-1, 1).flatten()[up]]
    return MeshEdges(start[bent], end[bent], left[bent], right[bent])


def render_loss(
    edges: MeshEdges, rotation: Tensor, translation: Tensor, rotation_gt: Tensor, translation_gt: Tensor,
    camera_matrix: Tensor, size: tuple[int, int], scale: float = 1.0, *, check_values: bool = True,
) -> Tensor:  # fmt: skip
    """1 - sum of XY / sum of (X² + Y² - XY), of the soft silhouettes X of the predicted and Y of the true pose: (B,).

    For silhouettes of zeros and ones this is 1 - IoU. For soft ones it is 0 only if they are equal, and smooth there.
    Without overlap there is no gradient. An object that reaches behind the camera has an empty silhouette.

    edges: of the mesh, by `mesh_edges`; all other arguments as in `projection_loss`
    """
    named = {
        "edges": edges.start, "rotation": rotation, "translation": translation, "rotation_gt": rotation_gt,
        "translation_gt": translation_gt, "camera_matrix": camera_matrix,
    }  # fmt: skip
    batch = batch_of("render_loss", named)
    check_size("render_loss", size, scale)
    if check_values and not torch.compiler.is_compiling():
        check_finite("render_loss", named)
    dtype = computed_in(named)
    edges = MeshEdges(*(value.to(dtype) for value in edges))
    camera = camera_matrix.to(dtype).expand(batch, 3, 3)
    with torch.no_grad():
        true = soft_silhouette(edges, rotation_gt.to(dtype), translation_gt.to(dtype), camera, size, scale)
    predicted = soft_silhouette(edges, rotation.to(dtype), translation.to(dtype), camera, size, scale)
    intersection = (predicted * true).sum((1, 2))
    union = (predicted.square() + true.square() - predicted * true).sum((1, 2))
    return 1 - torch.where(union > 0, intersection / torch.where(union > 0, union, 1), 1)


def soft_silhouette(
    edges: MeshEdges, rotation: Tensor, translation: Tensor, camera_matrix: Tensor, size: tuple[int, int], scale: float
) -> Tensor:
    """(B, H, W) coverage of each pixel, in [0, 1], under poses (B, 3, 3) and (B, 3); camera_matrix: (B, 3, 3)."""
    height, width = size
    image, edge, sign = _contour(edges, rotation, translation)
    # One long row for each number of a pose: adding up rows of three elements is slow.
    numbers = torch.cat([rotation.flatten(1), translation, camera_matrix.flatten(1)[:, :6]], dim=1)
    view = numbers.T[:, image].unbind(0)
    a0, b0 = _on_grid(edges.start.T[:, edge], view, scale)
    a1, b1 = _on_grid(edges.end.T[:, edge], view, scale)

    # Pieces no longer than a pixel.
    with torch.no_grad():
        pieces = torch.maximum((a1 - a0).abs(), (b1 - b0).abs()).ceil().clamp(1, MAX_PIECES).long()
        whole = torch.repeat_interleave(torch.arange(len(edge), device=edge.device), pieces)
        number = torch.arange(len(whole), device=edge.device) - (pieces.cumsum(0) - pieces)[whole]
        begin, stop = number / pieces[whole].to(a0.dtype), (number + 1) / pieces[whole].to(a0.dtype)
    a = torch.lerp(a0[whole], a1[whole], (begin + stop) / 2).clamp(-1, width)
    top, bottom = torch.lerp(b0[whole], b1[whole], begin), torch.lerp(b0[whole], b1[whole], stop)

    # Rows of pixels weigh the pieces with a tent, two pixels wide; a column gets the share of a piece to its left.
    left, row = a.detach().floor(), ((top + bottom) / 2).detach().floor()
    shares = torch.stack([1 - (a - left), a - left])
    places, steps = [], []
    for n in (row - 1, row, row + 1, row + 2):
        inside = (n >= 0) & (n < height)
        tall = (_below_tent(bottom - n) - _below_tent(top - n)) * (sign[whole] * inside)
        place = (image[whole] * height + torch.where(inside, n, 0).long()) * (width + 3) + left.long() + 1
        places += [place, place + 1]
        steps += [*(tall * shares)]
    layers = a0.new_zeros(len(rotation) * height * (width + 3)).index_add(0, torch.cat(places), torch.cat(steps))
    layers = layers.view(-1, height, width + 3).cumsum(2)
    return ((layers[..., :width] + layers[..., 1 : width + 1]) / 2).clamp(0, 1)


def _contour(edges: MeshEdges, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The edges on contours, (P,) each: the image, the edge, and the sign with which it bounds the front faces."""
    with torch.no_grad():
        camera = -(rotation.mT @ translation.unsqueeze(-1)).squeeze(-1)  # in the object's frame
        ahead = (torch.minimum(edges.start @ rotation[:, 2].T, edges.end @ rotation[:, 2].T) + translation[:, 2]).amin(
            0
        )
        left = camera @ edges.left.T > (edges.start * edges.left).sum(1)
        right = camera @ edges.right.T > (edges.start * edges.right).sum(1)
        image, edge = ((left != right) & (ahead > NEAR).unsqueeze(1)).nonzero(as_tuple=True)
        # Seen from the camera front faces run counter-clockwise: downwards on the left, where coverage begins.
        return image, edge, torch.where(left[image, edge], 1.0, -1.0).to(translation)


def _on_grid(points: Tensor, view: tuple[Tensor, ...], scale: float) -> tuple[Tensor, Tensor]:
    """(P,) column and row of points (3, P). view: 18 rows (P,): rotation, translation and upper camera matrix."""
    x, y, z = (
        view[3 * i] * points[0] + view[3 * i + 1] * points[1] + view[3 * i + 2] * points[2] + view[9 + i]
        for i in range(3)
    )
    a = (view[12] * x + view[13] * y) / z + view[14]
    b = view[16] * y / z + view[17]
    return scale * a, scale * b


def _below_tent(x: Tensor) -> Tensor:
    """The integral of max(0, 1 - |x|) from -1 to x."""
    x = x.clamp(-1, 1)
    return 0.5 + x - x * x.abs() / 2
