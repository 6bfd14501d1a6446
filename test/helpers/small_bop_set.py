"""A small BOP dataset written by hand, and result files for it."""

import json

import cv2
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from pose_regressor_training.bop.ply_writer import ply_files
from pose_regressor_training.bop.records import pose_entry
from pose_regressor_training.evaluate.vsd import DepthRenderer
from pose_regressor_training.meshes.mesh import Mesh

HALF = np.array([0.1, 0.05, 0.03])
DIAMETER = 2 * float(np.linalg.norm(HALF))
WIDTH, HEIGHT = 320, 240
K = np.array([[500.0, 0, 159.5], [0, 500, 119.5], [0, 0, 1]])
FLIP = np.diag([-1.0, -1, 1, 1])


def at(x, y=0.0, turn=0.3):
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec((turn, 0.5, 0)).as_matrix()
    pose[:3, 3] = x, y, 1
    return pose


#: Object 1 has no symmetry, object 2 looks the same after a half turn. Image 5 shows two of the first, of which one is
#: hidden to a twentieth.
TRUTH = {
    3: [(1, at(0), 1.0), (2, at(0.2), 0.6)],
    5: [(1, at(-0.1), 0.05), (1, at(0.1), 0.9)],
}


def build(root):
    """The dataset in classic layout: one scene, 7, of the split test."""
    scene = root / "test" / "000007"
    (scene / "rgb").mkdir(parents=True)
    (scene / "depth").mkdir()
    (root / "models").mkdir()
    box = trimesh.creation.box(2 * HALF)
    mesh = Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int32), None, None, np.full((8, 3), 99, np.uint8))
    for obj_id in (1, 2):
        for name, content in ply_files(mesh, f"obj_{obj_id:06d}").items():
            (root / "models" / name).write_bytes(content)
    low, size = -1000 * HALF, 2000 * HALF
    info = {"diameter": 1000 * DIAMETER} | {f"min_{a}": v for a, v in zip("xyz", low, strict=True)}
    info |= {f"size_{a}": v for a, v in zip("xyz", size, strict=True)}
    symmetric = info | {"symmetries_discrete": [FLIP.ravel().tolist()]}
    (root / "models" / "models_info.json").write_text(json.dumps({"1": info, "2": symmetric}))
    lens = {"fx": 500, "fy": 500, "cx": 159.5, "cy": 119.5, "depth_scale": 1}
    (root / "camera.json").write_text(json.dumps(lens | {"width": WIDTH, "height": HEIGHT}))
    shown = {"px_count_all": 9, "px_count_valid": 9, "px_count_visib": 9, "bbox_obj": [0] * 4, "bbox_visib": [0] * 4}
    camera = {"cam_K": K.ravel().tolist(), "depth_scale": 1.0}
    for name, content in (
        ("scene_camera.json", dict.fromkeys(TRUTH, camera)),
        ("scene_gt.json", {im: [pose_entry(o, pose) for o, pose, _ in objects] for im, objects in TRUTH.items()}),
        (
            "scene_gt_info.json",
            {im: [shown | {"visib_fract": v} for *_, v in objects] for im, objects in TRUTH.items()},
        ),
    ):
        (scene / name).write_text(json.dumps(content))
    renderer = DepthRenderer([mesh])
    for im, objects in TRUTH.items():
        depths = renderer.render([0] * len(objects), np.stack([pose for _, pose, _ in objects]), K, HEIGHT, WIDTH)
        nearest = np.where(depths > 0, depths, np.inf).min(0)
        depth = np.where(np.isfinite(nearest), 1000 * nearest, 0).round().astype(np.uint16)
        cv2.imwrite(str(scene / "depth" / f"{im:06d}.png"), depth)
        cv2.imwrite(str(scene / "rgb" / f"{im:06d}.png"), np.full((HEIGHT, WIDTH, 3), 60, np.uint8))
    return root


def write(path, rows):
    """rows: im_id, obj_id, score, pose."""
    lines = ["scene_id,im_id,obj_id,score,R,t,time"]
    for im_id, obj_id, value, pose in rows:
        rotation = " ".join(f"{x:.9g}" for x in pose[:3, :3].ravel())
        lines.append(f"7,{im_id},{obj_id},{value},{rotation},{' '.join(f'{1000 * x:.9g}' for x in pose[:3, 3])},-1")
    path.write_text("\n".join(lines) + "\n")
    return path


#: Rows of `write` that are right.
EXACT = [(3, 1, 0.9, at(0)), (3, 2, 0.9, at(0.2) @ FLIP), (5, 1, 0.8, at(0.1))]
