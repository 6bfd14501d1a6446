"""An independent participant beside the node: cyclonedds alone, with its own definitions of ROS 2's messages and QoS.

It knows neither the package's definitions nor ROS 2, so it finds out when both nodes are wrong in the same way.
``python -m wire_peer DOMAIN`` runs one as a process that listens to everything.
"""

from base_peer import *  # noqa: F403

from .interfaces import *  # noqa: F403
from .messages import *  # noqa: F403
from .peer import *  # noqa: F403
