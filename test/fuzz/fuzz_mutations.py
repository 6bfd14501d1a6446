"""Makes broken bytes, texts and fields out of whole ones. All chance comes from the given random.Random, so that
hypothesis can drive it and make what it finds small."""

import re

#: Numbers at which programs break, as bytes and as text.
WORDS = [0, 1, 2, 7, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
NUMBERS = [
    "0",
    "-1",
    "1e9",
    "1e400",
    "-1e400",
    "nan",
    ".nan",
    "inf",
    "99999999999999999999",
    "0.1",
    "true",
    "null",
    '""',
    "[]",
]
FLOATS = [0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, float("nan"), float("inf"), float("-inf"), 50.0]
STRINGS = ["", "camera", "a" * 300, "\0", "é" * 70, "/", " ", "rgb8", "\n", "{}", "𝔘"]
MOST = 400_000  # bytes: what grows beyond is cut


def mutate(rng, data):
    """Some bytes changed, cut, repeated or put in."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        rng.choice(CHANGES)(rng, out)
    return bytes(out[:MOST])


def _flip(rng, out):
    if out:
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _byte(rng, out):
    if out:
        out[rng.randrange(len(out))] = rng.randrange(256)


def _word(rng, out):
    """A length or a size, somewhere where one may be."""
    place = 4 * rng.randrange(max(1, min(len(out), 400) // 4))
    out[place : place + 4] = rng.choice(WORDS).to_bytes(4, rng.choice(("little", "big")))


def _cut(rng, out):
    if out:
        del out[rng.randrange(len(out)) :]


def _remove(rng, out):
    if out:
        start = rng.randrange(len(out))
        del out[start : start + rng.randint(1, 40)]


def _insert(rng, out):
    place = rng.randrange(len(out) + 1)
    out[place:place] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 9)))


def _repeat(rng, out):
    """Deep nesting comes from this."""
    if out:
        start = rng.randrange(len(out))
        piece = out[start : start + rng.randint(1, 20)]
        out[start:start] = piece * rng.choice((1, 3, 2000))


def _number(rng, out):
    """Of a text: another number in place of one."""
    found = list(re.finditer(rb"-?[0-9][0-9.e+-]*", bytes(out[:20_000])))
    if found:
        start, end = rng.choice(found).span()
        out[start:end] = rng.choice(NUMBERS).encode()


def _name(rng, out):
    """Of a text: another of its words in place of one, which leaves XML and JSON whole more often than not."""
    found = list(re.finditer(rb"[A-Za-z_][A-Za-z0-9_]*", bytes(out[:20_000])))
    if found:
        start, end = rng.choice(found).span()
        out[start:end] = rng.choice(found)[0]


CHANGES = (_flip, _byte, _word, _cut, _remove, _insert, _repeat, _number, _name)


def whole(rng):
    """A number for a field of 32 bits without a sign."""
    return rng.choice(WORDS) if rng.random() < 0.5 else rng.randrange(20)


def double(rng):
    return rng.choice(FLOATS) if rng.random() < 0.5 else rng.uniform(-100, 100)


def text(rng, *usual):
    return rng.choice(STRINGS) if rng.random() < 0.3 else rng.choice(usual)
