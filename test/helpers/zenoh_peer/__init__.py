"""An independent participant beside the node: a Zenoh session that does what docs/design.md of ros2/rmw_zenoh says.

It shares no code with the package: rosbags writes and reads its CDR and computes the hashes of its messages, and those
of services are ROS 2's own. ``python -m zenoh_peer DOMAIN`` runs one as a process that listens to everything.
"""

from base_peer import *  # noqa: F403

from .messages import *  # noqa: F403
from .peer import *  # noqa: F403
from .router import *  # noqa: F403
