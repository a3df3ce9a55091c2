"""What is measured on a running system, and how: iperf3 for TCP, bench/stream.c for games and small frames, the
scheduler's account for CPU time.

A game is 64 UDP packets a second of 200 bytes, answered by the LAN host. Its two ends come first with a real-time
priority, since they are what measures; the daemons run as they were started. Idle round trips are measured once more
with real-time daemons: what else runs on a shared machine must not pass for the tunnel's delay.
"""

import json
import os
import statistics
import subprocess
import time

from lab import HOST_ADDRESS as LAN_HOST, wait_for
from peers import CLIENT, TUNNEL, process_cpu_seconds

CLIENT_ON_LAN = "192.168.77.77"
FIRST = ["chrt", "--rr", "5"]
GAME_HZ = 64
FRAME_BYTES = 200
IDLE_HZ = 500
ECHO_PORT, SINK_PORT = "7001", "7002"
LOSS_PERMILLE = "10"
STEP_MS_PER_SECOND = 75  # of the search for the highest rate
START_SECONDS = 1  # of TCP, which are not measured

COLUMNS = [
    ("TCP to LAN, Mbit/s", ("to_lan_1", "mbit_per_second"), 0, True),
    ("TCP from LAN, Mbit/s", ("from_lan_1", "mbit_per_second"), 0, True),
    ("daemon CPU to LAN, s/GB", ("to_lan_1", "daemon_cpu_s_per_gb"), 2, False),
    ("daemon CPU from LAN, s/GB", ("from_lan_1", "daemon_cpu_s_per_gb"), 2, False),
    ("machine CPU to LAN, s/GB", ("to_lan_1", "machine_cpu_s_per_gb"), 2, False),
    ("machine CPU from LAN, s/GB", ("from_lan_1", "machine_cpu_s_per_gb"), 2, False),
    ("idle RTT p50, ms", ("idle", "rtt_p50_ms"), 3, False),
    ("idle RTT p99, ms", ("idle", "rtt_p99_ms"), 3, False),
    ("idle RTT p50, ms, real-time daemons", ("idle_first", "rtt_p50_ms"), 3, False),
    ("idle RTT p99, ms, real-time daemons", ("idle_first", "rtt_p99_ms"), 3, False),
    *[(f"{what}, {flows} TCP {'flow' if flows == 1 else 'flows'} {way}", (f"{key}_{flows}", figure), digits, False)
      for flows in (1, 4) for key, way in (("to_lan", "to LAN"), ("from_lan", "from LAN"))
      for what, figure, digits in (("game RTT p50, ms", "rtt_p50_ms", 2), ("game RTT p99, ms", "rtt_p99_ms", 2),
                                   ("game packets lost, %", "lost_percent", 2))],
    ("4 TCP flows to LAN, Mbit/s", ("to_lan_4", "mbit_per_second"), 0, True),
    ("4 TCP flows from LAN, Mbit/s", ("from_lan_4", "mbit_per_second"), 0, True),
    ("small frames at < 1 % loss, 1/s", ("small", "per_second"), 0, True),
    ("resident memory of the daemons, MiB", ("resident_mib",), 1, False),
]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine_busy_seconds():
    with open("/proc/stat") as stat:
        fields = [int(value) for value in stat.readline().split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / 100


def put_first(started):
    """Real-time priority for the daemons; returns what put_back takes."""
    before = []
    for task in started.tasks():
        before.append((task, os.sched_getscheduler(task), os.sched_getparam(task)))
        os.sched_setscheduler(task, os.SCHED_RR, os.sched_param(int(FIRST[2])))
    return before


def put_back(before):
    for task, policy, parameters in before:
        os.sched_setscheduler(task, policy, parameters)


def wait_end(process, seconds):
    wait_for(lambda: process.exit_status() is not None, seconds, f"the end of {process.label}", interval=0.02)
    if process.exit_status() != 0:
        raise RuntimeError(f"{process.label}: status {process.exit_status()}: {process.log()[-500:]}")
    return process.log()


class Game:
    def __init__(self, lab, tools, hz, seconds):
        self.hz, self.seconds = hz, seconds
        self.process = lab.start(CLIENT, "game", *FIRST, tools["stream"], "game", LAN_HOST, ECHO_PORT, str(hz),
                                 str(FRAME_BYTES), str(seconds))

    def result(self, skip_seconds=0):
        """Of the packets after the first seconds; lost are all that are."""
        report = json.loads(wait_end(self.process, self.seconds + 20))
        trips = report["rtt_us"]
        later = [trip / 1000 for trip in trips[int(skip_seconds * self.hz):] if trip is not None]
        whole = [trip / 1000 for trip in trips if trip is not None]
        if not later:
            raise RuntimeError("no packet of the game came back")
        return {"rtt_p50_ms": statistics.median(later), "rtt_p99_ms": percentile(later, 0.99), "rtt_max_ms": max(later),
                "whole_p99_ms": percentile(whole, 0.99), "lost": len(trips) - len(whole), "sent": len(trips),
                "lost_percent": 100 * (len(trips) - len(whole)) / len(trips)}


def start_echo(lab, tools):
    return lab.start("host", "echo", *FIRST, tools["stream"], "echo", ECHO_PORT)


class Bulk:
    """TCP of some flows from the client to the LAN host, or back."""

    def __init__(self, lab, reverse, flows, seconds, before=(), more=()):
        self.seconds, self.reverse, self.lab = seconds, reverse, lab
        self.server = lab.start("host", "iperf3-server", *before, "iperf3", "-s", "-1", "-B", LAN_HOST, "--forceflush")
        self.server.wait_log("Server listening")
        self.process = lab.start(CLIENT, "iperf3", *before, "iperf3", "-J", "-c", LAN_HOST, "-P", str(flows), "-t",
                                 str(seconds), *(["-R"] if reverse else []), *more)

    def result(self):
        report = json.loads(wait_end(self.process, self.seconds + 30))
        wait_end(self.server, 10)
        end = report["end"]
        return {"mbit_per_second": end["sum_received"]["bits_per_second"] / 1e6,
                "retransmits": end["sum_sent"].get("retransmits", 0)}


def device_bytes(lab, host, device, way):
    return lab.ip_json(host, "-s", "link", "show", "dev", device)[0]["stats64"][way]["bytes"]


def saturate(lab, started, tools, reverse, flows, seconds):
    """As much TCP as goes, with a game beside it."""
    way = "rx" if reverse else "tx"
    cpu, busy, carried = started.cpu_seconds(), machine_busy_seconds(), device_bytes(lab, CLIENT, TUNNEL, way)
    bulk = Bulk(lab, reverse, flows, seconds, more=["-O", str(START_SECONDS)])
    time.sleep(START_SECONDS)
    game = Game(lab, tools, GAME_HZ, seconds)
    result = bulk.result()
    cpu, busy = started.cpu_seconds() - cpu, machine_busy_seconds() - busy
    gigabytes = (device_bytes(lab, CLIENT, TUNNEL, way) - carried) / 1e9
    return {**result, **game.result(), "daemon_cpu_s_per_gb": cpu / gigabytes,
            "machine_cpu_s_per_gb": busy / gigabytes}


def small_frames(lab, tools, seconds):
    sink = lab.start("host", "sink", tools["stream"], "sink", SINK_PORT)
    search = lab.start(CLIENT, "search", tools["stream"], "search", LAN_HOST, SINK_PORT, str(FRAME_BYTES - 42),
                       LOSS_PERMILLE, str(seconds * STEP_MS_PER_SECOND))
    result = json.loads(wait_end(search, 60))
    sink.stop()
    return result


def run_once(lab, started, tools, seconds, flow_counts):
    start_echo(lab, tools)
    result = {"idle": Game(lab, tools, IDLE_HZ, max(1, seconds // 2)).result()}
    before = put_first(started)
    result["idle_first"] = Game(lab, tools, IDLE_HZ, max(1, seconds // 2)).result()
    put_back(before)
    for flows in flow_counts:
        result[f"to_lan_{flows}"] = saturate(lab, started, tools, False, flows, seconds)
        result[f"from_lan_{flows}"] = saturate(lab, started, tools, True, flows, seconds)
    result["small"] = small_frames(lab, tools, seconds)
    result["resident_mib"] = started.resident_kib() / 1024
    return result


def idle_cpu(started, seconds):
    """The busiest daemon's share of a core while nothing happens, in percent."""
    before = [process_cpu_seconds(process.pid) for process in started.processes]
    began = time.monotonic()
    time.sleep(seconds)
    shares = [100 * (process_cpu_seconds(process.pid) - cpu) / (time.monotonic() - began)
              for process, cpu in zip(started.processes, before)]
    return {"busiest_percent": max(shares, default=0.0), "each_percent": shares}
