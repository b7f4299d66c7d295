#!/usr/bin/env python3
"""Write tests/data/models/<name>.gguf and .json: tiny random models and what they must compute.

The truth is not our own code: the models run in transformers (float32, eager attention), the files
are written by llama.cpp's own converter and quantizer, and llama.cpp runs them once more. Run by hand;
the results are checked in, so building and testing never needs Python. Seeds are fixed.

    pip install torch transformers sentencepiece tokenizers safetensors numpy
    python scripts/make_model_fixtures.py --llama-cpp DIR [NAME...]

DIR is an unpacked llama.cpp with shared libraries and llama-quantize built in DIR/build. Without
names all models are made:

    llama-rope3   llama, grouped heads, llama3 rope scaling (rope_freqs.weight), untied
    llama-tied    llama, tied embeddings, linear rope scaling, head size unequal to hidden / heads,
                  row lengths that are no multiple of 16
    qwen2         biases, tied embeddings, YaRN: factor 4 over 64 original positions
    qwen3         q/k norms, explicit head size, more rows in the vocabulary than tokens
    wide-<TYPE>   llama quantized by llama-quantize; its reference runs on the dequantized weights

Keys of the JSON files (floats are float32 with 9 significant digits):

    seed, versions             what made the file
    prompt_text, prompt_tokens the prompt and its ids, BOS included where the model wants it
    logits                     transformers: after the last prompt token, one for each id
    max_abs_logit              the largest |logit| met on the prompt's last position and the greedy path
    mean_nll                   mean of -ln p(token i | tokens before) over prompt tokens 1...
    greedy_tokens              the next 32 ids by argmax; never a control or unused token
    greedy_bytes               hex of the bytes these ids stand for, in order
    min_margin                 smallest gap between first and second logit on that path; at least
                               1 % of max_abs_logit, or the next seed is tried
    llama_cpp_logits           llama.cpp: the same as logits, f32 KV cache, no flash attention
    agreement                  max |logits - llama_cpp_logits| / max |logits|; at most 1e-4, or this fails
    quantized_error            wide only: the same figure for llama.cpp on the quantized file itself, which
                               rounds activations to int8. Its greedy ids are the same, and min_margin
                               is at least 3 times this share of max_abs_logit, or the next seed is tried
    texts                      [[text, ids]...] by the original tokenizer, no specials added or parsed
    chat                       chat models: [{messages, text, tokens}...] from apply_chat_template with
                               the generation prompt added; here special tokens are parsed

The texts are the same in Unicode's NFC and as written: the original Qwen tokenizer normalizes to NFC
first, which a GGUF file doesn't say and llama.cpp doesn't do.
"""

import argparse
import dataclasses
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

import numpy as np
import sentencepiece
import tokenizers
import torch
import transformers
from transformers.convert_slow_tokenizer import bytes_to_unicode

GREEDY = 32
MARGIN = 100 * 1e-4  # of the largest logit
AGREEMENT = 1e-4
SEEDS = 3000

CORPUS = """\
The baker opened the door before the sun was up. There was flour on the table and a cat on the flour.
"Good morning," said the baker, "have you seen the apples?" The cat hadn't. It never had.
In the garden behind the house there were 27 apple trees, 3 pear trees and one old cherry tree.
Every year in October the children came with their baskets, and they'd carry the apples to the kitchen.
The seed inside the fruit is small; the tree inside the seed is not. That's what the baker said.
Once upon a time there was a miller who couldn't count. He counted: one, two, four, eight, sixteen.
"You've lost three," said his daughter. "I haven't lost them," said the miller, "I've never had them."
They were walking along the river when it began to rain. The rain fell on the water and on the stones.
What is the weather like today? It's raining, and it'll be raining tomorrow, but we're not made of sugar.
The train leaves at 10:45 and arrives at 17:30; a ticket costs 12.50 for one and 20.00 for two.
for (int i = 0; i < 10; i++) { print("i = %d\\n", i); }  // counting again, this time to ten
Die Bäckerin öffnete die Tür, und die Kälte kam herein. Im Garten standen große Bäume.
Le café était fermé, mais la fenêtre était ouverte. Où est la clé?
She thought about the question for a long time. Then she thought about the answer for a longer time.
Nothing in the world is as quiet as a house in which somebody is trying not to be heard.
The cat sat by the fire, the fire sat by the wall, and the wall had been there since the beginning.
"""

PROMPT = (
    "The miller's daughter counted the trees in the garden: 27 apple trees, 3 pear trees and a cherry tree. "
    "There was nothing on the table, and the cat hadn't moved. \"What's that?\" she said. It was raining again, "
    "and the rain fell on the stones by the river."
)

TEXTS = [
    "",
    " ",
    "Hello",
    " Hello",
    "Hello world",
    "  two  spaces   and three",
    "trailing spaces  ",
    "The baker's cat isn't here; they've gone, I'm sure we'll see it'd be fine.",
    "THE BAKER'S CAT, DON'T",
    "one\ntwo\n\nthree\r\nfour\n",
    "\n\n  indented\n\tand a tab\t\tor two",
    "12345 3.14159 1,000,000 0x1F 10:45",
    "a1b22c333",
    "for (int i = 0; i < 10; i++) { x[i] += 1; } // done!!!",
    "Bäckerin öffnete die Tür, große Bäume, café, où",
    "Привет, мир! Γειά σου Κόσμε",
    "你好，世界。こんにちは 안녕하세요",
    "emoji 🙂 🦙🚀 👩‍💻 ✅",
    "non-breaking\u00a0space, ideographic\u3000space, zero\u200bwidth",
    "<s>[INST] <|im_start|>user not special </s><|endoftext|>",
    "▁lower one eighth block ▁▁",
    "مرحبا بالعالم שלום",
    "x" * 70,
    "...---...!!??",
]

CHATS = [
    [{"role": "user", "content": "What is the weather like today?"}],
    [
        {"role": "system", "content": "You count trees."},
        {"role": "user", "content": "How many?\n"},
        {"role": "assistant", "content": "27 apple trees."},
        {"role": "user", "content": "  And pears? 🙂"},
    ],
]

# Qwen2's own words.
CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclasses.dataclass
class Spec:
    """One fixture. `std` scales the random matrices: large enough that attention isn't uniform.

    `bigram` adds to each output row the direction of some token's embedding, so that every token has a
    likely successor, as in a trained model. It moves the first logit further from the second: products
    of quantized weights and int8 activations need more room than float ones.
    """

    name: str
    config: transformers.PretrainedConfig
    std: float
    bigram: float = 0
    quantize: str = ""  # llama-quantize's name of the type


def llama(**sizes) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(bos_token_id=1, eos_token_id=2, max_position_embeddings=512, rms_norm_eps=1e-5, **sizes)


def specs() -> list[Spec]:
    llama3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    linear = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}
    yarn = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
    plain = {"rope_type": "default", "rope_theta": 1e6}
    result = [
        Spec("llama-rope3", llama(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=160, vocab_size=384, rope_parameters=llama3), 0.16),
        Spec("llama-tied", llama(
            hidden_size=48, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=2, head_dim=32,
            intermediate_size=132, vocab_size=352, rope_parameters=linear, tie_word_embeddings=True), 0.18),
        Spec("qwen2", transformers.Qwen2Config(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=160, vocab_size=384, max_position_embeddings=256, rope_parameters=yarn,
            tie_word_embeddings=True, use_sliding_window=False), 0.16),
        Spec("qwen3", transformers.Qwen3Config(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
            intermediate_size=96, vocab_size=400, max_position_embeddings=512, rope_parameters=plain,
            rms_norm_eps=1e-4), 0.16),  # large enough to matter
    ]
    # Rows of 256 and 512 weights for the k-quants; two layers where llama-quantize mixes types by layer.
    for type_, layers in ("Q4_K_M", 2), ("Q5_K_M", 2), ("Q6_K", 1), ("Q8_0", 1), ("Q4_0", 1):
        result.append(Spec(f"wide-{type_}", llama(
            hidden_size=256, num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=512, vocab_size=320, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
            0.05, bigram=0.25, quantize=type_))
    return result


class SpmTokenizer:
    """A SentencePiece BPE model trained on CORPUS, set up like Llama 2's."""

    def __init__(self, folder: pathlib.Path, vocab_size: int):
        (folder / "corpus.txt").write_text(CORPUS)
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "corpus.txt"), model_prefix=str(folder / "tokenizer"), model_type="bpe",
            vocab_size=vocab_size, byte_fallback=True, split_digits=True, remove_extra_whitespaces=False,
            normalization_rule_name="identity", allow_whitespace_only_pieces=True,
            # a tiny vocabulary has room for few characters besides the 256 bytes
            character_coverage=0.9995 if vocab_size > 320 else 0.98, minloglevel=2)
        (folder / "corpus.txt").unlink()
        settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                    "add_bos_token": True, "add_eos_token": False}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))

    def encode(self, text: str) -> list[int]:
        return self.model.encode(text)

    def prompt(self, text: str) -> list[int]:
        return [self.model.bos_id()] + self.encode(text)

    def is_text(self, token: int) -> bool:
        return not self.model.is_control(token) and not self.model.is_unknown(token)

    def token_bytes(self, token: int) -> bytes:
        piece = self.model.id_to_piece(token)
        return bytes([int(piece[3:5], 16)]) if self.model.is_byte(token) else piece.replace("▁", " ").encode()

    def chats(self) -> list[dict]:
        return []


class BpeTokenizer:
    """A byte-level BPE trained on CORPUS, with Qwen2's words, ChatML tokens and template."""

    SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    TOKENS = 384  # with the special ones

    def __init__(self, folder: pathlib.Path, _vocab_size: int):
        bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
        bpe.normalizer = tokenizers.normalizers.NFC()
        bpe.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(QWEN2_WORDS), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        bpe.decoder = tokenizers.decoders.ByteLevel()
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        bpe.train_from_iterator(CORPUS.splitlines(keepends=True), tokenizers.trainers.BpeTrainer(
            vocab_size=self.TOKENS - len(self.SPECIAL), initial_alphabet=sorted(alphabet), show_progress=False))
        self.plain = tokenizers.Tokenizer.from_str(bpe.to_str())  # knows no special tokens, so parses none
        bpe.add_special_tokens([tokenizers.AddedToken(s, special=True, normalized=False) for s in self.SPECIAL])
        bpe.save(str(folder / "tokenizer.json"))
        model = json.loads(bpe.to_str())["model"]
        (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
        (folder / "merges.txt").write_text("\n".join(" ".join(m) for m in model["merges"]) + "\n")
        self.full = transformers.PreTrainedTokenizerFast(
            tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False)
        self.full.chat_template = CHATML
        self.full.save_pretrained(folder)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings |= {"add_bos_token": False, "chat_template": CHATML}  # in the one file, as Qwen2 has it
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        (folder / "chat_template.jinja").unlink(missing_ok=True)

    def encode(self, text: str) -> list[int]:
        return self.plain.encode(text).ids

    def prompt(self, text: str) -> list[int]:
        return self.encode(text)

    def is_text(self, token: int) -> bool:
        return token < self.plain.get_vocab_size()

    def token_bytes(self, token: int) -> bytes:
        byte_of = {char: byte for byte, char in bytes_to_unicode().items()}
        return bytes(byte_of[c] for c in self.plain.id_to_token(token))

    def chats(self) -> list[dict]:
        result = []
        for messages in CHATS:
            text = self.full.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            tokens = self.full.encode(text, add_special_tokens=False)
            result.append({"messages": messages, "text": text, "tokens": tokens})
        return result


class LlamaCpp:
    """The parts of an unpacked and built llama.cpp that are needed here."""

    def __init__(self, folder: pathlib.Path, scratch: pathlib.Path):
        self.bin = folder / "build" / "bin"
        # Its own gguf package, which fits its converter.
        sys.path[:0] = [str(folder), str(folder / "gguf-py")]
        import conversion.base
        import convert_hf_to_gguf
        import gguf

        self.gguf = gguf
        self.converter = convert_hf_to_gguf
        # The converter names a BPE's word pattern by a hash of the ids it gives to a sample text. A toy
        # vocabulary gives ids that no list can hold, so it is told. SentencePiece models don't get here.
        conversion.base.TextModel.get_vocab_base_pre = lambda _self, _tokenizer: "qwen2"
        self.reader = scratch / "llama_cpp_logits"
        source = pathlib.Path(__file__).parent / "llama_cpp_logits.cpp"
        subprocess.run(
            ["g++", "-std=c++17", "-O1", f"-I{folder}/include", f"-I{folder}/ggml/include", source, f"-L{self.bin}",
             "-lllama", "-lggml", "-lggml-base", f"-Wl,-rpath,{self.bin}", "-o", self.reader], check=True)

    def convert(self, model: pathlib.Path, out: pathlib.Path) -> None:
        sys.argv = ["convert_hf_to_gguf.py", str(model), "--outtype", "f32", "--outfile", str(out), "--model-name", model.name]
        self.converter.main()

    def quantize(self, source: pathlib.Path, out: pathlib.Path, type_: str) -> None:
        run = subprocess.run([self.bin / "llama-quantize", source, out, type_, "1"], capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(run.stdout + run.stderr)

    def dequantize(self, source: pathlib.Path, out: pathlib.Path) -> dict[str, np.ndarray]:
        """Copies a file with every tensor in float32; returns them, shape as in torch."""
        gguf, reader = self.gguf, self.gguf.GGUFReader(source)
        writer = gguf.GGUFWriter(out, reader.fields["general.architecture"].contents())
        for field in reader.fields.values():
            if field.name == "general.file_type":
                writer.add_file_type(gguf.LlamaFileType.ALL_F32)
            elif field.name != "general.architecture" and not field.name.startswith("GGUF."):
                inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
                writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
        tensors = {}
        for t in reader.tensors:
            tensors[t.name] = gguf.quants.dequantize(t.data, t.tensor_type).reshape(t.shape[::-1].tolist())
            writer.add_tensor(t.name, tensors[t.name])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return tensors

    def evaluate(self, model: pathlib.Path, tokens: list[int], greedy: int = 0) -> dict:
        ids = " ".join(map(str, tokens))
        run = subprocess.run([self.reader, model, "-n", str(greedy)], input=ids, capture_output=True, text=True, check=True)
        return json.loads(run.stdout)


def random_model(spec: Spec, seed: int) -> transformers.PreTrainedModel:
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(spec.config, attn_implementation="eager", dtype=torch.float32)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "norm" in name:
                weights.normal_(1, 0.2)
            elif name.endswith("bias"):
                weights.normal_(0, 0.4)
            elif "embed" in name and not spec.config.tie_word_embeddings:
                weights.normal_(0, 1)
            else:
                weights.normal_(0, spec.std)
        if spec.bigram:
            directions = torch.nn.functional.normalize(model.model.embed_tokens.weight)
            model.lm_head.weight += spec.bigram * directions[torch.randperm(spec.config.vocab_size)]
    return model.eval()


def load_llama(model: transformers.LlamaForCausalLM, tensors: dict[str, np.ndarray]) -> None:
    """Puts a GGUF file's tensors into a model, undoing the converter's order of q and k rows."""
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    layer_names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
                   "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
                   "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    for i in range(model.config.num_hidden_layers):
        names |= {f"blk.{i}.{ours}": f"model.layers.{i}.{theirs}" for ours, theirs in layer_names.items()}
    state = {}
    for name, values in tensors.items():
        stem = name.removesuffix(".weight")
        if count := heads.get(stem.split(".")[-1]):
            rows, columns = values.shape
            values = values.reshape(count, rows // count // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
        state[names[stem] + ".weight"] = torch.from_numpy(values.copy())
    model.load_state_dict(state, strict=True)


@torch.inference_mode()
def reference(model: transformers.PreTrainedModel, prompt: list[int]) -> dict:
    """Logits, greedy path and its smallest margin; every step evaluates the whole text anew."""
    tokens = list(prompt)
    margins, largest, first = [], 0.0, None
    for _ in range(GREEDY):
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
        if first is None:
            first = logits
        largest = max(largest, logits[-1].abs().max().item())
        top = logits[-1].topk(2).values
        margins.append((top[0] - top[1]).item())
        tokens.append(logits[-1].argmax().item())
    nll = torch.nn.functional.cross_entropy(first[:-1].double(), torch.tensor(prompt[1:])).item()
    return {"logits": first[-1].numpy(), "max_abs_logit": largest, "mean_nll": nll,
            "greedy_tokens": tokens[len(prompt):], "min_margin": min(margins)}


def relative(a: list[float], b: list[float]) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(a - b).max() / np.abs(b).max())


def rounded(value):
    """Floats to 9 significant digits, which determine a float32."""
    if isinstance(value, (list, np.ndarray)):
        return [rounded(v) for v in value]
    return float(f"{value:.9g}") if isinstance(value, (float, np.floating)) else value


def attempt(spec: Spec, seed: int, tokenizer, folder: pathlib.Path, llama_cpp: LlamaCpp) -> dict | None:
    """One seed; None when it lacks a clear greedy path. Leaves model.gguf and, of the dequantized, plain.gguf."""
    model = random_model(spec, seed)
    file = plain = folder.parent / "model.gguf"
    if spec.quantize:
        source, plain = folder.parent / "source.gguf", folder.parent / "plain.gguf"
        model.save_pretrained(folder)
        llama_cpp.convert(folder, source)
        llama_cpp.quantize(source, file, spec.quantize)
        load_llama(model, llama_cpp.dequantize(file, plain))

    prompt = tokenizer.prompt(PROMPT)
    result = reference(model, prompt)
    greedy = result["greedy_tokens"]
    if result["min_margin"] < MARGIN * result["max_abs_logit"]:
        return None
    if not all(map(tokenizer.is_text, greedy)) or len(set(greedy)) < GREEDY // 2:
        return None

    if not spec.quantize:
        model.save_pretrained(folder)
        llama_cpp.convert(folder, file)
    other = llama_cpp.evaluate(plain, prompt, GREEDY)
    result |= {"greedy_bytes": b"".join(map(tokenizer.token_bytes, greedy)).hex(),
               "llama_cpp_logits": other["logits"], "agreement": relative(other["logits"], result["logits"])}
    if result["agreement"] > AGREEMENT or other["greedy"] != greedy:
        raise RuntimeError(f"{spec.name}, seed {seed}: transformers and llama.cpp differ by {result['agreement']:.2e}")
    if spec.quantize:
        quantized = llama_cpp.evaluate(file, prompt, GREEDY)
        result["quantized_error"] = relative(quantized["logits"], result["logits"])
        if result["min_margin"] < 3 * result["quantized_error"] * result["max_abs_logit"] or quantized["greedy"] != greedy:
            return None
    return {"seed": seed, "prompt_text": PROMPT, "prompt_tokens": prompt} | result


def make(spec: Spec, scratch: pathlib.Path, out: pathlib.Path, llama_cpp: LlamaCpp, versions: dict) -> None:
    folder = scratch / spec.name / spec.name
    folder.mkdir(parents=True)
    kind = SpmTokenizer if spec.config.model_type == "llama" else BpeTokenizer
    tokenizer = kind(folder, spec.config.vocab_size)
    assert 80 <= len(tokenizer.prompt(PROMPT)) <= 200, len(tokenizer.prompt(PROMPT))
    for seed in range(SEEDS):
        if result := attempt(spec, seed, tokenizer, folder, llama_cpp):
            break
    else:
        raise RuntimeError(f"{spec.name}: no seed gives a clear greedy path")
    result["texts"] = [[text, tokenizer.encode(text)] for text in TEXTS]
    if chats := tokenizer.chats():
        result["chat"] = chats
    (out / f"{spec.name}.gguf").write_bytes((folder.parent / "model.gguf").read_bytes())
    items = {"name": spec.name, "versions": versions} | {key: rounded(value) for key, value in result.items()}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in items.items())
    (out / f"{spec.name}.json").write_text("{\n" + lines + "\n}\n")
    size = (out / f"{spec.name}.gguf").stat().st_size
    extra = f", quantized {result['quantized_error']:.1e}" if spec.quantize else ""
    print(f"{spec.name}: seed {seed}, {len(result['prompt_tokens'])} prompt tokens, {size} bytes, margin "
          f"{result['min_margin'] / result['max_abs_logit']:.1%}, agreement {result['agreement']:.1e}{extra}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = pathlib.Path(__file__).parent.parent / "tests" / "data" / "models"
    parser.add_argument("--llama-cpp", type=pathlib.Path, required=True, metavar="DIR", help="built llama.cpp")
    parser.add_argument("--out", type=pathlib.Path, default=default, help="folder to write to")
    parser.add_argument("names", nargs="*", metavar="NAME", help="models to make; default: all")
    options = parser.parse_args()
    if unknown := set(options.names) - {s.name for s in specs()}:
        parser.error(f"no such model: {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.ERROR)  # the converter's own call then changes nothing
    torch.set_num_threads(1)  # the same sums on every machine
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        llama_cpp = LlamaCpp(options.llama_cpp.resolve(), pathlib.Path(scratch))
        versions = {module.__name__: module.__version__ for module in (torch, transformers, tokenizers, sentencepiece)}
        for spec in specs():
            if not options.names or spec.name in options.names:
                make(spec, pathlib.Path(scratch), options.out, llama_cpp, versions)


if __name__ == "__main__":
    main()
