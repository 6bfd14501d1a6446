"""Names and numbers that ROS 2 gives to nodes, topics and domains."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pose_regressor.types import InputError

NODE_NAME = "pose_regressor"


def domain_id(largest: int, environment: Mapping[str, str] = os.environ) -> int:
    """ROS_DOMAIN_ID; 0 if it is not set. largest: that the middleware has room for."""
    text = environment.get("ROS_DOMAIN_ID", "").strip() or "0"
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > largest:
        raise InputError(f"ROS_DOMAIN_ID: expected a whole number from 0 to {largest}, got {text!r}")
    return int(text)


def full_name(name: str, node_name: str = NODE_NAME) -> str:
    """A topic's or service's name from the root of all names, such as /camera/image_raw.

    Relative names are in the root namespace; ~ is the node's own namespace. InputError: this cannot be a name.
    """
    full = re.sub(r"^~(?=/)", f"/{node_name}", name)
    full = full if full.startswith("/") else f"/{full}"
    if not re.fullmatch(r"(/[A-Za-z_][A-Za-z0-9_]*)+", full):
        raise InputError(f"topic: expected a ROS 2 topic name such as image or /camera/image_raw, got {name!r}")
    return full
