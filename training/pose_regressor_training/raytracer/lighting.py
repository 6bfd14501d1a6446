# mypy: ignore-errors
"""How light acts on a surface: from all around (spherical harmonics), from lamps, and in highlights."""

from __future__ import annotations

import numpy as np
import warp as wp
from numpy.typing import NDArray

#: From `Scenes.ambient` to the light that a matt surface sends back, as a polynomial of its normal. The lobe of the
#: cosine damps the orders by 1, 2/3, 1/4 (Ramamoorthi & Hanrahan, An Efficient Representation for Irradiance
#: Environment Maps, 2001). Harmonics are relative to that of order 0.
AMBIENT_FACTORS: NDArray[np.float32] = np.array(
    [
        1.0,
        *[2 / 3 * 3**0.5] * 3,
        *[15**0.5 / 4] * 2,
        5**0.5 / 8,
        15**0.5 / 4,
        15**0.5 / 8,
    ],
    np.float32,
)


@wp.func
def ambient_light(ambient: wp.array(dtype=wp.vec3, ndim=2), b: wp.int32, n: wp.vec3):
    """What a white matt surface with normal n sends back of the light from all around."""
    x, y, z = n[0], n[1], n[2]
    light = ambient[b, 0] + y * ambient[b, 1] + z * ambient[b, 2] + x * ambient[b, 3]
    light += (x * y) * ambient[b, 4] + (y * z) * ambient[b, 5] + (3.0 * z * z - 1.0) * ambient[b, 6]
    light += (x * z) * ambient[b, 7] + (x * x - y * y) * ambient[b, 8]
    return wp.max(light, wp.vec3(0.0, 0.0, 0.0))


@wp.func
def gloss(normal: wp.vec3, light: wp.vec3, towards: wp.vec3, specular: wp.float32, roughness: wp.float32):
    """The highlight of a lamp for which a white matt surface that faces it would send back 1.

    GGX distribution (Walter et al., Microfacet Models for Refraction, 2007) with a = roughness², the height-correlated
    Smith term as approximated by Hammon (PBR Diffuse Lighting for GGX+Smith, 2017), and Schlick's Fresnel term.
    """
    half = wp.normalize(light + towards)
    to_light, to_eye = wp.dot(normal, light), wp.max(wp.dot(normal, towards), 1.0e-3)
    a = wp.max(roughness * roughness, 0.002)
    cosine = wp.dot(normal, half)
    spread = cosine * cosine * (a * a - 1.0) + 1.0
    seen = 0.5 / ((1.0 - a) * 2.0 * to_light * to_eye + a * (to_light + to_eye))
    grazing = 1.0 - wp.min(wp.dot(light, half), 1.0)
    fresnel = specular + (1.0 - specular) * grazing * grazing * grazing * grazing * grazing
    return fresnel * seen * a * a / (spread * spread) * to_light


@wp.func
def dither(x: wp.int32, y: wp.int32, shift: wp.float32):
    """Two numbers in [0, 1) for a pixel, far from those of its neighbours.

    A blur then removes the grain they make (after Roberts, The Unreasonable Effectiveness of Quasirandom Sequences,
    2018).
    """
    column, row = wp.float32(x), wp.float32(y)
    first = 0.7548777 * column + 0.5698403 * row + shift
    second = 0.5497005 * column + 0.8191725 * row + 7.0 * shift
    return wp.vec2(first - wp.floor(first), second - wp.floor(second))


@wp.func
def around(direction: wp.vec3, radius: wp.float32, place: wp.vec2):
    """The direction to a place on a square lamp around a unit vector.

    place: in [0, 1) along each side
    radius: half angle of a disc as large as the lamp
    """
    across = 1.7725 * radius * (place[0] - 0.5)
    along = 1.7725 * radius * (place[1] - 0.5)
    sign = wp.where(direction[2] < 0.0, -1.0, 1.0)
    # Duff et al., Building an Orthonormal Basis, Revisited (2017).
    a = -1.0 / (sign + direction[2])
    c = direction[0] * direction[1] * a
    first = wp.vec3(1.0 + sign * direction[0] * direction[0] * a, sign * c, -sign * direction[0])
    second = wp.vec3(c, sign + direction[1] * direction[1] * a, -direction[1])
    return direction + across * first + along * second
