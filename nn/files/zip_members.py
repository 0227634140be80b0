"""The zip container of an .npz file, written plainly and read strictly.

A reader of zip files is usually lenient: it goes by the directory at the end, and lets the file hold anything
else. Here every byte is accounted for. The members stand one after the other from the first byte on, each with
a header of its own that says the same as the directory; then comes the directory, then its end record, and there
the file ends. So members cannot overlap, hide, or be larger than they say, and all of this is known before
anything is allocated for them. What NumPy writes is read too.

Source: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", sections 4.3 and 4.4.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from struct import Struct
from typing import BinaryIO, NamedTuple

from nn.files.errors import FlawError

LOCAL = Struct("<4s5H3I2H")  # signature, version, flags, method, time, date, crc, stored, size, lengths of name, extra
CENTRAL = Struct("<4s6H3I5H2I")  # the same after who made it; then comment length, disk, attributes (2), offset
END = Struct("<4s4H2IH")  # signature, disk (2), number of members (2), size and offset of the directory, comment
LARGE = Struct("<2H2Q")  # the extra field in which NumPy keeps size and stored size: 1, 16, size, stored
LOCAL_SIGN, CENTRAL_SIGN, END_SIGN = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
STORED, DEFLATED = 0, 8
UTF8, DEFLATE_LEVEL = 0x800, 0x006  # the flags that may be set
MOST = 0xFFFFFFFF  # what a size or an offset can be
NEWEST = 45  # the version of the format up to which files are read
YEAR_1980 = 33  # as a date: the same members always give the same bytes
LONGEST_NAME = 500  # bytes


class Member(NamedTuple):
    """One entry of the zip file."""

    name: str
    method: int
    crc: int
    stored: int  # its bytes in the file
    size: int  # its bytes when decompressed
    start: int  # where they begin


def write_members(file: BinaryIO, members: Iterable[tuple[str, list[bytes]]]) -> None:
    """Write a whole zip file, uncompressed: weights look random, and compressing them gains little.

    Args:
        file: binary, empty; it is written from front to back.
        members: name and content of each; the content in pieces.

    Raises:
        OverflowError: more than 4 GiB or 65535 members, which the format cannot say.
    """
    directory: list[bytes] = []
    offset = 0
    for name, pieces in members:
        encoded = name.encode()
        crc, size = 0, sum(map(len, pieces))
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
        flags = 0 if name.isascii() else UTF8
        common = (20, flags, STORED, 0, YEAR_1980, crc, size, size, len(encoded))
        if offset + size + LOCAL.size + len(encoded) > MOST or len(directory) == 0xFFFF:
            raise OverflowError("an .npz file of at most 4 GiB and 65535 arrays is expected, and this would be larger")
        file.write(LOCAL.pack(LOCAL_SIGN, *common, 0) + encoded)
        for piece in pieces:
            file.write(piece)
        directory.append(CENTRAL.pack(CENTRAL_SIGN, 20, *common, 0, 0, 0, 0, 0, offset) + encoded)
        offset += LOCAL.size + len(encoded) + size
    length = sum(map(len, directory))
    file.write(b"".join(directory))
    file.write(END.pack(END_SIGN, 0, 0, len(directory), len(directory), length, offset, 0))


def members_of(file: BinaryIO, most: int) -> list[Member]:
    """The members of a zip file, after all that its headers say has been compared.

    Args:
        file: binary, seekable.
        most: how many members there may be.

    Raises:
        FlawError: the file is not what :func:`write_members` or NumPy writes.
    """
    length = file.seek(0, os.SEEK_END)
    if length < END.size:
        raise FlawError(f"the file has {length} bytes, and an .npz file has at least {END.size}")
    directory_end = length - END.size
    sign, disk, first_disk, here, count, size, start, comment = END.unpack(_read(file, directory_end, END.size))
    if sign != END_SIGN or comment:
        raise FlawError("the file does not end as an .npz file does; it is cut off, or something else")
    if (disk, first_disk, here, start + size) != (0, 0, count, directory_end):
        raise FlawError("its end record does not fit the file")
    if count > most:
        raise FlawError(f"it holds {count} arrays; expected at most {most} (see max_bytes)")
    members: list[Member] = []
    position, place = 0, start
    for _ in range(count):
        if place + CENTRAL.size > directory_end:
            raise FlawError(f"its directory ends after {len(members)} of {count} members")
        member, position, place = _member(file, position, place)
        if position > start:
            raise FlawError(f"{member.name} reaches into the directory")
        members.append(member)
    if (position, place) != (start, directory_end):
        raise FlawError("it has bytes that belong to no member")
    return members


def _member(file: BinaryIO, position: int, place: int) -> tuple[Member, int, int]:
    """The member whose own header is at ``position`` and whose entry in the directory is at ``place``.

    Returns also where the next ones must be.
    """
    sign, _, *said, extra, comment, disk, _, _, offset = CENTRAL.unpack(_read(file, place, CENTRAL.size))
    version, flags, method, _, _, crc, stored, size, name_length = said
    if sign != CENTRAL_SIGN or extra or comment or disk or version > NEWEST or name_length > LONGEST_NAME:
        raise FlawError(f"its directory is damaged at byte {place}")
    encoded = _read(file, place + CENTRAL.size, name_length)
    name = _decoded(encoded, flags)
    if offset != position:
        raise FlawError(f"{name} begins at byte {offset}; expected {position}, where the member before it ends")
    if flags & ~(UTF8 | DEFLATE_LEVEL):
        raise FlawError(f"{name} is encrypted or streamed (flags {flags:#06x}); expected a plain member")
    if method not in (STORED, DEFLATED) or (method == STORED and stored != size):
        raise FlawError(
            f"{name} is compressed by method {method}, {stored} bytes for {size}; expected stored or deflated"
        )
    if MOST in (stored, size):
        raise FlawError(f"{name} has 4 GiB or more")

    sign, *said, extra = LOCAL.unpack(_read(file, position, LOCAL.size))
    version, own_flags, own_method, _, _, own_crc, own_stored, own_size, own_name_length = said
    header = _read(file, position + LOCAL.size, own_name_length + extra) if own_name_length == name_length else b""
    if extra == LARGE.size and len(header) == name_length + extra:
        kind, rest, *large = LARGE.unpack(header[name_length:])
        # NumPy leaves room for large sizes. Python before 3.11.4 says the sizes there and in their usual place.
        sizes = own_size, own_stored
        fits = (kind, rest) == (1, 16) and sizes in ((MOST, MOST), tuple(large))
        own_size, own_stored = large if fits else (-1, -1)
    elif extra:
        own_size = -1
    own = (own_flags, own_method, own_crc, own_stored, own_size, header[:name_length])
    if sign != LOCAL_SIGN or version > NEWEST or own != (flags, method, crc, stored, size, encoded):
        raise FlawError(f"{name} has a header that differs from the directory")
    start = position + LOCAL.size + name_length + extra
    return Member(name, method, crc, stored, size, start), start + stored, place + CENTRAL.size + name_length


def _decoded(encoded: bytes, flags: int) -> str:
    """A member's name, if it would be a harmless one even where somebody unpacks the file."""
    try:
        name = encoded.decode("utf-8" if flags & UTF8 else "ascii")
    except UnicodeDecodeError:
        raise FlawError(f"a member has the name {encoded!r}, which is not UTF-8") from None
    if problem := name_problem(name):
        raise FlawError(f"a member has the name {name!r}, {problem}")
    return name


def name_problem(name: str) -> str:
    """What is wrong with a member's name; nothing is the empty string.

    >>> name_problem("optimizer/velocity.npy")
    ''
    >>> name_problem("../../home/.profile")
    'which leads elsewhere'
    """
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "which is not valid Unicode"
    if not name.isprintable() or not 0 < length <= LONGEST_NAME:
        return f"which is empty, has unprintable characters or is longer than {LONGEST_NAME} bytes"
    if "\\" in name or name[1:2] == ":" or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "which leads elsewhere"
    return ""


class Content:
    """The bytes of a member, decompressed piece by piece; never more than it says it has."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        self.file, self.member = file, member
        self.position, self.left = member.start, member.stored
        self.crc = 0
        self.inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == DEFLATED else None

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes.

        Raises:
            FlawError: there are fewer.
        """
        pieces = []
        while count:
            piece = self._piece(count)
            if not piece:
                raise FlawError(f"{self.member.name} ends before the {self.member.size} bytes it should have")
            self.crc = zlib.crc32(piece, self.crc)
            count -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Check that nothing is left, and that all that was read is what was written.

        Raises:
            FlawError: it is not.
        """
        rest = self._piece(1)
        if rest or self.left or (self.inflate and (not self.inflate.eof or self.inflate.unused_data)):
            raise FlawError(f"{self.member.name} has more than the {self.member.size} bytes it should have")
        if self.crc != self.member.crc:
            raise FlawError(f"{self.member.name} is damaged: checksum {self.crc:08x}, expected {self.member.crc:08x}")

    def _piece(self, count: int) -> bytes:
        """At least one byte and at most ``count``, if there are any more."""
        if self.inflate is None:
            return self._next(count)
        piece = b""
        while not piece and not self.inflate.eof:
            waiting = self.inflate.unconsumed_tail or self._next(1 << 14)
            try:
                piece = self.inflate.decompress(waiting, count)
            except zlib.error as error:
                raise FlawError(f"{self.member.name} is damaged: {error}") from None
            if not waiting:
                break
        return piece

    def _next(self, count: int) -> bytes:
        """Bytes as they stand in the file."""
        piece = _read(self.file, self.position, min(count, self.left))
        self.position += len(piece)
        self.left -= len(piece)
        return piece


def _read(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    data = file.read(count)
    if len(data) != count:
        raise FlawError(f"the file ends inside of something that begins at byte {position}")
    return data
