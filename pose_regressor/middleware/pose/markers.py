"""The objects as RViz shows them, in place and in shape: visualization_msgs/MarkerArray."""

from __future__ import annotations

from typing import Any

from pose_regressor.middleware.messages.images import header
from pose_regressor.middleware.messages.poses import Stamped, pose_message
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import ObjectModel, PoseEstimate

#: Types and actions of visualization_msgs/Marker.
CUBE, MESH_RESOURCE, TRIANGLE_LIST = 1, 10, 11
ADD, DELETE = 0, 2
#: Red, green, blue and opacity of a shape without colours of its own.
COLOR = (0.2, 0.8, 0.4, 0.7)
#: Seconds after which RViz takes away a marker that is not renewed, as when the node has died.
LIFETIME = 1


class Shapes:
    """Makes the marker messages of one node. They also take away the markers of objects that are gone.

    An object is shown as the mesh that `config.meshes` names; without one, as the coarse mesh in its bundle; without
    that, as its box. A marker's ns is the object's name, its id the instance's number.
    """

    def __init__(self, types: Any, config: NodeConfig) -> None:
        """types: the message classes, as for `messages.images`."""
        self._types, self._scale = types, config.mesh_scale
        self._meshes = dict(entry.split("=", 1) for entry in config.meshes)
        self._triangles: dict[str, list[Any]] = {}
        self._shown: set[tuple[str, int]] = set()

    def message(self, frame: Stamped, estimates: list[PoseEstimate]) -> Any:
        """visualization_msgs/MarkerArray."""
        here = {(estimate.model.name, estimate.instance) for estimate in estimates}
        stamped = header(self._types, frame.stamp, frame.frame_id)
        gone = [
            self._types.Marker(header=stamped, ns=name, id=number, action=DELETE)
            for name, number in sorted(self._shown - here)
        ]
        self._shown = here
        return self._types.MarkerArray(markers=gone + [self._marker(stamped, estimate) for estimate in estimates])

    def _marker(self, stamped: Any, estimate: PoseEstimate) -> Any:
        types, model = self._types, estimate.model
        red, green, blue, opacity = COLOR
        marker = types.Marker(
            header=stamped,
            ns=model.name,
            id=estimate.instance,
            action=ADD,
            pose=pose_message(types, estimate.cam_from_obj),
            color=types.ColorRGBA(r=red, g=green, b=blue, a=opacity),
            lifetime=types.Duration(sec=LIFETIME),
        )
        if uri := self._meshes.get(model.name):
            marker.type, marker.mesh_resource, marker.mesh_use_embedded_materials = MESH_RESOURCE, uri, True
            marker.scale = types.Vector3(x=self._scale, y=self._scale, z=self._scale)
        elif len(model.faces):
            marker.type, marker.points = TRIANGLE_LIST, self._corners(model)
            marker.scale = types.Vector3(x=1.0, y=1.0, z=1.0)
        else:
            marker.type = CUBE
            centred = estimate.cam_from_obj.copy()
            centred[:3, 3] += estimate.rotation @ model.bounds.mean(0)
            marker.pose = pose_message(types, centred)
            x, y, z = model.size.tolist()
            marker.scale = types.Vector3(x=x, y=y, z=z)
        return marker

    def _corners(self, model: ObjectModel) -> list[Any]:
        """Three points of each triangle. There are many, so they are made only once."""
        if model.name not in self._triangles:
            corners = model.vertices[model.faces].reshape(-1, 3).tolist()
            self._triangles[model.name] = [self._types.Point(x=x, y=y, z=z) for x, y, z in corners]
        return self._triangles[model.name]
