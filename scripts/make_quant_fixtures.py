#!/usr/bin/env python3
"""Write tests/data/quant/<FORMAT>.bin: encoded rows and what they decode to.

The truth is the `gguf` Python package (gguf.quants.dequantize), or ggml itself where that has no
decoder, not our own code. Run by hand; the
files are checked in, so building and testing never needs Python. The seed is fixed: running again
gives the same bytes.

    pip install gguf numpy
    python scripts/make_quant_fixtures.py --llama-cpp DIR

Layout of a file, little endian:

    char[4]  magic "KQF1"
    u32      format: ggml's type number
    u32      rows
    u32      weights in a row
    u8       blocks [rows, bytes in a row]
    f32      values [rows, weights in a row]

Rows of a block format (every block's codes are random bytes and its f16 scales random unless said
otherwise; "codes" include packed sub-block scales):

    0, 1  ordinary: scales of either sign around 2^-6
    2     codes all 0x00 and all 0xFF in turn
    3     scales are the largest finite f16 and its negative in turn
    4     scales are subnormal f16, the smallest first
    5     scales negative, and the smallest normal f16
    6     scales +0 and -0 in turn
    7     codes all 0xFF, the scales of rows 3 and 4 in turn

The scales of one block take consecutive items of such a sequence, so a block with a scale and a
minimum sees both signs. Rows of F16 and BF16: zeros, infinities, subnormals, extremes, then random
bit patterns; no NaN anywhere.

With f16 scales of 11 bits, scales of them and codes of 13 bits together, every product is exact in float32, so a correct
decoder gives these values with ==, with or without fma.
"""

import argparse
import ctypes
import pathlib
import struct

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

ROWS, WEIGHTS = 8, 512

# name, byte offsets of the f16 scales in a block; None: the value itself is a 16-bit float; "nibbles": one scale in the
# top four bits of the block's last four 16-bit words, lowest first
FORMATS = [
    ("F16", None),
    ("BF16", None),
    ("Q8_0", [0]),
    ("Q4_0", [0]),
    ("Q4_1", [0, 2]),
    ("Q5_0", [0]),
    ("Q5_1", [0, 2]),
    ("Q2_K", [80, 82]),
    ("Q3_K", [108]),
    ("Q4_K", [0, 2]),
    ("Q5_K", [0, 2]),
    ("Q6_K", [208]),
    ("IQ1_S", [0]),
    ("IQ1_M", "nibbles"),
    ("IQ2_XXS", [0]),
    ("IQ2_XS", [0]),
    ("IQ2_S", [0]),
    ("IQ3_XXS", [0]),
    ("IQ3_S", [0]),
    ("IQ4_NL", [0]),
    ("IQ4_XS", [0]),
    ("MXFP4", []),
    ("NVFP4", []),
    ("TQ1_0", [52]),
    ("TQ2_0", [64]),
    ("Q1_0", [0]),
    ("Q2_0", [0]),
]

# The package can't decode these; ggml's own C function does.
BY_GGML = {"Q1_0": "dequantize_row_q1_0", "Q2_0": "dequantize_row_q2_0"}


def float_rows(mantissa_bits: int, rng: np.random.Generator) -> np.ndarray:
    """Bit patterns [ROWS, WEIGHTS] of a 16-bit float with this many mantissa bits; no NaN."""
    one = 1 << mantissa_bits  # smallest normal; everything below is subnormal
    inf = 0x7FFF & ~(one - 1)
    special = [0, 1, 2, one - 1, one, one + 1, inf - 1, inf, 0x3C00, 0x3F80]
    special += [0x8000 | s for s in special]
    rows = rng.integers(0, 1 << 16, (ROWS, WEIGHTS), dtype=np.uint16)
    rows[0, : len(special)] = special
    rows[1] &= 0x8000 | (one - 1)  # subnormals of both signs
    nan = (rows & 0x7FFF) > inf
    rows[nan] &= ~np.uint16(one)  # clears one exponent bit: finite
    return rows


def scale_row(row: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` f16 scales for one row."""
    plain = np.exp2(rng.normal(-6, 1.5, count)).astype(np.float16)
    signed = plain * rng.choice(np.array([-1, 1], np.float16), count)
    largest = np.resize(np.array([65504, -65504], np.float16), count)
    bits = rng.integers(1, 1 << 10, count).astype(np.uint16)
    bits[0] = 1
    bits |= rng.integers(0, 2, count).astype(np.uint16) << 15
    subnormal = bits.view(np.float16)
    if row == 3:
        return largest
    if row == 4:
        return subnormal
    if row == 5:
        return np.where(np.arange(count) % 4 == 3, np.float16(-(2.0**-14)), -plain)
    if row == 6:
        return np.resize(np.array([0.0, -0.0], np.float16), count)
    if row == 7:
        return np.where(np.arange(count) % 4 < 2, largest, subnormal)
    return signed


def set_nibbles(blocks: np.ndarray, scales: np.ndarray) -> None:
    """blocks u8 [count, size]: scales f16 [count] into the top four bits of the last four 16-bit words."""
    nibbles = scales.view(np.uint16)[:, None] >> np.array([0, 4, 8, 12], np.uint16) & 15
    high = blocks[:, -7::2]
    high[:] = high & 0x0F | (nibbles << 4).astype(np.uint8)


def block_rows(type_: GGMLQuantizationType, offsets: list[int] | str, rng: np.random.Generator) -> np.ndarray:
    """Encoded rows u8 [ROWS, bytes in a row]."""
    weights, size = GGML_QUANT_SIZES[type_]
    count = WEIGHTS // weights
    blocks = rng.integers(0, 256, (ROWS, count, size), dtype=np.uint8)
    blocks[2] = np.where(np.arange(count) % 2, 0xFF, 0x00)[:, None]
    blocks[7] = 0xFF
    if offsets == "nibbles":
        for row in range(ROWS):
            set_nibbles(blocks[row], scale_row(row, count, rng))
        return blocks.reshape(ROWS, count * size)
    for row in range(ROWS if offsets else 0):
        scales = scale_row(row, count * len(offsets), rng).reshape(count, len(offsets))
        for i, offset in enumerate(offsets):
            blocks[row, :, offset : offset + 2] = scales[:, i].copy().view(np.uint8).reshape(count, 2)
    return blocks.reshape(ROWS, count * size)


def decode_by_ggml(folder: pathlib.Path | None, function: str, encoded: np.ndarray) -> np.ndarray:
    """Values [ROWS, WEIGHTS] as libggml-base gives them."""
    if folder is None:
        raise SystemExit(f"{function} is only in llama.cpp: give --llama-cpp DIR")
    library = ctypes.CDLL(str(folder / "build" / "bin" / "libggml-base.so"))
    values = np.zeros((ROWS, WEIGHTS), np.float32)
    decode = getattr(library, function)
    decode.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    decode(encoded.ctypes.data, values.ctypes.data, values.size)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = pathlib.Path(__file__).parent.parent / "tests" / "data" / "quant"
    parser.add_argument("--out", type=pathlib.Path, default=default, help="folder to write to")
    parser.add_argument("--llama-cpp", type=pathlib.Path, metavar="DIR", help="built llama.cpp, for Q1_0 and Q2_0")
    options = parser.parse_args()
    out = options.out
    out.mkdir(parents=True, exist_ok=True)

    for name, offsets in FORMATS:
        type_ = GGMLQuantizationType[name]
        rng = np.random.default_rng(0x6B65726E + type_)
        if offsets is None:
            encoded = float_rows(10 if name == "F16" else 7, rng).view(np.uint8)
        else:
            encoded = block_rows(type_, offsets, rng)
        if name in BY_GGML:
            values = decode_by_ggml(options.llama_cpp, BY_GGML[name], encoded)
        else:
            values = quants.dequantize(encoded, type_).astype("<f4")
        assert values.shape == (ROWS, WEIGHTS) and not np.isnan(values).any(), name
        path = out / f"{name}.bin"
        path.write_bytes(
            b"KQF1" + struct.pack("<III", type_, ROWS, WEIGHTS) + encoded.tobytes() + values.tobytes()
        )
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
