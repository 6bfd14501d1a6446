"""BOP's scene files, read, and its result CSV, written. Millimetres there, metres here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_regressor.files.io import as_mapping, as_numbers, as_whole_number, entry_of, read_json, replacing
from pose_regressor.types import FloatArray, InputError, PoseEstimate

MILLIMETRES_PER_METRE = 1000.0
#: First line of a result CSV.
RESULT_HEADER = "scene_id,im_id,obj_id,score,R,t,time"
#: Of several cameras in a scene, bop_toolkit evaluates the first one of these (XYZ-IBD, ITODD-MV, IPD, HOT3D), and of
#: a scene that has both, the camera without a name.
EVALUATED_CAMERAS = ("", "xyz", "3dlong", "photoneo", "rgb", "gray1")


@dataclass(frozen=True, eq=False)
class TruePose:
    """An annotated object of one image.

    obj_id: BOP id of the object
    cam_from_obj: (4, 4) metres
    """

    obj_id: int
    cam_from_obj: FloatArray


@dataclass(frozen=True)
class SceneFiles:
    """The files of one camera in a BOP scene.

    Where a scene has several cameras, their names end those of files and folders: scene_camera_cam1.json, rgb_cam1.

    folder: of the scene
    camera: name of the camera; "": the scene has only one, without a name
    """

    folder: Path
    camera: str = ""

    def json(self, name: str) -> Path:
        """A JSON file, such as scene_camera."""
        return self.folder / f"{name}{self._ending}.json"

    def subfolder(self, name: str) -> Path:
        """A folder of images, such as depth."""
        return self.folder / f"{name}{self._ending}"

    @property
    def image_folders(self) -> list[Path]:
        """Where its colour or grey images may be, the likeliest first."""
        named = [self.folder / self.camera] if self.camera else []  # HOT3D: the folder gray1 beside scene_gt_gray1.json
        return [self.subfolder("rgb"), self.subfolder("gray"), *named]

    @property
    def images(self) -> Path:
        """The folder of its images. Raises InputError if there is none."""
        found = next((folder for folder in self.image_folders if folder.is_dir()), None)
        if found is None:
            names = " or ".join(folder.name for folder in self.image_folders)
            camera = self.json("scene_camera").name
            raise InputError(f"{self.folder}: expected a BOP scene with a folder {names} beside its {camera}")
        return found

    @property
    def _ending(self) -> str:
        return f"_{self.camera}" if self.camera else ""


def scene_cameras(folder: Path) -> list[SceneFiles]:
    """The cameras of a scene, by their scene_camera.json; empty if the folder is no BOP scene."""
    names = sorted(path.stem.removeprefix("scene_camera") for path in folder.glob("scene_camera*.json"))
    return [SceneFiles(folder, name[1:]) for name in names if not name or name.startswith("_")]


def choose_camera(folder: Path, name: str | None = None, remedy: str = "name one") -> SceneFiles:
    """One camera of a scene.

    name: of the camera; None: the only one, or the one that bop_toolkit evaluates
    remedy: what the user can do if the choice is not clear

    Raises InputError if there is no such camera, or if the choice is not clear.
    """
    cameras = {files.camera: files for files in scene_cameras(folder)}
    if name is None and len(cameras) == 1:
        return next(iter(cameras.values()))
    wanted = EVALUATED_CAMERAS if name is None else (name,)
    chosen = next((cameras[camera] for camera in wanted if camera in cameras), None)
    if chosen is None:
        listed = ", ".join(camera or "one without a name" for camera in cameras) or "none"
        asked = f"the camera {name}" if name else "one camera"
        raise InputError(f"{folder}: expected {asked}, there are: {listed}; {remedy}")
    return chosen


def find_scene(folder: Path, also_by_its_images: bool) -> SceneFiles | None:
    """The BOP scene that a folder is; None if it is another folder.

    also_by_its_images: whether the folder of its images, such as SCENE/rgb, stands for the scene, too

    Raises InputError if the scene has several cameras, or for BOP's layouts that are not read.
    """
    if scene_cameras(folder):
        return choose_camera(folder, remedy=f"give its images, as {folder}/rgb_NAME")
    images = folder.resolve()
    around = scene_cameras(images.parent) if also_by_its_images else []
    found = next((files for files in around if images in files.image_folders), None)
    if found is None:
        refuse_packed(folder)
    return found


def refuse_packed(folder: Path) -> None:
    """Raises InputError with the remedy if the folder has BOP's webdataset or imagewise layout, which is not read."""
    for pattern, layout in (("shard-*.tar", "webdataset"), ("*.camera.json", "imagewise")):
        if (found := next(folder.glob(pattern), None)) is not None:
            raise InputError(
                f"{folder}: has BOP's {layout} layout ({found.name}), expected scenes in numbered folders; unpack it: "
                f"python -m pose_regressor_training.bop.unpack {folder} NEW_FOLDER"
            )


def read_scene_camera(path: str | Path) -> dict[int, FloatArray]:
    """The (3, 3) camera matrix of each image, pixels, by image id, from a BOP `scene_camera.json`.

    Raises InputError that begins with the path.
    """
    content = as_mapping(path, "scene_camera.json", read_json(path))
    matrices = {}
    for key, entry in content.items():
        where = f" of image {key}"
        entry = as_mapping(path, f"image {key}", entry)
        if "cam_K" not in entry and "cam_model" in entry:
            model = entry["cam_model"] if isinstance(entry["cam_model"], dict) else {}
            kind = str(model.get("projection_model_type", "fisheye624")).rpartition(".")[2].lower()[:40]
            raise InputError(
                f"{path}: image {key} has a cam_model (HOT3D's {kind}), which is not read here, expected a pinhole's "
                "cam_K; undistort the images first"
            )
        matrix = entry_of(path, where, entry, "cam_K")
        matrices[as_whole_number(path, "image id", key)] = as_numbers(path, f"cam_K{where}", matrix, 9).reshape(3, 3)
    return matrices


def read_depth_scales(path: str | Path) -> dict[int, float]:
    """The millimetres that each step of a depth image stands for, by image id, from a BOP `scene_camera.json`.

    Raises InputError that begins with the path.
    """
    scales = {}
    for key, entry in as_mapping(path, "scene_camera.json", read_json(path)).items():
        where = f" of image {key}"
        value = entry_of(path, where, as_mapping(path, f"image {key}", entry), "depth_scale")
        scale = float(as_numbers(path, f"depth_scale{where}", value, 1)[0])
        if scale <= 0:
            raise InputError(f"{path}: expected a depth_scale above 0{where}, got {scale:g}")
        scales[as_whole_number(path, "image id", key)] = scale
    return scales


def read_scene_gt(path: str | Path) -> dict[int, list[TruePose]]:
    """The annotated objects of each image, by image id, from a BOP `scene_gt.json`.

    Raises InputError that begins with the path.
    """
    content = as_mapping(path, "scene_gt.json", read_json(path))
    scene: dict[int, list[TruePose]] = {}
    for key, entries in content.items():
        if not isinstance(entries, list):
            raise InputError(f"{path}: expected a list for image {key}, got {type(entries).__name__}")
        poses = scene.setdefault(as_whole_number(path, "image id", key), [])
        poses += [_true_pose(path, f" of image {key}", entry) for entry in entries]
    return scene


def _true_pose(path: str | Path, where: str, entry: object) -> TruePose:
    entry = as_mapping(path, f"every object{where}", entry)

    def numbers(key: str, count: int) -> FloatArray:
        return as_numbers(path, f"{key}{where}", entry_of(path, where, entry, key), count)

    pose = np.eye(4)
    pose[:3, :3] = numbers("cam_R_m2c", 9).reshape(3, 3)
    pose[:3, 3] = numbers("cam_t_m2c", 3) / MILLIMETRES_PER_METRE
    return TruePose(as_whole_number(path, f"obj_id{where}", entry_of(path, where, entry, "obj_id")), pose)


@dataclass(frozen=True)
class ImageResult:
    """The poses found in one image.

    scene_id, im_id: BOP ids of the scene and the image
    estimates: the poses
    seconds: time they took, for the whole image; -1: not measured
    has_depth: whether the image came with depth
    """

    scene_id: int
    im_id: int
    estimates: Sequence[PoseEstimate]
    seconds: float = -1.0
    has_depth: bool = False


@contextmanager
def result_writer(path: str | Path) -> Iterator[Callable[[ImageResult], None]]:
    """A function that adds an image to a BOP result CSV: R row-major, t in millimetres, time in seconds.

    The file appears when the block ends without an error. Raises InputError if it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        print(RESULT_HEADER, file=file)

        def add(result: ImageResult) -> None:
            for estimate in result.estimates:
                rotation = " ".join(f"{value:.9g}" for value in estimate.rotation.reshape(-1))
                translation = " ".join(f"{value * MILLIMETRES_PER_METRE:.9g}" for value in estimate.translation)
                ids = f"{result.scene_id},{result.im_id},{estimate.model.obj_id}"
                print(f"{ids},{estimate.score:.6g},{rotation},{translation},{result.seconds:.6g}", file=file)

        yield add
