"""What is measured on a running system, and how: ping for round trips, iperf3 for TCP, /proc for CPU time."""

import json
import re
import statistics
import time

from lab import HOST_ADDRESS as LAN_HOST
from peers import CLIENT

CLIENT_ON_LAN = "192.168.77.77"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def parse_ping(text):
    times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", text)]
    sent = int(re.search(r"(\d+) packets transmitted", text).group(1))
    if not times:
        raise RuntimeError("no ping came back")
    return {"rtt_p50_ms": statistics.median(times), "rtt_p99_ms": percentile(times, 0.99),
            "ping_loss": 1 - len(times) / sent}


def rtt(lab, address, count=400, interval=0.01):
    return parse_ping(lab.run(CLIENT, "ping", "-n", "-i", str(interval), "-c", str(count), "-s", "100", address).stdout)


def machine_busy_seconds():
    with open("/proc/stat") as stat:
        fields = [int(value) for value in stat.readline().split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / 100


def tcp(lab, started, reverse, seconds):
    """One TCP flow from the client to the LAN host (or back), with a ping beside it."""
    server = lab.start("host", "iperf3", "iperf3", "-s", "-1", "-B", LAN_HOST, "--forceflush")
    server.wait_log("Server listening")
    command = ["iperf3", "-J", "-c", LAN_HOST, "-t", str(seconds), "-O", "1"] + (["-R"] if reverse else [])
    cpu, busy = started.cpu_seconds(), machine_busy_seconds()
    ping = lab.start(CLIENT, "ping", "ping", "-n", "-i", "0.01", "-w", str(seconds + 1), "-s", "100", LAN_HOST)
    report = json.loads(lab.run(CLIENT, *command).stdout)
    cpu, busy = started.cpu_seconds() - cpu, machine_busy_seconds() - busy
    ping.popen.wait(5)
    server.popen.wait(5)
    loaded = parse_ping(ping.log())
    end = report["end"]
    # Omitted seconds cost CPU too: their bytes are estimated at the measured rate.
    gigabytes = end["sum_received"]["bits_per_second"] / 8 * (seconds + 1) / 1e9
    return {"mbit_per_second": end["sum_received"]["bits_per_second"] / 1e6,
            "daemon_cpu_s_per_gb": cpu / gigabytes, "machine_cpu_s_per_gb": busy / gigabytes,
            "retransmits": end["sum_sent"].get("retransmits", 0),
            "loaded_rtt_p50_ms": loaded["rtt_p50_ms"], "loaded_rtt_p99_ms": loaded["rtt_p99_ms"],
            "loaded_ping_loss": loaded["ping_loss"]}


def run_once(lab, started, seconds):
    result = {"idle": rtt(lab, LAN_HOST)}
    result["to_lan"] = tcp(lab, started, False, seconds)
    result["from_lan"] = tcp(lab, started, True, seconds)
    result["resident_kib"] = started.resident_kib()
    return result
