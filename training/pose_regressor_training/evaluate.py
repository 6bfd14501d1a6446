"""What a network scores on images it has never seen but that come from its own generator."""

from __future__ import annotations

import numpy as np
import torch

from pose_regressor.model.bundle import Bundle
from pose_regressor.model.decode import TURNS, correspondences, decode_pnp, decode_regression, quarter_turns
from pose_regressor_training.metrics import add
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.render.mesh import Mesh
from pose_regressor_training.synthetic import SyntheticBatches


@torch.inference_mode()
def evaluate_synthetic(
    bundle: Bundle, mesh: Mesh, seed: int, batches: int = 16, batch_size: int = 32
) -> dict[str, float]:
    """Shares, over randomized crops around the true box: of poses within ADD 0.1 diameter, by PnP where it answers and
    by regression alone; of present objects with presence above one half; of empty crops with the same.
    """
    model, network, config = bundle.objects[0], bundle.network, bundle.config
    data = SyntheticBatches(mesh, model, config, batch_size, seed, 0, batches)
    pnp_good, regression_good, recalled, false_alarms = [], [], [], []
    for batch in data:
        boxes, poses = network(quarter_turns(batch.image))
        presence = boxes.logits[:, 0].amax((1, 2)).sigmoid().unflatten(0, (TURNS, -1)).mean(0)
        coordinates, mask = (maps[:, 0].unflatten(0, (TURNS, -1)).numpy() for maps in (poses.coordinates, poses.mask))
        false_alarms += (presence[batch.kind == Kind.EMPTY] > 0.5).tolist()
        recalled += (presence[batch.kind == Kind.LOOK] > 0.5).tolist()
        for i in torch.nonzero(batch.kind == Kind.LOOK).flatten().tolist():
            truth, camera = batch.cam_from_obj[i].double().numpy(), batch.camera_matrix[i].double()
            regressed = decode_regression(
                poses.rotation_6d[i, 0].double(), poses.location[i, 0].double(), camera, config.crop_size, model
            ).numpy()
            found = correspondences(coordinates[:, i], mask[:, i], model)
            result = decode_pnp(found, camera.numpy(), config.crop_size)
            pose = regressed if result is None else result.cam_from_obj
            pnp_good.append(add(pose, truth, model.points) < 0.1 * model.diameter)
            regression_good.append(add(regressed, truth, model.points) < 0.1 * model.diameter)
    shares = {
        "synthetic_add_0.1d": pnp_good,
        "synthetic_add_0.1d_regression": regression_good,
        "synthetic_presence_recall": recalled,
        "synthetic_false_alarms": false_alarms,
    }
    return {name: round(float(np.mean(values)), 4) for name, values in shares.items()}
