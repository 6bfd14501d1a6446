"""Declared fields: what a setting is called, which values it takes and what it means, written down once.

From a declaration come its check, the YAML readers, ROS 2's parameter descriptors, the parameter files in config/ and
the tables in docs/.
"""

from pose_regressor.settings.config import Config, Some, located, refuse_unknown
from pose_regressor.settings.declare import (
    chance,
    choice,
    count,
    counts,
    folder,
    frame,
    number,
    numbers,
    section,
    shares,
    span,
    switch,
    text,
    texts,
)
from pose_regressor.settings.defaults import (
    CAMERA_INFO_TOPIC,
    CAMERA_NAMESPACE,
    IMAGE_TOPIC,
    MOST_THREADS,
    SCORE_THRESHOLD,
)
from pose_regressor.settings.documents import as_markdown, as_yaml
from pose_regressor.settings.parameter import Kind, Parameter

__all__ = [
    "CAMERA_INFO_TOPIC",
    "CAMERA_NAMESPACE",
    "IMAGE_TOPIC",
    "MOST_THREADS",
    "SCORE_THRESHOLD",
    "Config",
    "Kind",
    "Parameter",
    "Some",
    "as_markdown",
    "as_yaml",
    "chance",
    "choice",
    "count",
    "counts",
    "folder",
    "frame",
    "located",
    "number",
    "numbers",
    "refuse_unknown",
    "section",
    "shares",
    "span",
    "switch",
    "text",
    "texts",
]
