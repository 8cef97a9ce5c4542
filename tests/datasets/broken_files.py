"""Broken files: whole ones that somebody damaged, and ones that somebody made to do harm."""

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.datasets.whole_files import whole_files
from tests.science.images import picture, png, zipped

ORDERS: Final[tuple[Literal["little", "big"], ...]] = ("little", "big")
SYMLINK: Final = 0o120777 << 16


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """What is sent; whether nothing but a refusal is right; the text fields beside it."""

    name: str
    content: bytes
    must_fail: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)


def _flip(content: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(dice.randint(1, 8)):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def _cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def _behead(content: bytes, dice: random.Random) -> bytes:
    return content[dice.randrange(1, len(content)) :]


def _insert(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + dice.randbytes(dice.randint(1, 200)) + content[at:]


def _delete(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + content[at + dice.randint(1, 200) :]


def _repeat(content: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content))
    end = min(len(content), start + dice.randint(1, 2_000))
    return content[:end] + content[start:]


def _zero(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    size = min(len(content) - at, dice.randint(1, 64))
    return content[:at] + bytes(size) + content[at + size :]


def _numbers(content: bytes, dice: random.Random) -> bytes:
    """Lengths and offsets become huge, negative or odd."""
    at = dice.randrange(max(1, len(content) - 8))
    value = dice.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1])
    width = dice.choice([2, 4, 8])
    raw = (value & ((1 << (8 * width)) - 1)).to_bytes(width, dice.choice(ORDERS))
    return content[:at] + raw + content[at + width :]


def _swap(content: bytes, dice: random.Random) -> bytes:
    first, second = sorted(dice.randrange(len(content)) for _ in range(2))
    return content[second:] + content[first:second] + content[:first]


MUTATIONS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flip,
    _cut,
    _behead,
    _insert,
    _delete,
    _repeat,
    _zero,
    _numbers,
    _swap,
)


def mutated(name: str, count: int, seed: int = 0) -> Iterator[BrokenFile]:
    """Damaged copies of one whole file, the same with each run."""
    content = whole_files()[name]
    for number in range(count):
        dice = random.Random(f"{name} {seed} {number}")  # noqa: S311  # no secret
        damage = MUTATIONS[number % len(MUTATIONS)]
        yield BrokenFile(f"{damage.__name__[1:]}-{number}-{name}", damage(content, dice))


def _entry(name: str, content: bytes | str = b"x", *, mode: int = 0, flags: int = 0) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode
        info.create_system = 3
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, content)
        archive.writestr("labels.txt", "cross\n")
    made = sink.getvalue()
    if not flags:
        return made
    # Of the local header and of the directory.
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = made.index(mark) + offset
        made = made[:at] + struct.pack("<H", flags) + made[at + 2 :]
    return made


def _repeated_names() -> bytes:
    names = {f"cross/{number}.png": picture("cross", 0) for number in (1, 2)}
    return zipped(names).replace(b"cross/2.png", b"cross/1.png")


def _lying_sizes() -> bytes:
    """Says that it unpacks to nothing, and unpacks to 30 MB."""
    made = _entry("cross/1.png", bytes(30_000_000))
    local, directory = made.index(b"PK\x03\x04") + 22, made.index(b"PK\x01\x02") + 24
    for at in (local, directory):
        made = made[:at] + struct.pack("<I", 10) + made[at + 4 :]
    return made


def _many_entries() -> bytes:
    return zipped({f"cross/{number}.png": b"x" for number in range(10_050)})


def _pixel_bomb() -> bytes:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1_000))), (b"IEND", b"")]
    made = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks:
        made += struct.pack(">I", len(content)) + kind + content
        made += struct.pack(">I", zlib.crc32(kind + content))
    return made


def archives() -> Iterator[BrokenFile]:
    """Archives against every rule of a safe one."""
    good = picture("cross", 0)
    large = png(Image.fromarray(np.zeros((3_000, 3_000), np.uint8)))
    bad: dict[str, bytes] = {
        "slip.zip": _entry("../../etc/passwd.png", good),
        "absolute.zip": _entry("/etc/cron.d/x.png", good),
        "backslash.zip": _entry("..\\..\\x.png", good),
        "drive.zip": _entry("C:\\x.png", good),
        "symlink.zip": _entry("cross/1.png", b"/etc/passwd", mode=SYMLINK),
        "encrypted.zip": _entry("cross/1.png", good, flags=1),
        "nested.zip": _entry("cross/1.png", zipped({"a.png": good})),
        "many.zip": _many_entries(),
        "lying.zip": _lying_sizes(),
        "ratio.zip": _entry("cross/1.png", bytes(9_000_000)),
        "twice.zip": _repeated_names(),
        "bomb.zip": zipped({"cross/1.png": _pixel_bomb(), "circle/2.png": good}),
        "large.zip": zipped({"cross/1.png": large, "circle/2.png": good}),
        "svg.zip": zipped({"cross/1.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>"}),
        "no-image.zip": zipped({"cross/1.png": b"no image", "circle/2.png": good}),
        "unlabelled.zip": zipped({"1.png": good, "2.png": good}),
        "few-labels.zip": zipped({"1.png": good, "2.png": good, "labels.txt": "cross\n"}),
        "sizes.zip": zipped({"a/1.png": good, "b/2.png": picture("cross", 1, side=20)}),
        "empty.zip": zipped({}),
        "no-zip.zip": b"PK\x03\x04" + bytes(100),
    }
    yield from (BrokenFile(name, content, must_fail=True) for name, content in bad.items())


def _workbook_with(path: str, content: str) -> bytes:
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole_files()["table.xlsx"])) as whole,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for info in whole.infolist():
            if info.filename != path:
                archive.writestr(info.filename, whole.read(info))
        archive.writestr(path, content)
    return sink.getvalue()


def workbooks() -> Iterator[BrokenFile]:
    """Workbooks against every rule of a safe one."""
    sheet = "xl/worksheets/sheet1.xml"
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
    spread = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c>'
        "</row></sheetData></worksheet>"
    )
    bad = {
        "entities.xlsx": _workbook_with(sheet, entities),
        "dtd.xlsx": _workbook_with("xl/workbook.xml", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"),
        "links.xlsx": _workbook_with("xl/externalLinks/externalLink1.xml", "<externalLink/>"),
        "bomb.xlsx": _workbook_with(sheet, "<x>" + " " * 30_000_000),
        "spread.xlsx": _workbook_with(sheet, spread),
        "no-xml.xlsx": _workbook_with(sheet, "this is no XML <"),
        "slip.xlsx": _workbook_with("../../x.xml", "x"),
        "old.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    }
    links = ("links.xlsx", "slip.xlsx")
    for name, content in bad.items():
        yield BrokenFile(name, content, must_fail=name not in links)
    yield BrokenFile(
        "sheet.xlsx", whole_files()["table.xlsx"], must_fail=True, fields={"sheet": "absent"}
    )


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def columnar() -> Iterator[BrokenFile]:
    """Parquet, Arrow and Feather files that lie or hold what no table holds."""
    footer = whole_files()["table.parquet"]
    nested = pa.table({"a": [[1, 2], [3]], "b": [{"x": 1}, {"x": 2}]})
    bad = {
        "columns.parquet": _parquet(pa.table({f"c{i}": [1] for i in range(2_001)})),
        "nested.parquet": _parquet(nested),
        "binary.parquet": _parquet(pa.table({"a": [b"\x00\xff", b"x"]})),
        "no-rows.parquet": _parquet(pa.table({"a": pa.array([], pa.int64())})),
        "no-columns.parquet": _parquet(pa.table({})),
        "names.parquet": _parquet(pa.table({"a": [1], "A ": [2]})),
        "footer.parquet": footer[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "short.parquet": b"PAR1" + struct.pack("<I", 0) + b"PAR1",
        "thrift.parquet": b"PAR1" + b"\x19\xfc" * 4_000 + struct.pack("<I", 8_000) + b"PAR1",
        "encrypted.parquet": b"PARE" + footer[4:-4] + b"PARE",
        "old.feather": b"FEA1" + bytes(200) + b"FEA1",
        "stream.arrow": b"\xff\xff\xff\xff" + struct.pack("<I", 2**31 - 1) + bytes(100),
    }
    yield from (BrokenFile(name, content, must_fail=True) for name, content in bad.items())


def texts() -> Iterator[BrokenFile]:
    """Delimited text and JSON that is none."""
    wide = ",".join(f"c{i}" for i in range(100_000)).encode()
    bad = {
        "empty.csv": b"",
        "blank.csv": b"\n \n\n",
        "header.csv": b"a,b\n",
        "ragged.csv": b"a,b\n1,2\n3\n",
        "long.csv": b"a,b\n1,2,3\n",
        "twice.csv": b"a,b,A \n1,2,3\n",
        "nfkc.csv": "\ufb01,fi\n1,2\n".encode(),
        "nameless.csv": b"a,\n1,2\n",
        "nul.csv": b"a,b\n1,\x00\n",
        "latin.csv": b"a,b\n1,2\n\xff,3\n",
        "quote.csv": b'a,b\n"1,2\n',
        "columns.csv": wide + b"\n" + b"1," * 99_999 + b"1\n",
        "cell.csv": b"a,b\n1," + b"x" * 1_000_001 + b"\n",
        "one-line.csv": b"x" * 5_000_000,
        "surrogate.csv": b"a,b\n\xed\xa0\x80,1\n",
        "overlong.csv": b"a,b\n\xc0\xaf,1\n",
        "utf-16.csv": b"\xff\xfea\x00,\x00b\x00\n\x00\x31",
        "utf-32.csv": b"\xff\xfe\x00\x00" + b"\x00\x00\x11\x00" * 10,
        "bomb.csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * 25_000_000, 9, mtime=0),
        "twice.csv.gz": gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0),
        "empty.csv.gz": gzip.compress(b"", mtime=0),
        "head.csv.gz": b"\x1f\x8b\x08",
        "head.zst": b"\x28\xb5\x2f\xfd\x00",
        "window.zst": b"\x28\xb5\x2f\xfd\x00\xff" + bytes(50),
        "deep.json": b"[" * 100_000,
        "deep.jsonl": b'{"a":' * 100_000,
        "digits.jsonl": b'{"a": ' + b"9" * 100_000 + b"x}\n",
        "twice.jsonl": b'{"a": 1, "a": 2}\n',
        "kinds.jsonl": b'{"a": 1}\n{"a": "x"}\n',
        "nested.jsonl": b'{"a": {"b": 1}}\n',
        "no-object.jsonl": b'{"a": 1}\n[1]\n',
        "nan.jsonl": b'{"a": NaN}\n',
        "infinite.jsonl": b'{"a": -Infinity}\n',
        "half.jsonl": b'{"a": 1}\n{"a": \n',
        "surrogate.jsonl": b'{"a": "\\ud800"}\n',
        "nul.jsonl": b'{"a": "\\u0000"}\n',
        "empty.jsonl": b"{}\n{}\n",
        "pickle.pkl": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00cos\nsystem\n.",
        "program": b"\x7fELF" + bytes(100),
        "page.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    }
    yield from (BrokenFile(name, content, must_fail=True) for name, content in bad.items())
    yield BrokenFile("wrong.csv", b"a,b\n1,2\n", must_fail=True, fields={"format": "parquet"})
    yield BrokenFile(
        "codec.csv", b"a,b\n\xff\xff,2\n", must_fail=True, fields={"encoding": "ascii"}
    )
    yield BrokenFile("codec.csv", b"a,b\n1,2\n", must_fail=True, fields={"encoding": "utf-16"})


def odd_but_good() -> Iterator[BrokenFile]:
    """What looks wrong and has to be taken, with warnings where they help."""
    rows = 3_000
    good = {
        "infinite.csv": b"a,b\n1e999,2\n-1e999,3\n",
        "digits.csv": b"a,b\n" + b"9" * 400 + b",2\n" + b"8" * 400 + b",3\n",
        "constant.csv": b"a,b\n" + b"1,1\n" * 50,
        "classes.csv": b"a,b\n" + b"".join(b"%d,c%d\n" % (i, i) for i in range(rows)),
        "one-row.csv": b"a,b\n1,2\n",
        "one-column.csv": b"a\n1\n2\n",
        "formulas.csv": b"=1+1,@x\n=cmd|' /C calc'!A0,-1\n+1,\t2\n",
        "markup.csv": b"<script>alert(1)</script>,[x](javascript:1)\n1,2\n",
        "bom.csv": b"\xef\xbb\xbfa,b\r\n1,2\r\n",
        "names.jsonl": json.dumps({"\u202e": 1, "b": None}).encode() + b"\n",
    }
    yield from (BrokenFile(name, content) for name, content in good.items())
