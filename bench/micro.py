"""The cases of bench/micro: ns per frame, timed, and instructions per frame, counted by callgrind."""

import json
import re
import shutil
import statistics
import subprocess

FRAMES = 1408  # a multiple of the cases' batches: 32 frames, 44 segments


def run_once(tools, part):
    """{case: {"ns": ..., "best_ns": ..., "aside": ...}} of the cases whose names contain `part`."""
    text = subprocess.run([tools["micro"], part], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in text.splitlines():
        case = json.loads(line)
        found[case.pop("name")] = case
    return found


def instructions(tools, name):
    """Per frame, or None without valgrind. (The * is for what link-time optimization adds to a name.) Its processor knows AVX2 and nothing newer, so that encryption takes more of
    them than on many a real one."""
    if not shutil.which("valgrind"):
        return None
    run = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=micro_measured*",
                          "--callgrind-out-file=/dev/null", tools["micro"], name, str(FRAMES)],
                         check=True, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1)) / FRAMES


def table(runs, counted):
    lines = ["| | ns per frame, median | best | instructions | |", "|---|---|---|---|---|"]
    for name in runs[0]:
        middle = statistics.median(run[name]["ns"] for run in runs)
        best = min(run[name]["best_ns"] for run in runs)
        count = counted.get(name)
        lines.append(f"| {name} | {middle:.0f} | {best:.0f} | {'-' if count is None else f'{count:.0f}'} | "
                     f"{runs[-1][name].get('aside', '')} |")
    return "\n".join(lines)
