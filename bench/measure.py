"""What is measured on a running system, and how: ping for round trips, iperf3 for TCP, /proc for CPU time."""

import json
import re
import statistics
import time

LAN_HOST = "10.60.0.10"
CLIENT_ON_LAN = "10.60.0.77"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def wait_reachable(lab, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if lab.client.call("ping", "-c", "1", "-W", "1", LAN_HOST) == 0:
            return
        time.sleep(0.2)
    raise RuntimeError("the LAN host cannot be reached through the tunnel")


def parse_ping(text):
    times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", text)]
    sent = int(re.search(r"(\d+) packets transmitted", text).group(1))
    if not times:
        raise RuntimeError("no ping came back")
    return {"rtt_p50_ms": statistics.median(times), "rtt_p99_ms": percentile(times, 0.99),
            "ping_loss": 1 - len(times) / sent}


def rtt(host, address, count=400, interval=0.01):
    return parse_ping(host.output("ping", "-n", "-i", str(interval), "-c", str(count), "-s", "100", address))


def machine_busy_seconds():
    with open("/proc/stat") as stat:
        fields = [int(value) for value in stat.readline().split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / 100


def tcp(lab, started, reverse, seconds):
    """One TCP flow from the client to the LAN host (or back), with a ping beside it."""
    server = lab.lan.popen("iperf3", "-s", "-1", "-B", LAN_HOST)
    time.sleep(0.3)
    command = ["iperf3", "-J", "-c", LAN_HOST, "-t", str(seconds), "-O", "1"] + (["-R"] if reverse else [])
    cpu, busy = started.cpu_seconds(), machine_busy_seconds()
    ping = lab.client.popen("ping", "-n", "-i", "0.01", "-w", str(seconds + 1), "-s", "100", LAN_HOST, capture=True)
    report = json.loads(lab.client.output(*command))
    cpu, busy = started.cpu_seconds() - cpu, machine_busy_seconds() - busy
    loaded = parse_ping(ping.communicate()[0])
    server.wait(5)
    end = report["end"]
    # Omitted seconds cost CPU too: their bytes are estimated at the measured rate.
    gigabytes = end["sum_received"]["bits_per_second"] / 8 * (seconds + 1) / 1e9
    return {"mbit_per_second": end["sum_received"]["bits_per_second"] / 1e6,
            "daemon_cpu_s_per_gb": cpu / gigabytes, "machine_cpu_s_per_gb": busy / gigabytes,
            "retransmits": end["sum_sent"].get("retransmits", 0),
            "loaded_rtt_p50_ms": loaded["rtt_p50_ms"], "loaded_rtt_p99_ms": loaded["rtt_p99_ms"],
            "loaded_ping_loss": loaded["ping_loss"]}


def run_once(lab, started, seconds):
    result = {"idle": rtt(lab.client, LAN_HOST)}
    result["to_lan"] = tcp(lab, started, False, seconds)
    result["from_lan"] = tcp(lab, started, True, seconds)
    result["resident_kib"] = started.resident_kib()
    return result
