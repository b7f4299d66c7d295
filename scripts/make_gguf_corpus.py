#!/usr/bin/env python3
"""Writes tests/data/gguf/corpus: small GGUF files, whole and broken, that the fuzz target starts from.

usage: make_gguf_corpus.py FOLDER
"""
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}
TYPE_F32, TYPE_F16, TYPE_Q8_0 = 0, 1, 8
HUGE = 1 << 60


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(value)) + value


def payload(kind, value):
    if kind == STRING:
        return text(value)
    if kind == ARRAY:  # (element kind, values)
        return struct.pack("<IQ", value[0], len(value[1])) + b"".join(payload(value[0], item) for item in value[1])
    return struct.pack("<" + CODES[kind], value)


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + payload(kind, value)


def entry(name, shape, kind, offset):
    return text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + \
        struct.pack("<IQ", kind, offset)


def head(tensors, pairs, version=3, magic=b"GGUF"):
    return magic + struct.pack("<IQQ", version, tensors, pairs)


def whole(pairs, tensors, version=3, alignment=32):
    """tensors: (name, shape, type, bytes)"""
    directory, data = b"", b""
    for name, shape, kind, content in tensors:
        directory += entry(name, shape, kind, len(data))
        data += content + b"\0" * (-len(content) % alignment)
    out = head(len(tensors), len(pairs), version) + b"".join(pair(*item) for item in pairs) + directory
    return out + b"\0" * (-len(out) % alignment) + data


def model(architecture, bias=False, head_norm=False):
    """A whole model: dimension 4, 2 heads, 1 layer, 3 tokens."""
    def matrix(name, rows, columns=4):
        values = [((7 * i + len(name)) % 5 - 2) * 0.25 for i in range(rows * columns)]
        return (name, [columns, rows], TYPE_F32, struct.pack(f"<{len(values)}f", *values))

    def vector(name, size):
        return (name, [size], TYPE_F32, struct.pack(f"<{size}f", *[1.0] * size))

    a = architecture
    pairs = [("general.architecture", STRING, a), (f"{a}.context_length", U32, 64), (f"{a}.embedding_length", U32, 4),
             (f"{a}.block_count", U32, 1), (f"{a}.feed_forward_length", U32, 2),
             (f"{a}.attention.head_count", U32, 2), (f"{a}.attention.head_count_kv", U32, 1),
             (f"{a}.attention.layer_norm_rms_epsilon", F32, 1e-5)]
    tensors = [matrix("token_embd.weight", 3), vector("output_norm.weight", 4)]
    b = "blk.0."
    tensors += [vector(b + "attn_norm.weight", 4), matrix(b + "attn_q.weight", 4), matrix(b + "attn_k.weight", 2),
                matrix(b + "attn_v.weight", 2), matrix(b + "attn_output.weight", 4), vector(b + "ffn_norm.weight", 4),
                matrix(b + "ffn_gate.weight", 2), matrix(b + "ffn_up.weight", 2), matrix(b + "ffn_down.weight", 4, 2)]
    if bias:
        tensors += [vector(b + "attn_q.bias", 4), vector(b + "attn_k.bias", 2), vector(b + "attn_v.bias", 2)]
    if head_norm:
        tensors += [vector(b + "attn_q_norm.weight", 2), vector(b + "attn_k_norm.weight", 2)]
    return pairs, tensors


def seeds():
    f32 = ("t", [8], TYPE_F32, b"\0" * 32)
    every = [(f"k.{kind}", kind, 1) for kind in CODES] + [("text", STRING, "grüße\n\x1b"), ("none", STRING, "")]
    every += [(f"a.{kind}", ARRAY, (kind, [0, 1, 1])) for kind in CODES] + [("words", ARRAY, (STRING, ["a", "", "ü"]))]
    nested = ("n", ARRAY, (ARRAY, [(U8, [1, 2]), (ARRAY, [(STRING, ["x"])])]))
    deep = (U8, [1])
    for _ in range(6):
        deep = (ARRAY, [deep])
    pairs, tensors = model("llama")
    yield "model-llama", whole(pairs, tensors)
    yield "model-qwen2", whole(*model("qwen2", bias=True))
    yield "model-qwen3", whole(*model("qwen3", head_norm=True))
    yield "model-version-2", whole(pairs, tensors, version=2)
    yield "model-yarn", whole(pairs + [("llama.rope.scaling.type", STRING, "yarn"),
                                       ("llama.rope.scaling.factor", F32, 4.0),
                                       ("llama.rope.scaling.original_context_length", U32, 16)], tensors)
    yield "model-window", whole(pairs + [("llama.attention.sliding_window", U32, 2)], tensors)
    yield "model-factors", whole(pairs, tensors + [("rope_freqs.weight", [1], TYPE_F32, struct.pack("<f", 2.0))])
    yield "model-factors-not-a-number", whole(pairs, tensors + [("rope_freqs.weight", [1], TYPE_F32, b"\xff" * 4)])
    yield "model-factors-tiny", whole(pairs, tensors + [("rope_freqs.weight", [1], TYPE_F32, struct.pack("<I", 1))])
    yield "model-unknown-key", whole(pairs + [("llama.secret", U32, 1)], tensors)
    yield "model-missing-tensor", whole(pairs, tensors[:-1])
    yield "model-cut", whole(pairs, tensors)[:-1]
    yield "no-heads", whole([p if "head_count" not in p[0] else (p[0], U32, 0) for p in pairs], tensors)
    yield "negative-size", whole([p if "embedding" not in p[0] else (p[0], I32, -4) for p in pairs], tensors)
    yield "empty", head(0, 0)
    yield "version-1", head(0, 0, 1)
    yield "big-endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0)
    yield "other-magic", head(0, 0, magic=b"GGML")
    yield "every-type", whole(every, [f32])
    yield "nested-arrays", whole([nested], [])
    yield "nested-too-deep", whole([("n", ARRAY, deep)], [])
    yield "type-13", head(0, 1) + text("k") + struct.pack("<IQ", 13, 0)
    yield "duplicate-key", whole([("k", U8, 1), ("k", U8, 1)], [])
    yield "duplicate-tensor", whole([], [f32, f32])
    yield "overlapping-tensors", head(2, 0) + entry("a", [16], 0, 0) + entry("b", [16], 0, 32) + b"\0" * 160
    yield "misaligned-tensor", head(1, 0) + entry("a", [8], 0, 4) + b"\0" * 128
    yield "tensor-past-the-end", head(1, 0) + entry("a", [8], 0, HUGE) + b"\0" * 64
    yield "tensor-wraps-around", head(1, 0) + entry("a", [8], 0, (1 << 64) - 32) + b"\0" * 64
    yield "zero-dimension", head(1, 0) + entry("a", [8, 0], 0, 0) + b"\0" * 64
    yield "huge-dimensions", head(1, 0) + entry("a", [HUGE, HUGE, 16], 0, 0) + b"\0" * 64
    yield "rank-5", head(1, 0) + entry("a", [1, 1, 1, 1, 1], 0, 0) + b"\0" * 64
    yield "unknown-tensor-type", head(1, 0) + entry("a", [32], 99, 0) + b"\0" * 64
    yield "ragged-row", head(1, 0) + entry("a", [31], TYPE_Q8_0, 0) + b"\0" * 64
    yield "quantized", whole([], [("q", [32, 2], TYPE_Q8_0, b"\1" * 68), ("h", [3], TYPE_F16, b"\0" * 6)])
    yield "nameless-tensor", head(1, 0) + entry("", [8], 0, 0) + b"\0" * 64
    yield "alignment-64", whole([("general.alignment", U32, 64)], [f32, ("u", [1], 0, b"\0" * 4)], alignment=64)
    yield "alignment-3", whole([("general.alignment", U32, 3)], [f32])
    yield "claims-tensors", head(HUGE, 0) + b"\0" * 64
    yield "claims-keys", head(0, HUGE) + b"\0" * 64
    yield "claims-text", head(0, 1) + text("k") + struct.pack("<IQ", STRING, HUGE) + b"\0" * 64
    yield "claims-strings", head(0, 1) + text("k") + struct.pack("<IIQ", ARRAY, STRING, HUGE) + b"\0" * 64
    yield "claims-numbers", head(0, 1) + text("k") + struct.pack("<IIQ", ARRAY, U64, HUGE) + b"\0" * 64
    yield "claims-arrays", head(0, 1) + text("k") + struct.pack("<IIQ", ARRAY, ARRAY, HUGE) + b"\0" * 64


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds():
        assert len(content) < 2048, (name, len(content))
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
