"""Train kern's demo model and write it as a Hugging Face folder, which kern makes a GGUF file of.

    python scripts/train_demo.py --out FOLDER [--minutes 50] [--threads 2] [--compile] [--work DIR]
    python scripts/train_demo.py --out FOLDER --resume CHECKPOINT [--questions 0.75] [--lr 1e-3] [--minutes 5]
    python scripts/train_demo.py --out FOLDER --export CHECKPOINT-OR-GGUF
    kern quantize FOLDER demo/demo.gguf Q8_0

Needs Python 3.10 or newer with torch, tokenizers, numpy and safetensors, and gguf to read a GGUF file.  A CPU is enough;
bfloat16 is used where --dtype says so
(fast on CPUs with AMX, otherwise try --dtype float32).  All text is written by train_demo_text.py; nothing is downloaded.

What it does: writes chats and stories from grammars, trains a byte-level BPE vocabulary of 2048 tokens on a sample of them,
trains a Llama-shaped model (dim 256, 6 layers, 4 heads of 64, 2 key/value heads, feed-forward 768, tied embeddings) with
AdamW on the assistant's turns and the plain stories, and writes it in F32.  Documents of similar length
share a microbatch and are never mixed in one sequence, so that every document begins at position 0 as it does in use.
The learning rate follows a cosine over --minutes of wall time, or over --steps for a run that does not depend on the clock.
A checkpoint goes to the work directory every few minutes; --export writes the folder from one, and --resume trains on
from one with a fresh optimizer (text of another --seed, and with --questions a larger share of short answers).
--export also takes the weights from demo.gguf itself, where they are rounded to Q8_0 already.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import train_demo_text as text  # noqa: E402

VOCAB, CONTEXT = 2048, 512
DIM, LAYERS, HEADS, KV_HEADS, HEAD_DIM, FFN = 256, 6, 4, 2, 64, 768
EPS, ROPE_BASE = 1e-5, 10000.0
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# The pre-tokenizer of GGUF's "qwen2": digits one by one, words with one leading character.
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


# ---- text and vocabulary ----
def examples(seed, count, held_out, questions=0.0):
    rng = random.Random(seed)
    out = []
    while len(out) < count:
        msgs, plain, key = text.example(rng, questions)
        if bool(key and text.held_out(key)) == held_out:
            out.append((msgs, plain))
    return out


def train_vocabulary(path, seed):
    sample = []
    for msgs, plain in examples(seed, 30000, False):
        sample += [plain] if msgs is None else [body for _, body in msgs] + [role + "\n" for role, _ in msgs[:1]]
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(sample, trainers.BpeTrainer(vocab_size=VOCAB - len(SPECIAL), show_progress=False, special_tokens=[],
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.add_special_tokens(SPECIAL)
    assert tok.get_vocab_size() == VOCAB, tok.get_vocab_size()
    tok.save(path)


def encode(tok, docs):
    """Token ids and, for each token, whether it is learned (the assistant's words and the plain stories)."""
    end, start, stop = (tok.token_to_id(s) for s in SPECIAL)
    pieces = []
    for msgs, plain in docs:
        pieces += [plain] if msgs is None else [p for role, body in msgs for p in (role + "\n", body)]
    ids = iter([e.ids for e in tok.encode_batch(pieces, add_special_tokens=False)])
    newline = tok.encode("\n", add_special_tokens=False).ids
    for msgs, plain in docs:
        if msgs is None:
            t = next(ids) + [end]
            learn = [1] * len(t)
        else:
            t, learn = [], []
            for role, _ in msgs:
                head, body = [start] + next(ids), next(ids) + [stop]
                t += head + body + newline
                learn += [0] * len(head) + [1 if role == "assistant" else 0] * len(body) + [0] * len(newline)
        if len(t) <= CONTEXT:
            yield np.array(t, np.int16), np.array(learn, np.bool_)


def _chunk(job):
    path, seed, count, held_out, questions = job
    return list(encode(Tokenizer.from_file(path), examples(seed, count, held_out, questions)))


def corpus(path, seed, count, held_out, workers, questions=0.0):
    size = 4000
    jobs = [(path, seed * 1000003 + i, min(size, count - i * size), held_out, questions) for i in range((count + size - 1) // size)]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return [d for part in pool.map(_chunk, jobs, chunksize=1) for d in part]


def microbatches(docs, rng, tokens):
    """Documents of similar length together, in random order; about `tokens` tokens each."""
    order = sorted(rng.permutation(len(docs)), key=lambda i: len(docs[i][0]))
    groups, cur = [], []
    for i in order:
        if cur and len(docs[i][0]) * (len(cur) + 1) > tokens:
            groups.append(cur)
            cur = []
        cur.append(i)
    groups.append(cur)
    for g in rng.permutation(len(groups)):
        part = [docs[i] for i in groups[g]]
        width = max(len(t) for t, _ in part) - 1
        x = np.zeros((len(part), width), np.int64)
        y = np.full((len(part), width), -1, np.int64)
        for r, (t, learn) in enumerate(part):
            x[r, :len(t) - 1] = t[:-1]
            y[r, :len(t) - 1] = np.where(learn[1:], t[1:], -1)
        yield torch.from_numpy(x), torch.from_numpy(y)


# ---- the model ----
def rope_angles():
    freq = ROPE_BASE ** (-torch.arange(0, HEAD_DIM, 2).double() / HEAD_DIM)
    return torch.arange(CONTEXT).double()[:, None] * freq


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm = torch.nn.Parameter(torch.ones(DIM))
        self.ffn_norm = torch.nn.Parameter(torch.ones(DIM))
        lin = lambda i, o: torch.nn.Linear(i, o, bias=False)
        self.qkv = lin(DIM, (HEADS + 2 * KV_HEADS) * HEAD_DIM)
        self.out = lin(HEADS * HEAD_DIM, DIM)
        self.gate_up = lin(DIM, 2 * FFN)
        self.down = lin(FFN, DIM)

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        h = self.qkv(F.rms_norm(x, (DIM,), self.attn_norm.to(x.dtype), EPS)).view(b, t, HEADS + 2 * KV_HEADS, HEAD_DIM).transpose(1, 2)
        qk, v = h[:, :HEADS + KV_HEADS], h[:, HEADS + KV_HEADS:]
        x1, x2 = qk.chunk(2, -1)
        qk = torch.cat((x1 * cos - x2 * sin, x2 * cos + x1 * sin), -1)
        q, k = qk[:, :HEADS], qk[:, HEADS:]
        # query heads of one key/value head side by side, so that keys and values are not repeated
        q = q.reshape(b, KV_HEADS, HEADS // KV_HEADS * t, HEAD_DIM) * HEAD_DIM ** -0.5
        score = (q @ k.transpose(-1, -2)).view(b, KV_HEADS, HEADS // KV_HEADS, t, t) + mask
        o = (score.softmax(-1).flatten(2, 3) @ v).view(b, HEADS, t, HEAD_DIM)
        x = x + self.out(o.transpose(1, 2).reshape(b, t, HEADS * HEAD_DIM))
        gate, up = self.gate_up(F.rms_norm(x, (DIM,), self.ffn_norm.to(x.dtype), EPS)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Demo(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Parameter(torch.randn(VOCAB, DIM) * 0.02)
        self.layers = torch.nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = torch.nn.Parameter(torch.ones(DIM))
        for layer in self.layers:
            for name in ("qkv", "out", "gate_up", "down"):
                std = 0.02 / math.sqrt(2 * LAYERS) if name in ("out", "down") else 0.02
                torch.nn.init.normal_(getattr(layer, name).weight, std=std)
        self.register_buffer("cos", rope_angles().cos().float(), persistent=False)
        self.register_buffer("sin", rope_angles().sin().float(), persistent=False)

    def hidden(self, ids):
        x = F.embedding(ids, self.embed)
        cos, sin = (c[:ids.shape[1]].to(x.dtype) for c in (self.cos, self.sin))
        t = ids.shape[1]
        mask = torch.full((t, t), -1e4, dtype=x.dtype).triu(1)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return F.rms_norm(x, (DIM,), self.norm.to(x.dtype), EPS)

    def forward(self, ids):
        return F.linear(self.hidden(ids), self.embed)

    def loss(self, x, y):
        """Summed cross-entropy over the learned positions, and their number."""
        keep = y.flatten() >= 0
        h = self.hidden(x).flatten(0, 1)[keep]
        return F.cross_entropy(F.linear(h, self.embed).float(), y.flatten()[keep], reduction="sum"), int(keep.sum())


# ---- training ----
class Worker:
    """One process's copy of the model in the compute type: reads the shared weights, leaves its gradients beside them."""

    def __init__(self, rank, args, docs, weights, gradients, numbers):
        self.args, self.docs, self.weights, self.gradients, self.numbers = args, docs, weights, gradients[rank], numbers[rank]
        self.model = Demo().to(getattr(torch, args.dtype))
        self.model.cos, self.model.sin = (f(rope_angles()).float() for f in (torch.cos, torch.sin))
        if args.compile:
            self.model.hidden = torch.compile(self.model.hidden, dynamic=True)
        self.rng, self.batches = np.random.default_rng([args.seed, rank]), iter(())

    def load(self):
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(self.weights, self.model.parameters())

    def step(self):
        self.load()
        for p in self.model.parameters():
            p.grad = None
        self.numbers.zero_()
        for _ in range(self.args.accumulate):
            batch = next(self.batches, None)
            if batch is None:
                self.batches = microbatches(self.docs, self.rng, self.args.tokens)
                batch = next(self.batches)
            loss, n = self.model.loss(*batch)
            loss.backward()
            self.numbers += torch.tensor([float(loss.detach()), n, batch[0].numel()])
        torch.cat([p.grad.float().flatten() for p in self.model.parameters()], out=self.gradients)


def work(rank, stop, barrier, *rest):
    torch.set_num_threads(1)
    worker = Worker(rank, *rest)
    while True:
        barrier.wait()
        if stop.value:
            break
        worker.step()
        barrier.wait()


@torch.no_grad()
def evaluate(model, docs, limit=120):
    total = count = 0
    for i, (x, y) in enumerate(microbatches(docs, np.random.default_rng(1), 4096)):
        if i >= limit:
            break
        loss, n = model.loss(x, y)
        total, count = total + float(loss), count + n
    return total / count


def save(path, model, record):
    torch.save(dict(model=model.state_dict(), record=record), path + ".part")
    os.replace(path + ".part", path)


def train(args):
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    os.makedirs(args.work, exist_ok=True)
    vocabulary = os.path.join(args.work, "tokenizer.json")
    began = time.time()
    before = dict(steps=0, tokens=0, seconds=0, examples=0)
    if args.resume:
        earlier = torch.load(args.resume, map_location="cpu", weights_only=False)
        before = earlier["record"]
        with open(vocabulary, "w") as f:
            json.dump(before["vocabulary"], f)
    else:
        train_vocabulary(vocabulary, args.seed)
    docs = corpus(vocabulary, args.seed, args.examples, False, args.threads, args.questions)
    held = corpus(vocabulary, args.seed + 1, 1000, True, args.threads)
    size = sum(len(t) for t, _ in docs)
    print(f"text: {len(docs)} documents, {size} tokens, {time.time() - began:.0f} s", flush=True)
    model = Demo()
    if args.resume:
        model.load_state_dict(earlier["model"])
    print("weights:", sum(p.numel() for p in model.parameters()), flush=True)
    flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    weights = torch.empty(len(flat), dtype=getattr(torch, args.dtype)).share_memory_()
    gradients = torch.zeros(args.threads, len(flat)).share_memory_()
    numbers = torch.zeros(args.threads, 3, dtype=torch.float64).share_memory_()
    fork = multiprocessing.get_context("fork")
    stop, barrier = fork.Value("i", 0), fork.Barrier(args.threads, timeout=600)
    rest = (args, docs, weights, gradients, numbers)
    weights.copy_(flat)
    others = [fork.Process(target=work, args=(r, stop, barrier, *rest), daemon=True) for r in range(1, args.threads)]
    for o in others:
        o.start()
    mine = Worker(0, *rest)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    opt = torch.optim.AdamW([dict(params=matrices, weight_decay=args.decay), dict(params=vectors, weight_decay=0.0)],
                            lr=args.lr, betas=(0.9, 0.95), foreach=True)
    record = dict(script="scripts/train_demo.py", seed=args.seed, examples=len(docs) + before["examples"], vocabulary=json.load(open(vocabulary)))
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    grads = [p.grad for p in model.parameters()]
    step = seen = 0
    start = last = saved = time.time()
    smooth = None
    checkpoint = os.path.join(args.work, "checkpoint.pt")
    while True:
        done = step / args.steps if args.steps else (time.time() - start) / (60 * args.minutes)
        if done >= 1:
            break
        lr = args.lr * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for g in opt.param_groups:
            g["lr"] = lr
        barrier.wait()
        mine.step()
        barrier.wait()
        total, count, batch = numbers.sum(0).tolist()
        seen += int(batch)
        torch.nn.utils.vector_to_parameters(gradients.sum(0) / count, grads)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        weights.copy_(torch.nn.utils.parameters_to_vector(model.parameters()).detach())
        step += 1
        smooth = total / count if smooth is None else 0.98 * smooth + 0.02 * total / count
        if time.time() - last > 30:
            last = time.time()
            print(f"{last - start:6.0f} s  step {step}  tokens {seen}  {seen / (last - start):.0f}/s  lr {lr:.2e}  loss {smooth:.4f}", flush=True)
        if time.time() - saved > 300:
            saved = time.time()
            record.update(steps=before["steps"] + step, tokens=before["tokens"] + seen, seconds=before["seconds"] + round(saved - start), loss=smooth)
            record["held_out_loss"] = evaluate(mine.model, held, 40)
            print(f"held-out loss {record['held_out_loss']:.4f}", flush=True)
            save(checkpoint, model, record)
    stop.value = 1
    barrier.wait()
    record.update(steps=before["steps"] + step, tokens=before["tokens"] + seen, seconds=before["seconds"] + round(time.time() - start),
                  loss=smooth, held_out_loss=evaluate(model, held))
    print({k: v for k, v in record.items() if k != "vocabulary"}, flush=True)
    save(checkpoint, model, record)
    return checkpoint


# ---- export ----
def from_gguf(path):
    """Weights as a checkpoint names them, and the vocabulary, of a GGUF file that was made of a folder of this script's."""
    import gguf

    reader = gguf.GGUFReader(path)
    tensors = {t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy()) for t in reader.tensors}
    unpair = lambda w, heads: w.reshape(heads, HEAD_DIM // 2, 2, DIM).transpose(1, 2).reshape(heads * HEAD_DIM, DIM)
    weights = {"embed": tensors["token_embd.weight"], "norm": tensors["output_norm.weight"]}
    for i in range(LAYERS):
        part = lambda n: tensors[f"blk.{i}.{n}.weight"]
        weights[f"layers.{i}.attn_norm"], weights[f"layers.{i}.ffn_norm"] = part("attn_norm"), part("ffn_norm")
        weights[f"layers.{i}.qkv.weight"] = torch.cat([unpair(part("attn_q"), HEADS), unpair(part("attn_k"), KV_HEADS), part("attn_v")])
        weights[f"layers.{i}.out.weight"] = part("attn_output")
        weights[f"layers.{i}.gate_up.weight"] = torch.cat([part("ffn_gate"), part("ffn_up")])
        weights[f"layers.{i}.down.weight"] = part("ffn_down")
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()[: VOCAB - len(SPECIAL)]
    merges = reader.fields["tokenizer.ggml.merges"].contents()
    return weights, {t: i for i, t in enumerate(tokens)}, [m.split(" ") for m in merges]


def export_folder(source, folder):
    from safetensors.torch import save_file

    if source.endswith(".gguf"):
        weights, vocab, merges = from_gguf(source)
    else:
        saved = torch.load(source, map_location="cpu", weights_only=False)
        model = saved["record"]["vocabulary"]["model"]
        weights, vocab = saved["model"], model["vocab"]
        vocab = {t: i for t, i in vocab.items() if t not in SPECIAL}
        merges = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
    os.makedirs(folder, exist_ok=True)
    out = {"model.embed_tokens.weight": weights["embed"], "model.norm.weight": weights["norm"]}
    for i in range(LAYERS):
        part, name = lambda n: weights[f"layers.{i}.{n}"], f"model.layers.{i}."
        q, k, v = part("qkv.weight").split([HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM])
        gate, up = part("gate_up.weight").chunk(2)
        out.update({name + "input_layernorm.weight": part("attn_norm"), name + "self_attn.q_proj.weight": q,
                    name + "self_attn.k_proj.weight": k, name + "self_attn.v_proj.weight": v,
                    name + "self_attn.o_proj.weight": part("out.weight"), name + "post_attention_layernorm.weight": part("ffn_norm"),
                    name + "mlp.gate_proj.weight": gate, name + "mlp.up_proj.weight": up, name + "mlp.down_proj.weight": part("down.weight")})
    save_file({n: t.float().contiguous() for n, t in out.items()}, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})

    tok = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) for m in merges]))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens(SPECIAL)
    tok.save(os.path.join(folder, "tokenizer.json"))
    end, _, stop = (tok.token_to_id(s) for s in SPECIAL)

    def put(name, value):
        with open(os.path.join(folder, name), "w") as f:
            f.write(value if isinstance(value, str) else json.dumps(value, indent=1) + "\n")

    put("config.json", dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", hidden_size=DIM, intermediate_size=FFN,
        num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM, vocab_size=VOCAB,
        max_position_embeddings=CONTEXT, rms_norm_eps=EPS, rope_theta=ROPE_BASE, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=stop, pad_token_id=end, torch_dtype="float32"))
    put("tokenizer_config.json", dict(tokenizer_class="PreTrainedTokenizerFast", add_bos_token=False, bos_token=None,
                                      eos_token=SPECIAL[2], pad_token=SPECIAL[0], chat_template=TEMPLATE))
    put("README.md", "---\nname: kern demo\nauthor: kern authors\nlicense: MIT\nlanguage:\n- en\n---\n"
                     "A very small model trained on simple sentences that a script writes from grammars.\n")
    print(f"{folder}: {len(out)} tensors")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, help="the Hugging Face folder to write")
    p.add_argument("--export", metavar="CHECKPOINT", help="write from this checkpoint (or GGUF file) and do not train")
    p.add_argument("--resume", metavar="CHECKPOINT", help="train on from this checkpoint, with its vocabulary and a fresh optimizer")
    p.add_argument("--questions", type=float, default=0.0, help="share of extra single questions in the text")
    p.add_argument("--work", default="train_demo_work", help="directory for the vocabulary and checkpoints")
    p.add_argument("--minutes", type=float, default=50)
    p.add_argument("--steps", type=int, default=0, help="stop after this many steps instead of --minutes")
    p.add_argument("--threads", type=int, default=2, help="training processes, of one thread each")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--examples", type=int, default=200000)
    p.add_argument("--tokens", type=int, default=2048, help="tokens in a microbatch")
    p.add_argument("--accumulate", type=int, default=2, help="microbatches of each process in a step")
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--decay", type=float, default=0.05)
    p.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    p.add_argument("--compile", action="store_true", help="use torch.compile (needs a C++ compiler; about twice as fast)")
    args = p.parse_args()
    export_folder(args.export or train(args), args.out)


if __name__ == "__main__":
    main()
