"""Changes that damage a file, as accidents and attackers do."""

from __future__ import annotations

import random
import re
import struct

NUMBERS = (
    b"nan", b"inf", b"-inf", b"1e308", b"-1e308", b"1e-320", b"0", b"-0", b"-1", b"1",
    b"2147483647", b"2147483648", b"-2147483649", b"18446744073709551616", b"9" * 26, b"0x10",
    b"1e5", b"0.1", b"1_000", b"1,5", b"", b"true", b"null", b"~", b"[]", b"{}", b"''",
)  # fmt: skip
WORDS = (
    b"\x00", b"\xff\xfe", b"\xc3\xa9", b"\xe9", b"\r", b"\n\n", b"\t", b" " * 90, b"%s%n",
    b"../../x", b"/etc/passwd", b"a" * 5000, b"*" * 8, b"&#80;", b"<!--", b"]]>",
    b"!!python/object:os.system",
    b"&a [*a]", b"\xf0\x9f\x92\xa5", b"$(x)", b"'", b'"', b"\\", b"HOH", b"UNX", b"UNK",
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 255, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**24, 4, 84)


def mutated(content: bytes, random_: random.Random, text: bool) -> bytes:
    """One to four changes of a file.

    Parameters
    ----------
    content : bytes
    random_ : Random
    text : bool
        Change words and numbers too, beside bytes.
    """
    changes = [_flip, _cut, _repeat, _remove, _insert, _integer]
    if text:
        changes += [_number, _number, _word, _swap_lines, _drop_line, _number]
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        content = random_.choice(changes)(content, random_)
    return content


def _place(content: bytes, random_: random.Random) -> int:
    """Headers are hit more often than the bulk."""
    reach = random_.choice((64, 512, 4096, len(content)))
    return random_.randrange(max(1, min(len(content), reach)))


def _flip(content: bytes, random_: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random_.choice((1, 1, 3, 20))):
        if changed:
            changed[_place(content, random_)] = random_.randrange(256)
    return bytes(changed)


def _cut(content: bytes, random_: random.Random) -> bytes:
    return content[: random_.randrange(len(content) + 1)]


def _repeat(content: bytes, random_: random.Random) -> bytes:
    i, length = _place(content, random_), random_.randrange(1, 400)
    return content[:i] + content[i : i + length] * random_.choice((2, 3, 50)) + content[i:]


def _remove(content: bytes, random_: random.Random) -> bytes:
    i = _place(content, random_)
    return content[:i] + content[i + random_.randrange(1, 200) :]


def _insert(content: bytes, random_: random.Random) -> bytes:
    i = _place(content, random_)
    return content[:i] + random_.choice((*WORDS, random_.randbytes(8))) + content[i:]


def _integer(content: bytes, random_: random.Random) -> bytes:
    i = _place(content, random_) & ~3
    form, value = random_.choice(("<I", ">I", "<Q")), random_.choice(INTEGERS)
    packed = struct.pack(form, value % 2 ** (8 * struct.calcsize(form)))
    return content[:i] + packed + content[i + len(packed) :]


def _number(content: bytes, random_: random.Random) -> bytes:
    matches = list(re.finditer(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?", content[:400_000]))
    if not matches:
        return content
    one = random_.choice(matches)
    new = random_.choice(NUMBERS)
    if random_.random() < 0.5:  # columns stay where they are
        new = new.rjust(len(one[0]))[: max(len(one[0]), 1)]
    return content[: one.start()] + new + content[one.end() :]


def _word(content: bytes, random_: random.Random) -> bytes:
    matches = list(re.finditer(rb"[A-Za-z_]{2,}", content[:400_000]))
    if not matches:
        return content
    one, other = random_.choice(matches), random_.choice(matches)
    new = random_.choice((*WORDS, other[0], one[0].lower(), one[0][::-1]))
    return content[: one.start()] + new + content[one.end() :]


def _swap_lines(content: bytes, random_: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if len(lines) > 1:
        i, j = random_.randrange(len(lines)), random_.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def _drop_line(content: bytes, random_: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[random_.randrange(max(1, len(lines))) :][:1]
    i = random_.randrange(max(1, len(lines)))
    return b"".join(lines[:i] + lines[i + 1 :])
