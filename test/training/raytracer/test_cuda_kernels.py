"""The kernels' one source also compiles for graphics cards; running it needs one."""

import numpy as np
import pytest
import torch
import warp as wp

from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.raytracer import kernel, visibility
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import blank_scenes


@pytest.mark.parametrize("module", [kernel, visibility], ids=["kernel", "visibility"])
def test_kernels_compile_for_a_card_that_is_not_there(tmp_path, module):
    """Warp brings NVRTC with it. PTX of the least capability that torch's wheels still support."""
    wp.init()
    try:
        wp.compile_aot_module(module, device=None, arch=75, module_dir=tmp_path, use_ptx=True)
    except RuntimeError as error:
        if "CUDA" in str(error) and "support" in str(error):
            pytest.skip(f"this build of Warp has no CUDA compiler: {error}")
        raise
    (ptx,) = tmp_path.glob("*.ptx")
    assert "forward" in ptx.read_text()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_card_renders_what_the_processor_renders():
    rng = np.random.default_rng(0)
    vertices = np.float32([[-1, -1, 0], [1, -1, 0], [1, 1, 0.3], [-1, 1, 0]]) * 0.05
    mesh = Mesh(vertices, np.int32([[0, 2, 1], [0, 3, 2]]), None, None, rng.integers(0, 256, (4, 3), np.uint8))
    scenes = blank_scenes(2, 2)
    scenes.camera_matrix[:] = [[90, 0, 31.5], [0, 90, 31.5], [0, 0, 1]]
    scenes.mesh[:] = 0
    scenes.cam_from_obj[:, :, :3, 3] = [[0, 0, 0.3], [0.03, 0.02, 0.35]]
    scenes.background["picture"], scenes.ground["picture"], scenes.ground["picture_scale"] = 0, 1, 3
    scenes.ground["plane"] = 0, -0.8, -0.6, 0.3
    scenes.light["color"][:, 0], scenes.light["shadow"], scenes.light["radius"] = 0.5, 1, 0.1
    scenes.material["specular"] = 0.1
    pictures = rng.integers(0, 256, (2, 32, 32, 3), np.uint8)
    ours = Raytracer([mesh], pictures).render(scenes, 64, 64, edge_samples=4)
    theirs = Raytracer([mesh], pictures, "cuda").render(scenes, 64, 64, edge_samples=4)
    assert (ours.thing != theirs.thing.cpu()).sum() <= 4 and (ours.covered != theirs.covered.cpu()).sum() <= 4
    same = ours.thing == theirs.thing.cpu()
    torch.testing.assert_close(ours.depth[same], theirs.depth.cpu()[same], atol=1e-4, rtol=1e-4)
    assert ((ours.color - theirs.color.cpu()).abs().amax(-1)[same] > 0.02).float().mean() < 0.02
