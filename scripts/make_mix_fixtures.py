#!/usr/bin/env python3
"""Write tests/data/quantize/mixes.json: which format llama.cpp's quantize gives each tensor, by mix.

The truth is `llama-quantize --dry-run` on small files of zeros. Run by hand; the file is checked in,
so building and testing never needs Python or llama.cpp.

    pip install gguf numpy
    python scripts/make_mix_fixtures.py --quantize llama.cpp/build/bin/llama-quantize

A model: its metadata, the tensors [name, shape fastest first], whether there was an importance
matrix, and for each mix the formats of the matrices in the order of the tensors, a number before one
that follows so many times: "2Q4_K Q6_K".
"""

import argparse
import itertools
import json
import re
import subprocess
import tempfile
from pathlib import Path

import gguf
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MIXES = ("F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K "
         "IQ4_NL IQ4_XS TQ1_0 TQ2_0 MXFP4_MOE IQ3_M IQ3_S IQ3_XS IQ3_XXS IQ2_M IQ2_S IQ2_XS IQ2_XXS IQ1_M "
         "IQ1_S Q2_0 Q1_0").split()


def model(arch, layers, heads, kv_heads, dim, hidden, tied=False, experts=0, importance=False):
    metadata = {
        "general.architecture": arch, f"{arch}.block_count": layers, f"{arch}.context_length": 128,
        f"{arch}.embedding_length": dim, f"{arch}.feed_forward_length": hidden,
        f"{arch}.attention.head_count": heads, f"{arch}.attention.head_count_kv": kv_heads,
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-5,
    }
    if experts:
        metadata |= {f"{arch}.expert_count": experts, f"{arch}.expert_used_count": 2}
    tensors = [["token_embd.weight", [dim, 8]], ["output_norm.weight", [dim]]]
    if not tied:
        tensors.append(["output.weight", [dim, 8]])
    for i in range(layers):
        tensors += [[f"blk.{i}.attn_norm.weight", [dim]], [f"blk.{i}.attn_q.weight", [dim, 8]],
                    [f"blk.{i}.attn_k.weight", [dim, 8]], [f"blk.{i}.attn_v.weight", [dim, 8]],
                    [f"blk.{i}.attn_output.weight", [dim, 8]], [f"blk.{i}.ffn_norm.weight", [dim]]]
        if experts:
            tensors += [[f"blk.{i}.ffn_gate_inp.weight", [dim, experts]],
                        [f"blk.{i}.ffn_gate_exps.weight", [dim, 8, experts]],
                        [f"blk.{i}.ffn_up_exps.weight", [dim, 8, experts]],
                        [f"blk.{i}.ffn_down_exps.weight", [hidden, 8, experts]]]
        else:
            tensors += [[f"blk.{i}.ffn_gate.weight", [dim, 8]], [f"blk.{i}.ffn_up.weight", [dim, 8]],
                        [f"blk.{i}.ffn_down.weight", [hidden, 8]]]
    return {"metadata": metadata, "tensors": tensors, "importance": importance, "formats": {}}


MODELS = {
    "grouped": model("llama", 22, 32, 4, 256, 512),
    "grouped, with importance": model("llama", 22, 32, 4, 256, 512, importance=True),
    "tied": model("qwen3", 28, 16, 8, 256, 768, tied=True),
    "rows that fit nothing large": model("llama", 6, 4, 2, 96, 80),
    "eight experts": model("llama", 9, 32, 8, 256, 512, experts=8),
    "eighty layers": model("llama", 80, 64, 8, 256, 512),
    "eighty layers, with importance": model("llama", 80, 64, 8, 256, 512, importance=True),
    "eight experts, with importance": model("llama", 16, 32, 16, 256, 512, experts=8, importance=True),
    "two query heads a key": model("llama", 24, 32, 16, 256, 512, importance=True),
}


def write_model(path, description):
    writer = gguf.GGUFWriter(path, description["metadata"]["general.architecture"])
    for key, value in description["metadata"].items():
        if isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
    for name, shape in description["tensors"]:
        writer.add_tensor(name, np.zeros(shape[::-1], np.float16 if len(shape) > 1 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_importance(path, description):
    writer = gguf.GGUFWriter(path, "imatrix")
    writer.add_string("general.type", "imatrix")
    writer.add_array("imatrix.datasets", ["text"])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", 512)
    for name, shape in description["tensors"]:
        if len(shape) > 1:
            writer.add_tensor(name + ".in_sum2", np.ones((shape[2] if len(shape) > 2 else 1, shape[0]), np.float32))
            writer.add_tensor(name + ".counts", np.ones((shape[2] if len(shape) > 2 else 1, 1), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", required=True)
    quantize = parser.parse_args().quantize
    with tempfile.TemporaryDirectory() as folder:
        for description in MODELS.values():
            source, importance = f"{folder}/model.gguf", f"{folder}/imatrix.gguf"
            write_model(source, description)
            extra = []
            if description["importance"]:
                write_importance(importance, description)
                extra = ["--imatrix", importance]
            for mix in MIXES:
                if mix == "Q1_0" and description["tensors"][0][1][0] % 128:
                    continue  # llama.cpp has nothing to fall back to
                run = subprocess.run([quantize, "--dry-run", *extra, source, f"{folder}/out.gguf", mix], text=True,
                                     capture_output=True, check=True)
                given = {}
                for line in (run.stdout + run.stderr).splitlines():
                    found = re.match(r"\[ *\d+/ *\d+\] (\S+) +- \[.*\], type = +(\w+), +size = .*?(?:\((\w+)\))?$", line)
                    if found:
                        given[found[1]] = (found[3] or found[2]).upper()
                formats = [given[name] for name, shape in description["tensors"] if len(shape) > 1]
                runs = [(format, len(list(group))) for format, group in itertools.groupby(formats)]
                description["formats"][mix] = " ".join(f"{n if n > 1 else ''}{format}" for format, n in runs)
    folder = ROOT / "tests" / "data" / "quantize"
    folder.mkdir(exist_ok=True)
    (folder / "mixes.json").write_text(json.dumps(MODELS, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
