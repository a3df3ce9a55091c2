"""A game beside bulk transfers over a slow line.

The client's uplink is bench/link.c: RATE in both directions, DELAY each way, and a buffer as deep as home routers have.
The bulk transfer is one TCP flow, or four, with CUBIC, as most systems have it. The line takes little of the processor;
still one system at a time, since what comes first at all costs would keep others from the processor.
"""

import os
import subprocess
import time

from lab import Lab
from measure import FIRST, GAME_HZ, Bulk, Game, device_bytes, idle_cpu, put_first, start_echo
from peers import CLIENT

RATE = 20_000_000  # bit/s
DELAY_US = 10_000
BUFFER = 500_000  # bytes: 200 ms
START_SECONDS = 2  # in which controllers find the line's rate: told apart from what follows


def columns():
    found = [("busiest daemon's idle CPU, %", ("idle_cpu", "busiest_percent"), 2, False),
             ("idle RTT over the line p50, ms", ("idle", "rtt_p50_ms"), 1, False),
             ("idle RTT over the line p99, ms", ("idle", "rtt_p99_ms"), 1, False)]
    for flows in (1, 4):
        for key, what in (("to_lan", "upload"), ("from_lan", "download")):
            run, path = f"{what} of {flows} {'flow' if flows == 1 else 'flows'}", f"{key}_{flows}"
            found += [(f"{run}: game RTT p50, ms", (path, "rtt_p50_ms"), 1, False),
                      (f"{run}: added to the game, p99, ms", (path, "added_p99_ms"), 1, False),
                      (f"{run}: the same with its first {START_SECONDS} s, ms", (path, "added_whole_p99_ms"), 1, False),
                      (f"{run}: game packets lost, %", (path, "lost_percent"), 2, False),
                      (f"{run}: Mbit/s of TCP payload", (path, "mbit_per_second"), 2, True),
                      (f"{run}: line in use, %", (path, "line_percent"), 1, True)]
    return found


COLUMNS = columns()


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


def beside_bulk(lab, tools, reverse, flows, seconds, idle):
    way = "tx" if reverse else "rx"
    bulk = Bulk(lab, reverse, flows, seconds + 1, FIRST, ["-C", "cubic", "-O", str(START_SECONDS)])
    game = Game(lab, tools, GAME_HZ, START_SECONDS + seconds)
    time.sleep(START_SECONDS)
    started, before = time.monotonic(), device_bytes(lab, "inet", CLIENT, way)
    time.sleep(seconds - 0.5)
    used = (device_bytes(lab, "inet", CLIENT, way) - before) * 8 / (time.monotonic() - started)
    result = game.result(START_SECONDS)
    return {**result, **bulk.result(), "line_percent": 100 * used / RATE,
            "added_p99_ms": result["rtt_p99_ms"] - idle["rtt_p50_ms"],
            "added_whole_p99_ms": result["whole_p99_ms"] - idle["rtt_p50_ms"]}


def run_once(lab, started, tools, seconds, idle_seconds, flow_counts):
    start_echo(lab, tools)
    result = {"idle_cpu": idle_cpu(started, idle_seconds)}
    put_first(started)
    result["idle"] = Game(lab, tools, GAME_HZ, min(3, seconds)).result()
    for flows in flow_counts:
        for key, reverse in (("to_lan", False), ("from_lan", True)):
            result[f"{key}_{flows}"] = beside_bulk(lab, tools, reverse, flows, seconds, result["idle"])
    return result
