#!/usr/bin/env python3
"""Write tests/data/encode/: rows to encode, and the error that llama.cpp's encoders leave in them.

The reference is ggml_quantize_chunk of a built llama.cpp (libggml-base). Run by hand; the files are
checked in, so building and testing never needs Python. The seed is fixed: running again gives the
same bytes.

    pip install gguf numpy
    python scripts/make_encode_fixtures.py --ggml llama.cpp/build/bin/libggml-base.so

rows.f16      binary16 [3 kinds, 16 rows, 1024]: normal, Laplace, weights of the demo model
weights.f16   binary16 [1024]: importance of the columns
errors.json   format -> kind -> [plain, weighted] root mean squared error, times sqrt(weight) where weighted
"""

import argparse
import ctypes
import json
from pathlib import Path

import gguf
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FORMATS = {
    "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13,
    "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23, "TQ1_0": 34, "TQ2_0": 35, "MXFP4": 39, "NVFP4": 40, "Q1_0": 41, "Q2_0": 42,
}
# Without importance llama.cpp refuses some of these and weighs others by the values' squares: the lesser error of no
# weights, where it takes them, and of equal ones counts.
GRIDS = {"IQ1_S": 19, "IQ1_M": 29, "IQ2_XXS": 16, "IQ2_XS": 17, "IQ2_S": 22, "IQ3_XXS": 18, "IQ3_S": 21}
ROWS, COLUMNS = 16, 1024


def demo_rows() -> np.ndarray:
    """Floats that no format holds exactly: the demo's weights in Q8_0, each row scaled by a factor of its own."""
    reader = gguf.GGUFReader(ROOT / "demo" / "demo.gguf")
    matrices = [t for t in reader.tensors if len(t.shape) == 2 and "blk" in t.name]
    values = np.concatenate([gguf.quants.dequantize(t.data, t.tensor_type).ravel() for t in matrices[:4]])
    noise = np.random.default_rng(3).normal(0, 1, ROWS * COLUMNS)
    return values[: ROWS * COLUMNS] + 1e-3 * noise


def encode(library, number: int, rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    traits = library.ggml_get_type_traits(number).contents
    out = np.zeros((ROWS, COLUMNS // traits.blck_size * traits.type_size), np.uint8)
    pointer = lambda a: None if a is None else a.ctypes.data_as(ctypes.c_void_p)
    library.ggml_quantize_chunk(number, pointer(rows), pointer(out), ctypes.c_int64(0), ctypes.c_int64(ROWS),
                                ctypes.c_int64(COLUMNS), pointer(weights))
    decoded = np.zeros_like(rows)
    for r in range(ROWS):
        traits.to_float(pointer(out[r]), pointer(decoded[r]), ctypes.c_int64(COLUMNS))
    return decoded


class TypeTraits(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("blck_size", ctypes.c_int64), ("blck_size_interleave", ctypes.c_int64),
                ("type_size", ctypes.c_size_t), ("is_quantized", ctypes.c_bool),
                ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
                ("from_float_ref", ctypes.c_void_p)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ggml", required=True)
    library = ctypes.CDLL(parser.parse_args().ggml)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)
    library.ggml_quantize_requires_imatrix.restype = ctypes.c_bool

    random = np.random.default_rng(1)
    kinds = {
        "normal": random.normal(0, 0.02, ROWS * COLUMNS),
        "laplace": random.laplace(0, 0.02, ROWS * COLUMNS),
        "demo": demo_rows(),
    }
    kinds = {name: values.astype(np.float16).reshape(ROWS, COLUMNS) for name, values in kinds.items()}
    weights = (random.normal(0, 1, COLUMNS) ** 2 + 0.01).astype(np.float16)

    def error(number: int, rows: np.ndarray, w: np.ndarray | None) -> float:
        off = (encode(library, number, rows, w).astype(np.float64) - rows) ** 2
        return float(np.sqrt(np.mean(off * (1 if w is None else w))))

    errors = {}
    for name, number in (FORMATS | GRIDS).items():
        errors[name] = {}
        for kind, halves in kinds.items():
            rows = np.ascontiguousarray(halves, np.float32)
            refused = library.ggml_quantize_requires_imatrix(number)
            plain = [None] * (not refused) + [np.ones(COLUMNS, np.float32)] * (name in GRIDS)
            errors[name][kind] = [min(error(number, rows, w) for w in plain),
                                  error(number, rows, weights.astype(np.float32))]
    folder = ROOT / "tests" / "data" / "encode"
    folder.mkdir(exist_ok=True)
    (folder / "rows.f16").write_bytes(b"".join(h.tobytes() for h in kinds.values()))
    (folder / "weights.f16").write_bytes(weights.tobytes())
    (folder / "errors.json").write_text(json.dumps(errors, indent=1) + "\n")


if __name__ == "__main__":
    main()
