"""What a BOP dataset holds: read back, and compared with ray casts."""

import json

import numpy as np
import pytest
import trimesh

from pose_regressor.sources import open_source
from pose_regressor.types import InputError
from pose_regressor_training.bop.coco import decode_rle, encode_rle
from pose_regressor_training.bop.models_info import read_models_info
from pose_regressor_training.bop.reader import BopScene, open_split
from pose_regressor_training.generate.annotate import AnnotatedImage, Annotation
from pose_regressor_training.generate.writer import SceneWriter
from pose_regressor_training.meshes.mesh import load_mesh

#: Of the images of `job`.
WIDTH, HEIGHT = 96, 72


def test_what_is_written_is_read_back(tmp_path):
    """Hand-made arrays through the writer and our reader."""
    rng = np.random.default_rng(0)
    mask = np.zeros((20, 30), bool)
    mask[4:11, 6:26] = True
    visible = mask.copy()
    visible[:, 15:] = False
    hidden = np.zeros_like(mask)
    pose = np.eye(4)
    pose[:3, :3] = trimesh.transformations.euler_matrix(0.1, 0.5, 0.9)[:3, :3]
    pose[:3, 3] = 0.1, -0.2, 0.7
    camera = np.array([[50.5, 0, 14.25], [0, 51, 9.5], [0, 0, 1]])
    depth = np.where(mask, 0.7123, 7.0).astype(np.float32)  # the farther is out of range
    color = rng.integers(0, 256, (20, 30, 3), np.uint8)
    objects = (
        Annotation(4, pose, mask, visible, 200, (6, 4, 35, 10)),
        Annotation(2, np.eye(4), mask, hidden, 140, (6, 4, 25, 10)),
    )
    scene = tmp_path / "000007"
    workplace = scene / ".unfinished"
    workplace.mkdir(parents=True)
    writer = SceneWriter(scene, workplace, ".png")
    record = json.loads(json.dumps(writer.write_image(11, AnnotatedImage(color, depth, camera, objects))))
    writer.write_lists("set", {2: "duck", 4: "cat"}, {11: record})
    assert not list(workplace.iterdir())

    read = BopScene(scene)
    assert read.im_ids == [11]
    np.testing.assert_array_equal(read.image(11), color)
    np.testing.assert_allclose(read.depth(11), np.where(mask, 0.7123, 0), atol=5e-5)
    np.testing.assert_array_equal(read.cameras[11], camera)
    assert [pose.obj_id for pose in read.poses[11]] == [4, 2]
    np.testing.assert_allclose(read.poses[11][0].cam_from_obj, pose, atol=1e-15)
    np.testing.assert_array_equal(read.mask(11, 0), mask)
    np.testing.assert_array_equal(read.mask(11, 0, visible=True), visible)
    shown, unseen = read.visibility[11]
    assert (shown.pixels, shown.valid, shown.visible, shown.fraction) == (200, 140, 63, 63 / 200)
    assert shown.box == (6, 4, 29, 6) and shown.visible_box == (6, 4, 8, 6)  # last minus first, as in BOP
    assert unseen.visible == 0 and unseen.box == unseen.visible_box == (-1, -1, -1, -1)
    coco = json.loads((scene / "scene_gt_coco.json").read_text())
    assert [category["name"] for category in coco["categories"]] == ["duck", "cat"]
    (annotation,) = coco["annotations"]  # what is not seen has none
    assert annotation["bbox"] == [6, 4, 20, 7] and annotation["area"] == 63 and not annotation["ignore"]
    np.testing.assert_array_equal(decode_rle(annotation["segmentation"]), visible)
    frame = next(iter(open_source(scene)))
    np.testing.assert_array_equal(frame.image, color)


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths(seed):
    mask = np.random.default_rng(seed).random((7, 5)) < (0, 0.3, 0.8, 1)[seed]
    rle = encode_rle(mask)
    np.testing.assert_array_equal(decode_rle(rle), mask)
    assert all(rle["counts"][1:]) and sum(rle["counts"][1::2]) == mask.sum()
    with pytest.raises(InputError, match="runs of 35 pixels"):
        decode_rle({"counts": [3, 4], "size": [7, 5]})


def test_masks_depth_and_visibility_agree_with_ray_casts(dataset, job):
    """BOP's own definition: an object is seen where it lies no more than 15 mm behind what the depth image shows."""
    solids = {
        model.obj_id: trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        for mesh, model in zip(job.meshes, job.models, strict=True)
    }
    checked = beyond = 0
    for scene in open_split(dataset / "train_synt")[:1]:
        for im_id in scene.im_ids:
            depth = scene.depth(im_id)
            for index, pose in enumerate(scene.poses[im_id]):
                large = cast(solids[pose.obj_id], pose.cam_from_obj, scene.cameras[im_id])
                own = large[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH]
                mask, visible = scene.mask(im_id, index), scene.mask(im_id, index, visible=True)
                assert (mask != (own > 0)).sum() <= 2 + 0.01 * mask.sum()  # rays that graze an edge
                both = visible & (own > 0)
                assert np.abs(depth - own)[both].max(initial=0) < 2e-4 + 5e-5  # and half a unit of the file
                shown = scene.visibility[im_id][index]
                assert shown.visible == visible.sum() and shown.pixels >= mask.sum()
                assert abs(shown.pixels - (large > 0).sum()) <= 3 + 0.01 * shown.pixels
                seen = (own > 0) & ((own - depth <= 0.015) | (depth == 0))
                if (seen & ~visible & mask).sum() == 0:  # nothing stands less than 15 mm before it
                    assert abs(shown.fraction - seen.sum() / (large > 0).sum()) < 0.01 + 3 / shown.pixels
                checked += 1
                beyond += shown.pixels > mask.sum()
    assert checked > 15 and beyond > 1


def cast(solid, cam_from_obj, camera):
    """(3 H, 3 W) depth of an object alone, the image in the middle."""
    rows, columns = np.indices((3 * HEIGHT, 3 * WIDTH))
    pixels = np.stack([columns - WIDTH, rows - HEIGHT, np.ones_like(rows)], -1).reshape(-1, 3)
    corners = solid.bounding_sphere.primitive
    centre = cam_from_obj[:3, :3] @ corners.center + cam_from_obj[:3, 3]
    rays = pixels @ np.linalg.inv(camera).T
    near = np.linalg.norm(np.cross(rays, centre), axis=1) / np.linalg.norm(rays, axis=1) < 1.01 * corners.radius
    depth = np.zeros(len(rays))
    origin = np.tile(-cam_from_obj[:3, :3].T @ cam_from_obj[:3, 3], (near.sum(), 1))
    points, index, _ = solid.ray.intersects_location(origin, rays[near] @ cam_from_obj[:3, :3], multiple_hits=False)
    depth[np.flatnonzero(near)[index]] = (points @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3])[:, 2]
    return depth.reshape(3 * HEIGHT, 3 * WIDTH)


def test_models_come_along(dataset, job):
    infos = read_models_info(dataset / "models" / "models_info.json")
    assert set(infos) == {3, 7} and len(infos[7].symmetries.discrete) == 1
    for mesh, model in zip(job.meshes, job.models, strict=True):
        assert infos[model.obj_id].diameter == pytest.approx(model.diameter, abs=1e-6)
        read = load_mesh(dataset / "models" / f"obj_{model.obj_id:06d}.ply", "mm")
        np.testing.assert_allclose(read.vertices[read.faces], mesh.vertices[mesh.faces], atol=1e-6)
        np.testing.assert_allclose(read.uv, mesh.uv, atol=1e-5)
        np.testing.assert_array_equal(read.texture, mesh.texture)
