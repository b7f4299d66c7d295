#!/usr/bin/env python3
"""Write tests/data/convert/<name>/ and <name>.json: tiny Hugging Face folders, and what a conversion must give.

The folders are saved by transformers, tokenizers, sentencepiece and safetensors, with random weights. The truth is what
llama.cpp's own converter makes of them, not our own code; for AWQ, which it doesn't read, the packing's definition in
numpy. Run by hand; the results are checked in. Seeds are fixed.

    pip install torch transformers sentencepiece tokenizers safetensors numpy pyyaml
    python scripts/make_convert_fixtures.py --llama-cpp DIR [NAME...]

DIR is an unpacked llama.cpp. Without names all folders are made:

    Tiny-Llama-0.1M-Chat   F16, tokenizer.model, added tokens, README.md, generation_config.json
    tiny-llama3            BF16 in two parts, byte-level BPE as in Llama 3, llama3 scaling, tied embeddings
    tiny-mistral           F32, tokenizer.json with tokens of bytes, no tokenizer.model
    tiny-qwen2             BF16, biases, YaRN
    tiny-qwen3             BF16, several chat templates, head size unequal to hidden / heads
    tiny-qwen3-fp8         FP8 in blocks
    tiny-llama-gptq        GPTQ: symmetric, asymmetric and act-order matrices
    tiny-qwen2-awq         AWQ

Keys of the JSON files:

    options   what kern convert is given
    keys      {name: [type, value]}, or [type, elements, hash] for an array
    tensors   {name: [type, shape, hash]}, fastest dimension first
    file      the name that the converter gave the file
    texts     [[text, ids]...] by the folder's own tokenizer, no specials added or parsed

special.json holds what gguf-py's SpecialVocab reads from small files: [{files, keys}...], keys as above.
names.json holds what gguf-py makes of names and sizes: {"names": [[id, weights, parts...]...], "titles": [[id, title]...],
"sizes": [[weights, label]...]}.

With `--corpora` it writes what fuzzing begins with instead: tests/data/{folder,safetensors,sentencepiece}/corpus.

Hashes are 64-bit FNV-1a of the bytes as they stand in the file, in hexadecimal.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import sentencepiece
import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM,
                          Qwen3Config, Qwen3ForCausalLM)

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "tests" / "data" / "convert"
TEXT = ["The miller's daughter counted the trees in the garden: 27 apple trees, 3 pear trees and a cherry tree.",
        "Once upon a time there was a fox who lived under the hill, and the fox had three small foxes.",
        "It's raining, they're staying in; we'll see what we've got. 1234 and 56789, said the baker's son."] * 4

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SIZES = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=256, rms_norm_eps=1e-5)


def fnv(data):
    h = 0xCBF29CE484222325
    for b in bytes(data):
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


# ---- tokenizers ----
def byte_level(pattern, size, specials, ignore_merges=False, post=None, normalizer=None):
    tok = tokenizers.Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tok.normalizer = normalizer
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size - len(specials), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    tok.train_from_iterator(TEXT, trainer)
    tok.add_special_tokens([tokenizers.AddedToken(s, special=True, normalized=False) for s in specials])
    tok.add_tokens([tokenizers.AddedToken("<tool>", special=False, normalized=False)])
    tok.post_processor = post(tok) if post else processors.ByteLevel(trim_offsets=False)
    return tok


def begin_with(token):
    return lambda tok: processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token}:1 $B:1",
                                      special_tokens=[(token, tok.token_to_id(token))])])


def piece_json(path):
    """tokenizer.json as it is made from a sentencepiece model of byte-pair encoding."""
    proc = sentencepiece.SentencePieceProcessor(model_file=str(path))
    vocab = {proc.id_to_piece(i): i for i in range(proc.get_piece_size())}
    merges = []
    for piece, i in vocab.items():
        for cut in range(1, len(piece)):
            if proc.is_byte(i) or proc.is_control(i) or proc.is_unknown(i):
                continue
            left, right = piece[:cut], piece[cut:]
            if left in vocab and right in vocab:
                merges.append((-proc.get_score(i), vocab[left], vocab[right], left, right))
    merges = [(m[3], m[4]) for m in sorted(merges)]
    tok = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                     decoders.Strip(" ", 1, 0)])
    tok.add_special_tokens([tokenizers.AddedToken(s, special=True, normalized=False) for s in ("<unk>", "<s>", "</s>")])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return tok


def sentencepiece_model(folder, size):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT), model_prefix=str(folder / "tokenizer"), vocab_size=size, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, hard_vocab_limit=False,
        minloglevel=2)
    os.remove(folder / "tokenizer.vocab")
    return folder / "tokenizer.model"


def put_json(folder, name, value):
    (folder / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def put_tokenizer(folder, tok):
    put_json(folder, "tokenizer.json", json.loads(tok.to_str()))


# ---- models ----
def put_model(folder, cls, config, dtype, seed, parts=1):
    torch.manual_seed(seed)
    model = cls(config).to(dtype)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn_like(p, dtype=torch.float32) * (0.05 if p.ndim > 1 else 0.2) + (1 if "norm" in name else 0))
    model.save_pretrained(folder, max_shard_size="40KB" if parts > 1 else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    return {k: v.clone() for k, v in model.state_dict().items()}


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    config.update(changes)
    put_json(folder, "config.json", {k: v for k, v in config.items() if v is not ...})


def tiny_llama(folder):
    path = sentencepiece_model(folder, 340)
    size = sentencepiece.SentencePieceProcessor(model_file=str(path)).get_piece_size()
    config = LlamaConfig(**SIZES, vocab_size=size + 6, tie_word_embeddings=False, pad_token_id=size, eos_token_id=2, bos_token_id=1,
                         attention_bias=True)
    put_model(folder, LlamaForCausalLM, config, torch.float16, 1)
    edit_config(folder, rope_parameters=..., rope_theta=10000.0, rope_scaling=None)
    put_json(folder, "added_tokens.json", {"<pad>": size, "<|user|>": size + 1, "very▁long": size + 2})
    put_json(folder, "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "bos_token": {"__type": "AddedToken", "content": "<s>"}, "eos_token": "</s>",
        "unk_token": "<unk>", "pad_token": "<pad>", "tokenizer_class": "LlamaTokenizer", "add_prefix_space": True,
        "added_tokens_decoder": {str(size + 1): {"content": "<|user|>", "special": False},
                                 str(size + 2): {"content": "very▁long", "special": False}},
        "chat_template": "{% for m in messages %}<|user|>{{ m['content'] }}{{ eos_token }}{% endfor %}"})
    put_json(folder, "generation_config.json", {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "repetition_penalty": 1.1, "do_sample": True})
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage:\n- en\n- de\ntags: [tiny, test]\npipeline_tag: text-generation\n"
                                      "base_model: someone/Other-Model-1B-v1.1\n---\n# A model for tests\n")


def tiny_llama3(folder):
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
    tok = byte_level(LLAMA3, 300, specials, True, begin_with("<|begin_of_text|>"))
    config = LlamaConfig(**{**SIZES, "head_dim": 16, "max_position_embeddings": 131072}, vocab_size=tok.get_vocab_size() + 3,
                         tie_word_embeddings=True, bos_token_id=tok.token_to_id("<|begin_of_text|>"),
                         eos_token_id=[tok.token_to_id("<|end_of_text|>"), tok.token_to_id("<|eot_id|>")],
                         rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0,
                                              high_freq_factor=4.0, original_max_position_embeddings=8192))
    put_model(folder, LlamaForCausalLM, config, torch.bfloat16, 2, parts=2)
    put_tokenizer(folder, tok)
    put_json(folder, "tokenizer_config.json", {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>",
                                               "tokenizer_class": "PreTrainedTokenizerFast"})
    (folder / "chat_template.jinja").write_text("{{ bos_token }}{% for m in messages %}{{ m['content'] }}<|eot_id|>{% endfor %}")


def tiny_mistral(folder):
    path = sentencepiece_model(folder, 330)
    tok = piece_json(path)
    os.remove(path)
    config = MistralConfig(**SIZES, vocab_size=tok.get_vocab_size(), tie_word_embeddings=False, sliding_window=None, head_dim=8)
    put_model(folder, MistralForCausalLM, config, torch.float32, 3)
    put_tokenizer(folder, tok)
    put_json(folder, "tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True,
                                               "tokenizer_class": "PreTrainedTokenizerFast"})


def qwen_tokenizer(folder, size, templates):
    tok = byte_level(QWEN2, size, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizer=normalizers.NFC())
    put_tokenizer(folder, tok)
    put_json(folder, "tokenizer_config.json", {"add_bos_token": False, "bos_token": None, "eos_token": "<|im_end|>",
                                               "pad_token": "<|endoftext|>", "unk_token": None, "tokenizer_class": "Qwen2Tokenizer",
                                               **templates})
    return tok


CHATML = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def tiny_qwen2(folder):
    tok = qwen_tokenizer(folder, 290, {"chat_template": CHATML})
    config = Qwen2Config(**SIZES, vocab_size=tok.get_vocab_size() + 9, tie_word_embeddings=False, use_sliding_window=False,
                         bos_token_id=tok.token_to_id("<|endoftext|>"), eos_token_id=tok.token_to_id("<|im_end|>"))
    put_model(folder, Qwen2ForCausalLM, config, torch.bfloat16, 4)
    edit_config(folder, rope_parameters=..., rope_theta=1000000.0,
                rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=64, beta_fast=32.0))


def tiny_qwen3(folder, seed=5, **sizes):
    tok = qwen_tokenizer(folder, 290, {"chat_template": [{"name": "default", "template": CHATML},
                                                         {"name": "tool-use", "template": "{{ tools }}" + CHATML}]})
    config = Qwen3Config(**{**SIZES, "head_dim": 16, **sizes}, vocab_size=tok.get_vocab_size(), tie_word_embeddings=True,
                         bos_token_id=tok.token_to_id("<|endoftext|>"), eos_token_id=tok.token_to_id("<|im_end|>"))
    return put_model(folder, Qwen3ForCausalLM, config, torch.bfloat16, seed)


def tiny_qwen3_fp8(folder):
    weights = tiny_qwen3(folder, 6, intermediate_size=80)
    rows, columns = block = [16, 32]
    out = {}
    for name, w in weights.items():
        if "lm_head" in name:
            continue
        if "_proj.weight" not in name:
            out[name] = w.contiguous()
            continue
        r, c = w.shape
        scale = torch.zeros((r + rows - 1) // rows, (c + columns - 1) // columns)
        packed = torch.zeros(r, c, dtype=torch.float8_e4m3fn)
        for i in range(scale.shape[0]):
            for j in range(scale.shape[1]):
                part = w[i * rows:(i + 1) * rows, j * columns:(j + 1) * columns].float()
                scale[i, j] = part.abs().max() / 448
                packed[i * rows:(i + 1) * rows, j * columns:(j + 1) * columns] = (part / scale[i, j]).to(torch.float8_e4m3fn)
        out[name], out[name + "_scale_inv"] = packed, scale
    save_file(out, folder / "model.safetensors", metadata={"format": "pt"})
    edit_config(folder, quantization_config=dict(quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=block))


def pack_words(codes, axis, order=range(8)):
    """Eight 4-bit codes along an axis to an int32."""
    codes = np.moveaxis(codes.astype(np.uint32), axis, -1)
    codes = codes.reshape(*codes.shape[:-1], -1, 8)
    words = np.zeros(codes.shape[:-1], dtype=np.uint32)
    for i, o in enumerate(order):
        words |= codes[..., o] << np.uint32(4 * i)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(words, -1, axis)).view(np.int32))


def random_packed(rng, rows, columns, group, symmetric):
    groups = columns // group
    return (rng.integers(0, 16, (columns, rows)), np.full((groups, rows), 8) if symmetric else rng.integers(1, 16, (groups, rows)),
            (rng.random((groups, rows)) * 0.01 + 0.005).astype(np.float16))


def repack(folder, weights, pack):
    rng = np.random.default_rng(7)
    out = {}
    for name, w in weights.items():
        if name.endswith("_proj.weight"):
            out.update(pack(rng, name.removesuffix("weight"), *w.shape))
        else:
            out[name] = w.to(torch.float16).contiguous()
    save_file(out, folder / "model.safetensors", metadata={"format": "pt"})


def tiny_llama_gptq(folder):
    specials = ["<|begin_of_text|>", "<|end_of_text|>"]
    tok = byte_level(LLAMA3, 290, specials, True, begin_with("<|begin_of_text|>"))
    config = LlamaConfig(**{**SIZES, "hidden_size": 64, "head_dim": 16, "num_hidden_layers": 1}, vocab_size=tok.get_vocab_size(),
                         tie_word_embeddings=False)
    weights = put_model(folder, LlamaForCausalLM, config, torch.float16, 8)
    put_tokenizer(folder, tok)
    put_json(folder, "tokenizer_config.json", {"bos_token": specials[0], "eos_token": specials[1]})

    def pack(rng, base, rows, columns):
        symmetric = any(n in base for n in ("q_proj", "k_proj", "down_proj"))
        codes, zeros, scales = random_packed(rng, rows, columns, 32, symmetric)
        groups = np.arange(columns) // 32
        if "gate_proj" in base or "o_proj" in base:
            groups = rng.permutation(groups)
        return {base + "qweight": pack_words(codes, 0), base + "qzeros": pack_words(zeros - 1, 1),
                base + "scales": torch.from_numpy(scales), base + "g_idx": torch.from_numpy(groups.astype(np.int32))}

    repack(folder, weights, pack)
    edit_config(folder, dtype="float16", quantization_config=dict(quant_method="gptq", bits=4, group_size=32, desc_act=True, sym=False,
                                                                  checkpoint_format="gptq"))


def tiny_qwen2_awq(folder):
    tok = qwen_tokenizer(folder, 290, {"chat_template": CHATML})
    config = Qwen2Config(**{**SIZES, "hidden_size": 64, "num_hidden_layers": 1}, vocab_size=tok.get_vocab_size(), tie_word_embeddings=True)
    weights = put_model(folder, Qwen2ForCausalLM, config, torch.float16, 9)
    weights.pop("lm_head.weight", None)
    plain = {}

    def pack(rng, base, rows, columns):
        codes, zeros, scales = random_packed(rng, rows, columns, 32, "up_proj" in base)
        if "down_proj" in base:
            zeros = np.where(rng.integers(0, 2, zeros.shape) == 1, 8, 4)  # powers of two: Q4_1 holds them exactly
        spread = np.repeat(scales.astype(np.float32), 32, 0), np.repeat(zeros, 32, 0)
        plain[base + "weight"] = torch.from_numpy(((codes - spread[1]).astype(np.float32) * spread[0]).T.copy())
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        return {base + "qweight": pack_words(codes, 1, order), base + "qzeros": pack_words(zeros, 1, order),
                base + "scales": torch.from_numpy(scales)}

    repack(folder, weights, pack)
    edit_config(folder, dtype="float16", quantization_config=dict(quant_method="awq", bits=4, group_size=32, version="gemm", zero_point=True))
    return plain


SENTENCES = TEXT[:3] + ["The fox's den: 12345 berries!!\n\n  (and 7 more...)", "Füchse jagen 狐狸 🦊 nachts.", " leading  spaces\ttabs\r\n"]


def encode_texts(folder):
    if (folder / "tokenizer.model").exists():
        proc = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        return [[t, proc.encode(t)] for t in SENTENCES]
    tok = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [[t, tok.encode(t, add_special_tokens=False).ids] for t in SENTENCES]


def special_cases():
    """Files that name special tokens in many ways."""
    import gguf

    added = [dict(id=i, content=t, special=True) for i, t in enumerate(["<unk>", "<s>", "</s>", "<|eot|>", "<pad>", "<sep>", "<cls>"])]
    part = lambda t: dict(Sequence=dict(id=t, type_id=0)) if t in "AB" else dict(SpecialToken=dict(id=t, type_id=0))
    template = lambda single, pair=(): dict(type="TemplateProcessing", single=[part(t) for t in single], pair=[part(t) for t in pair])
    byte_level, config = dict(type="ByteLevel"), dict(bos_token_id=1, eos_token_id=2)
    sequence = lambda *steps: dict(type="Sequence", processors=list(steps))
    s = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
    cases = [
        (dict(post_processor=byte_level), s, config),
        (dict(post_processor=template(["<s>", "A"], ["<s>", "A", "<s>", "B"])), s, config),
        (dict(post_processor=sequence(byte_level, template(["<s>", "A", "</s>"], ["<s>", "A", "</s>", "B", "</s>"]))), s, config),
        (dict(post_processor=template(["A", "<|eot|>"])), s, config),
        (dict(post_processor=template(["<cls>", "A", "<sep>"], ["<cls>", "A", "<sep>", "B", "<sep>"])),
         dict(cls_token="<cls>", sep_token="<sep>", pad_token="<pad>", unk_token="<unk>"), {}),
        (dict(post_processor=template(["<s>", "A"])), None, config),
        (dict(post_processor=template(["A"])), dict(s, add_bos_token=True, add_eos_token=False), config),
        (dict(), dict(s, add_bos_token=True, add_eos_token=True, mask_token="<none>"), dict(bos_token_id=3, eos_token_id=[2, 3], pad_token_id=4)),
        (dict(post_processor=byte_level), dict(s, add_bos_token=True), dict(pad_token_id=None, sep_token_id=5)),
        (dict(post_processor=template(["<s>", "A"], ["<s>", "A", "<sep>", "B"])), dict(s, sep_token="<sep>"), {}),
        (dict(post_processor=template(["<s>", "A"], ["A", "<sep>", "</s>", "B"])), s, {}),
        (dict(post_processor=template(["<unk>", "A"])), s, config),
        (None, dict(s, add_bos_token=True, chat_template="{{ x }}"), config),
        (dict(), dict(s, chat_template=[dict(name="default", template="d"), dict(name="rag!", template="r")]), {}),
    ]
    out = []
    for tokenizer, tokenizer_config, model in cases:
        files = {"config.json": model}
        if tokenizer is not None:
            files["tokenizer.json"] = dict(tokenizer, added_tokens=added)
        if tokenizer_config is not None:
            files["tokenizer_config.json"] = tokenizer_config
        with tempfile.TemporaryDirectory() as place:
            for name, value in files.items():
                put_json(pathlib.Path(place), name, value)
            writer = gguf.GGUFWriter(pathlib.Path(place) / "o.gguf", "llama")
            gguf.SpecialVocab(place, n_vocab=7).add_to_gguf(writer, quiet=True)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.close()
            keys, _ = read_gguf(gguf, pathlib.Path(place) / "o.gguf")
            keys.pop("general.architecture")
            out.append({"files": files, "keys": keys})
    return out


def name_cases():
    import gguf

    ids = [("meta-llama/Llama-3.2-1B-Instruct", 1235814400), ("Qwen/Qwen2.5-0.5B", 494032768), ("Qwen3-8B-FP8", 8190735360),
           ("mistralai/Mistral-7B-Instruct-v0.3", 7248023552), ("TinyLlama-1.1B-Chat-v1.0", 1100048384), ("model", 1000),
           ("Qwen2.5-7B-Instruct-1M", 7615616512), ("Llama-3-8B-Instruct-262k", 8030261248), ("bigscience/bloom-7b1", 7069016064),
           ("gpt2-xl", 1557611200), ("Phi-3-mini-4k-instruct", 3821079552), ("NousResearch/Hermes-2-Pro-Llama-3-8B", 8030261248),
           ("SmolLM2-135M", 134515008), ("c4ai-command-r-v01", 34980831232), ("Mixtral-8x7B-v0.1", 46702792704), ("a-b-c", 0),
           ("some model with words", 10), ("./local", 5), ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1777088000), ("v1.5-mini-large", 7),
           ("OLMo-2-1124-7B", 7298617344), ("granite-3.1-2b-instruct", 2533531648), ("tiny--double-dash-7B", 7000000000), ("Falcon3-1B-Base", 1669408768),
           ("stories15M_110M", 15191712), ("model-q4_0", 100), ("x-lora-vision-chat", 100), ("Ünïcode-3B", 3000000000)]
    sizes = [0, 1, 94, 999, 1000, 9999, 10000, 999999, 1000001, 1235814400, 7248023552, 999999999, 10**12, 1500000000000, 134515008, 9500, 99500000]
    return {"names": [[i, n, *gguf.Metadata.get_model_id_components(i, n)] for i, n in ids],
            "titles": [[i.split("/")[-1], gguf.Metadata.id_to_title(i.split("/")[-1])] for i, _ in ids],
            "sizes": [[n, gguf.size_label(n, n, 0, 0)] for n in sizes]}


MODELS = {
    "Tiny-Llama-0.1M-Chat": (tiny_llama, None),
    "tiny-llama3": (tiny_llama3, "llama-bpe"),
    "tiny-mistral": (tiny_mistral, None),
    "tiny-qwen2": (tiny_qwen2, "qwen2"),
    "tiny-qwen3": (tiny_qwen3, "qwen2"),
    "tiny-qwen3-fp8": (tiny_qwen3_fp8, "qwen2"),
    "tiny-llama-gptq": (tiny_llama_gptq, "llama-bpe"),
    "tiny-qwen2-awq": (tiny_qwen2_awq, "qwen2"),
}


# ---- what llama.cpp makes of them ----
def read_gguf(gguf, path):
    reader = gguf.GGUFReader(path)
    keys, tensors = {}, {}
    for name, field in reader.fields.items():
        if name.startswith("GGUF."):
            continue
        kind = field.types[0].name
        if kind == "ARRAY":
            inner = field.types[1].name
            if inner == "STRING":
                parts = [bytes(field.parts[i]) for i in field.data]
                data = b"".join(len(p).to_bytes(8, "little") + p for p in parts)
            else:
                data = b"".join(bytes(field.parts[i]) for i in field.data)
            keys[name] = [f"{inner}[]", len(field.data), fnv(data)]
        else:
            value = field.contents()
            keys[name] = [kind, float(np.float32(value)) if kind == "FLOAT32" else value]
    for t in reader.tensors:
        tensors[t.name] = [t.tensor_type.name, [int(n) for n in t.shape], fnv(t.data.tobytes())]
    return keys, tensors


def convert(folder, pre, outtype):
    import convert_hf_to_gguf as converter
    import gguf
    from conversion.base import TextModel

    TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    with tempfile.TemporaryDirectory() as place:
        work = pathlib.Path(place) / folder.name
        shutil.copytree(folder, work)
        sys.argv = ["convert_hf_to_gguf.py", str(work), "--outtype", outtype]
        converter.main()
        path, = work.glob("*.gguf")
        keys, tensors = read_gguf(gguf, path)
        return {"options": ["--outtype", outtype], "file": path.name, "keys": dict(sorted(keys.items())),
                "tensors": dict(sorted(tensors.items()))}


def convert_awq(folder, plain, pre):
    """The same folder with its matrices unpacked, converted: llama.cpp doesn't read AWQ."""
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as place:
        work = pathlib.Path(place) / folder.name
        shutil.copytree(folder, work)
        weights = {k: v for k, v in load_file(folder / "model.safetensors").items() if not k.endswith(("qweight", "qzeros", "scales"))}
        save_file({**weights, **plain}, work / "model.safetensors", metadata={"format": "pt"})
        edit_config(work, quantization_config=...)
        return convert(work, pre, "f32")


# ---- what fuzzing begins with ----
def safetensors_bytes(tensors):
    """tensors: {name: (type, shape, bytes)}"""
    header, data = {}, b""
    for name, (kind, shape, raw) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text + data


def write_corpora():
    def put(target, name, data):
        folder = HERE.parent / "tests" / "data" / target / "corpus"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    half = np.float16(1.5).tobytes()
    put("safetensors", "numbers", safetensors_bytes({"__metadata__": ("F32", [1], b"abcd"), "a": ("F32", [1, 2], b"12345678"),
                                                      "b": ("BF16", [2], b"1234"), "c": ("I64", [], b"12345678")}))
    put("safetensors", "fp8", safetensors_bytes({"w": ("F8_E4M3", [2, 4], b"12345678"), "w_scale": ("F32", [1, 2], b"\0\0\x80?" * 2)}))
    put("safetensors", "gptq", safetensors_bytes({"q": ("I32", [4, 8], b"\x12\x34\x56\x78" * 32), "z": ("I32", [1, 1], b"\x77" * 4),
                                                  "s": ("F16", [1, 8], half * 8), "g": ("I32", [32], b"\0" * 128)}))
    put("safetensors", "awq", safetensors_bytes({"q": ("I32", [8, 1], b"\x12\x34\x56\x78" * 8), "z": ("I32", [1, 1], b"\x88" * 4),
                                                 "s": ("F16", [1, 8], half * 8)}))
    put("safetensors", "overlap", safetensors_bytes({"a": ("U8", [4], b"1234"), "b": ("U8", [0], b"")}).replace(b"[4,4]", b"[2,2]"))
    with tempfile.TemporaryDirectory() as place:
        whole = sentencepiece_model(pathlib.Path(place), 300).read_bytes()
    put("sentencepiece", "whole", whole[:300] + whole[-150:])
    put("sentencepiece", "one", b"\x0a\x0a\x0a\x03\xe2\x96\x81\x15\x00\x00\x80\xbf")

    tokens = {**{c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, "ab": 256}
    config = dict(architectures=["LlamaForCausalLM"], hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
                  num_key_value_heads=1, vocab_size=260, rope_scaling=dict(type="llama3", factor=8.0), _name_or_path="a/B-1B-v1")
    small = {c: i for c, i in list(tokens.items())[60:80]}
    steps = [dict(type="Split", pattern=dict(Regex=QWEN2), behavior="Isolated", invert=False),
             dict(type="ByteLevel", add_prefix_space=False, use_regex=False)]
    qwen = dict(added_tokens=[dict(id=257, content="<|im_end|>", special=True)], normalizer=dict(type="NFC"),
                pre_tokenizer=dict(type="Sequence", pretokenizers=steps), post_processor=dict(type="ByteLevel"),
                decoder=dict(type="ByteLevel"), model=dict(type="BPE", vocab=small, merges=["a b", ["b", "a"]]))
    pieces = dict(added_tokens=[dict(id=1, content="<s>", special=True)], normalizer=dict(type="Prepend", prepend="\u2581"),
                  post_processor=dict(type="TemplateProcessing", single=[dict(SpecialToken=dict(id="<s>")), dict(Sequence=dict(id="A"))],
                                      pair=[dict(Sequence=dict(id="A")), dict(SpecialToken=dict(id="</s>")), dict(Sequence=dict(id="B"))]),
                  decoder=dict(type="Sequence"),
                  model=dict(type="BPE", byte_fallback=True, vocab={"<unk>": 0, "<s>": 1, "a": 2, "b": 3, "ab": 4, "<0x00>": 5},
                             merges=[["a", "b"]]))
    special = dict(bos_token="<s>", eos_token=dict(content="<|im_end|>"), add_bos_token=True, chat_template=[dict(name="x y", template="t")],
                   added_tokens_decoder={"258": dict(content="<pad>", special=False)})
    card = "---\nlicense: mit\ntags: [a, 'b']\nbase_model:\n- x/Y-7B\n- https://huggingface.co/x/z\n---\n"

    def fields(**files):
        texts = [k.encode() + (v if isinstance(v, bytes) else (v if isinstance(v, str) else json.dumps(v, separators=(",", ":"))).encode())
                 for k, v in files.items()]
        return b"\x1e".join(texts)

    qwen_config = {**config, "architectures": ["Qwen2ForCausalLM"], "rope_scaling": dict(type="yarn", factor=2.0)}
    put("folder", "qwen", fields(c=qwen_config, t=qwen, k=special, r=card))
    put("folder", "pieces", fields(c=config, t=pieces, k=special, g=dict(top_k=3, temperature=0.5), j="{{ x }}"))
    put("folder", "model", fields(c=config, m=b"\x0a\x08\x0a\x01a\x15\x00\x00\x80\xbf\x12\x02\x18\x02", a={"<x>": 3}, k=special))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--llama-cpp", type=pathlib.Path)
    p.add_argument("--corpora", action="store_true")
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    if args.corpora:
        return write_corpora()
    if not args.llama_cpp:
        p.error("--llama-cpp DIR is missing")
    sys.path[:0] = [str(args.llama_cpp), str(args.llama_cpp / "gguf-py")]
    (OUT / "special.json").write_text(json.dumps(special_cases(), ensure_ascii=False) + "\n", encoding="utf-8")
    (OUT / "names.json").write_text(json.dumps(name_cases(), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    for name in args.names or MODELS:
        make, pre = MODELS[name]
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        plain = make(folder)
        packed = name.endswith(("-gptq", "-fp8"))
        result = convert_awq(folder, plain, pre) if name.endswith("-awq") else convert(folder, pre, "f32" if packed else "auto")
        result["texts"] = encode_texts(folder)
        (OUT / (name + ".json")).write_text(json.dumps(result, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
        print(name, sum(f.stat().st_size for f in folder.rglob("*")), "bytes,", len(result["tensors"]), "tensors")


if __name__ == "__main__":
    main()
