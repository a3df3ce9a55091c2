"""A game beside a bulk transfer over a slow line: bench/run --limited.

The client's uplink is bench/link.c: RATE in both directions, DELAY each way, and a buffer as deep as home routers have.
The game is a ping with 200-byte packets at 64 Hz, the bulk transfer one TCP flow with CUBIC, as most systems have it.
"""

import json
import os
import re
import subprocess
import time

from lab import HOST_ADDRESS as LAN_HOST, Lab, wait_for
from measure import parse_ping, percentile
from peers import CLIENT

HERE = os.path.dirname(os.path.abspath(__file__))
RATE = 20_000_000  # bit/s
DELAY_US = 10_000
BUFFER = 500_000  # bytes: 200 ms
# A shared machine must not pass for a slow line: whoever takes part comes before what else runs on it. The line takes
# little of the processor.
FIRST = ["chrt", "--rr", "5"]
PER_SECOND = 64
GAME = FIRST + ["ping", "-n", "-i", str(1 / PER_SECOND), "-s", "172"]
START_SECONDS = 2

COLUMNS = [
    ("game RTT idle p50, ms", ("idle", "rtt_p50_ms"), 1, False),
    ("game RTT idle p99, ms", ("idle", "rtt_p99_ms"), 1, False),
    ("game RTT during upload p50, ms", ("to_lan", "rtt_p50_ms"), 1, False),
    ("game RTT during upload p99, ms", ("to_lan", "rtt_p99_ms"), 1, False),
    ("added by the upload, p99, ms", ("to_lan", "added_p99_ms"), 1, False),
    ("the same with the upload's first 2 s, ms", ("to_lan", "added_whole_p99_ms"), 1, False),
    ("game packets lost during upload, %", ("to_lan", "lost_percent"), 2, False),
    ("upload, Mbit/s of TCP payload", ("to_lan", "mbit_per_second"), 2, True),
    ("line in use during upload, %", ("to_lan", "line_percent"), 1, True),
    ("game RTT during download p50, ms", ("from_lan", "rtt_p50_ms"), 1, False),
    ("game RTT during download p99, ms", ("from_lan", "rtt_p99_ms"), 1, False),
    ("added by the download, p99, ms", ("from_lan", "added_p99_ms"), 1, False),
    ("the same with the download's first 2 s, ms", ("from_lan", "added_whole_p99_ms"), 1, False),
    ("game packets lost during download, %", ("from_lan", "lost_percent"), 2, False),
    ("download, Mbit/s of TCP payload", ("from_lan", "mbit_per_second"), 2, True),
    ("line in use during download, %", ("from_lan", "line_percent"), 1, True),
]


def build(folder):
    subprocess.run(["cc", "-O2", "-Wall", "-o", os.path.join(folder, "link"), os.path.join(HERE, "link.c")],
                   check=True)


class Link:
    """bench/link.c between two namespaces; what Lab calls a shaper."""

    def __init__(self, lab, ends, binary):
        names = [f"lpb{os.getpid() % 1000000}{number}" for number in range(2)]
        one_way = [str(RATE), str(DELAY_US), str(BUFFER)]
        self.process = subprocess.Popen([binary, *names, *one_way, *one_way], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the link did not start")
        for name, (host, device) in zip(names, ends):
            subprocess.run(["ip", "link", "set", name, "netns", lab.ns(host), "name", device], check=True)

    def close(self):
        self.process.kill()
        self.process.wait()


class LimitedLab(Lab):
    def __init__(self, binary):
        super().__init__(shaped=(CLIENT,))
        self.binary = binary

    def make_shaper(self, *ends):
        return Link(self, ends, self.binary)


def put_first(started):
    for process in started.processes:
        subprocess.run(FIRST[:2] + ["--pid", FIRST[2], str(process.pid)], check=True)


def game(lab, seconds):
    return lab.start(CLIENT, "game", *GAME, "-c", str(int(seconds * PER_SECOND)), "-W", "3", LAN_HOST)


def game_result(process, idle=None):
    """Beside a bulk transfer, the moment in which controllers find the line's rate is told apart from what follows."""
    wait_for(lambda: process.exit_status() is not None, 120, "the game's end")
    whole = parse_ping(process.log())
    times = [(int(number), float(ms)) for number, ms in re.findall(r"icmp_seq=(\d+) .*time=([\d.]+) ms", process.log())]
    later = [ms for number, ms in times if number > START_SECONDS * PER_SECOND] if idle else [ms for _, ms in times]
    if not later:
        raise RuntimeError("no game packet came back after the start")
    result = {"rtt_p50_ms": percentile(later, 0.5), "rtt_p99_ms": percentile(later, 0.99),
              "lost_percent": 100 * whole["ping_loss"]}
    if idle:
        result["added_p99_ms"] = result["rtt_p99_ms"] - idle["rtt_p50_ms"]
        result["added_whole_p99_ms"] = whole["rtt_p99_ms"] - idle["rtt_p50_ms"]
    return result


def line_bytes(lab, reverse):
    link = lab.ip_json("inet", "-s", "link", "show", "dev", CLIENT)[0]["stats64"]
    return link["tx" if reverse else "rx"]["bytes"]


def beside_bulk(lab, reverse, seconds, idle):
    server = lab.start("host", "iperf3", *FIRST, "iperf3", "-s", "-1", "-B", LAN_HOST, "--forceflush")
    server.wait_log("Server listening")
    bulk = lab.start(CLIENT, "bulk", *FIRST, "iperf3", "-J", "-C", "cubic", "-c", LAN_HOST, "-t", str(seconds + 4), "-O", "2",
                     *(["-R"] if reverse else []))
    play = game(lab, seconds + 2)
    time.sleep(3)
    started, before = time.monotonic(), line_bytes(lab, reverse)
    time.sleep(seconds - 2)
    used = (line_bytes(lab, reverse) - before) * 8 / (time.monotonic() - started)
    result = game_result(play, idle)
    wait_for(lambda: bulk.exit_status() is not None, 60, "the bulk transfer's end")
    report = json.loads(bulk.log())
    result["mbit_per_second"] = report["end"]["sum_received"]["bits_per_second"] / 1e6
    result["line_percent"] = 100 * used / RATE
    return result


def run_once(lab, started, seconds):
    put_first(started)
    idle = game_result(game(lab, 5))
    return {"idle": idle, "to_lan": beside_bulk(lab, False, seconds, idle),
            "from_lan": beside_bulk(lab, True, seconds, idle)}
