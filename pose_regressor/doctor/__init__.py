"""Finds out what is wrong with a set-up, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from pose_regressor.middleware.kit.diagnostics import Level as Level


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    level: how bad it is.
    check: what was checked, in a word or two.
    text: what was found.
    advice: what to do; '' if nothing.
    """

    level: Level
    check: str
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(Level.OK, check, text)


def warn(check: str, text: str, advice: str) -> Finding:
    return Finding(Level.WARN, check, text, advice)


def error(check: str, text: str, advice: str) -> Finding:
    return Finding(Level.ERROR, check, text, advice)
