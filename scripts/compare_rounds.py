"""Runs the bench tools that compare.sh found in turn and prints tokens/s, medians and ratios as Markdown.

Each round starts every tool once on every file, so that a machine that slows down slows all of them. Standard library
only.
"""

import json
import os
import statistics
import subprocess
import sys


def flags() -> list[str]:
    threads = os.environ.get("THREADS") or str(len(os.sched_getaffinity(0)))
    return ["-t", threads, "-p", os.environ.get("PROMPT") or "512", "-n", os.environ.get("GENERATED") or "64", "-r", "1"]


def run(command: list[str]) -> object:
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(f"compare: {' '.join(command)}: exit code {result.returncode}\n{result.stderr[-2000:]}")
    return json.loads(result.stdout)


def kern_rates(executable: str, model: str) -> dict[str, float]:
    """{"pp512": tokens/s, ...}"""
    report = run([executable, "bench", "-q", "--no-limits", "--json", "-m", model, *flags()])
    return {test["test"]: test["mean_tokens_per_second"] for test in report["tests"]}


def llama_rates(executable: str, model: str) -> dict[str, float]:
    rates = {}
    for test in run([executable, "-m", model, "-o", "json", *flags()]):
        name = f"pp{test['n_prompt']}" if test["n_prompt"] else f"tg{test['n_gen']}"
        rates[name] = test["avg_ts"]
    return rates


def tools() -> list[tuple]:
    """(name, function, executable), kern first."""
    found = [("kern", kern_rates, os.environ["KERN"]), ("llama.cpp", llama_rates, os.environ["LLAMA_BENCH"])]
    if os.environ.get("IK_LLAMA_BENCH"):
        found.append(("ik_llama.cpp", llama_rates, os.environ["IK_LLAMA_BENCH"]))
    return found


def compare(model: str, rounds: int) -> None:
    samples: dict[str, dict[str, list[float]]] = {}  # test -> tool -> tokens/s of each round
    for done in range(rounds):
        for name, rates, executable in tools():
            print(f"compare: {os.path.basename(model)}, round {done + 1} of {rounds}: {name}", file=sys.stderr)
            for test, rate in rates(executable, model).items():
                samples.setdefault(test, {}).setdefault(name, []).append(rate)
    for test, by_tool in samples.items():
        kern = statistics.median(by_tool["kern"])
        for name, rates in by_tool.items():
            median = statistics.median(rates)
            listed = " ".join(f"{rate:.2f}" for rate in rates)
            print(f"| {os.path.basename(model)} | {test} | {name} | {median:.2f} | {kern / median:.2f} | {listed} |",
                  flush=True)


def main() -> None:
    print("| file | test | tool | median tokens/s | kern is times as fast | rounds |")
    print("| --- | --- | --- | ---: | ---: | --- |", flush=True)
    for model in sys.argv[1:]:
        compare(model, int(os.environ.get("ROUNDS") or "3"))


if __name__ == "__main__":
    main()
