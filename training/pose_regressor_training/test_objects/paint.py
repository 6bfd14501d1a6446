"""A painted skin as files: an OBJ whose texture is a palette, one row of blended colour for each coat of paint.

Faces share their corners, so the mesh is closed, and still change colour at clean edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.test_objects.skin import Color, Skin

_ROW = 8  # pixels of a coat's height in the palette: filtering never reaches the next
_WIDTH = 128


def write_painted(
    folder: str | Path, name: str, painted: Skin, colors: Sequence[tuple[Color, Color]], metres: float
) -> Path:
    """Write `name`.obj in metres, its .mtl and its .png to `folder`, made if missing; returns the mesh's path.

    painted: the skin
    colors: of shade 0 and 1, for each coat
    metres: for each unit of the skin

    The origin moves to the middle of the bounding box.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 1, _WIDTH)[:, None]
    rows = [np.asarray(low) * (1 - ramp) + np.asarray(high) * ramp for low, high in colors]
    palette = np.repeat(np.round(rows).astype(np.uint8), _ROW, axis=0)
    u = (0.5 + painted.shade * (_WIDTH - 1)) / _WIDTH
    v = 1 - (painted.coat + 0.5) / len(colors)
    uv = np.stack([u, np.broadcast_to(v[:, None], u.shape)], -1)
    middle = (painted.vertices.min(0) + painted.vertices.max(0)) / 2
    write_obj(folder / f"{name}.obj", (painted.vertices - middle) * metres, painted.faces, uv)
    ok, encoded = cv2.imencode(".png", palette[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert ok, "OpenCV could not encode a PNG in memory"
    (folder / f"{name}.png").write_bytes(encoded.tobytes())
    material = (f"newmtl {name}", "Ka 0 0 0", "Kd 1 1 1", "Ks 0.04 0.04 0.04", "Ns 40", f"map_Kd {name}.png")
    (folder / f"{name}.mtl").write_text("\n".join(material) + "\n")
    return folder / f"{name}.obj"


def write_obj(path: Path, vertices: FloatArray, faces: NDArray[np.int64], uv: FloatArray) -> None:
    """vertices: (V, 3) metres; faces: (F, 3); uv: (F, 3, 2), v upwards. The material and its file are named as
    `path`.
    """
    texture, index = np.unique(np.round(uv.reshape(-1, 2), 5), axis=0, return_inverse=True)
    lines = ["# pose_regressor test object, metres", f"mtllib {path.stem}.mtl", f"o {path.stem}", f"usemtl {path.stem}"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in np.round(vertices, 6) + 0.0]
    lines += [f"vt {u:.5f} {v:.5f}" for u, v in texture]
    corners = np.stack([faces, index.reshape(faces.shape)], -1) + 1
    lines += ["f " + " ".join(f"{v}/{t}" for v, t in face) for face in corners.tolist()]
    path.write_text("\n".join(lines) + "\n")
