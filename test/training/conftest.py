"""Under `colcon test` there is only the runtime: the training package and what it needs come from pip."""

import importlib.util

if importlib.util.find_spec("pose_regressor_training") is None:
    collect_ignore_glob = ["*"]
