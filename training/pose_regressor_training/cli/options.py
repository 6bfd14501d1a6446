"""Options that several commands share, described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MeshOption = Annotated[
    Path, typer.Option(help="Mesh with texture, vertex colours or neither (OBJ, PLY, GLB, STL).", metavar="FILE")
]
UnitOption = Annotated[str, typer.Option(help="Unit of the mesh: m or mm.")]
ModelsInfoOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="BOP models_info.json whose symmetries are taken; those of other objects are found from their meshes.",
    ),
]
ConfigOption = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        help="What is randomized: a YAML file or a shipped one (complete, fixed_light, real_background, fixed_object, "
        "without_randomization).",
    ),
]
