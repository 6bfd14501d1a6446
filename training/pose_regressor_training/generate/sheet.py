"""A contact sheet of a dataset."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pose_regressor.draw import contact_sheet, draw_box
from pose_regressor.types import Camera
from pose_regressor_training.bop.reader import BopScene
from pose_regressor_training.figures import write_picture
from pose_regressor_training.generate.run import Task

_PICTURES, _COLUMNS = 24, 6
_OUTLINE = (255, 200, 0)


def write_sheet(task: Task) -> Path:
    """Write contact_sheet.jpg, with the shard's number in its name if there are several.

    It shows images from all scenes, read back from their files; every other one has boxes and visible outlines drawn
    in.
    """
    scenes = [BopScene(folder) for folder in task.scenes]
    places = [(scene, im_id) for scene in scenes for im_id in scene.im_ids]
    models = {model.obj_id: model for model in task.job.models}
    pictures = []
    chosen = np.linspace(0, len(places) - 1, min(_PICTURES, len(places))).round().astype(int)
    for number, (scene, im_id) in enumerate(places[index] for index in chosen):
        picture = scene.image(im_id).copy()
        if number % 2:
            camera = Camera(picture.shape[1], picture.shape[0], scene.cameras[im_id])
            for index, pose in enumerate(scene.poses[im_id]):
                visible = scene.mask(im_id, index, visible=True).astype(np.uint8)
                outline = cv2.findContours(visible, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
                cv2.drawContours(picture, outline, -1, _OUTLINE, 1)
                draw_box(picture, camera, models[pose.obj_id], pose.cam_from_obj)
        pictures.append(picture)
    shard = task.shard
    name = "contact_sheet" + (f"_{shard.index}_of_{shard.count}" if shard.count > 1 else "") + ".jpg"
    path = task.folder / name
    write_picture(path, contact_sheet(pictures, _COLUMNS))
    return path
