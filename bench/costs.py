"""What the data path's design rests on, measured again: system calls and devices alone, without our programs."""

import json
import os
import subprocess
import time

from forward import BURST, FRAME_BYTES, RELAY, RelayLab
from lab import Lab
from measure import wait_end
from peers import process_cpu_seconds

COLUMNS = [
    ("CPU to send a 1400-byte UDP packet, us", ("send_us",), 2, False),
    ("CPU to receive one, us", ("receive_us",), 2, False),
    ("TCP over two TAPs, Mbit/s", ("tap_mbit_per_second",), 0, True),
    ("CPU of the program between the TAPs, s/GB", ("tap_cpu_s_per_gb",), 2, False),
]
PLAIN, OFFLOAD = "one by one", "in super-frames"


class TapLab(Lab):
    """Two hosts and bench/tap_io.c as the cable between them."""

    def __init__(self, binary, kind):
        super().__init__()
        self.binary, self.kind, self.process = binary, kind, None

    def _build(self):
        names = [f"lpt{os.getpid() % 1000000}{number}" for number in range(2)]
        self.process = subprocess.Popen([self.binary, *names, self.kind], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("tap-io did not start")
        for number, (name, host) in enumerate(zip(names, ("left", "right"))):
            self.add_host(host)
            subprocess.run(["ip", "link", "set", name, "netns", self.ns(host), "name", "tap0"], check=True)
            self.ip(host, "addr", "add", f"10.7.0.{1 + number}/24", "dev", "tap0")
            self.ip(host, "link", "set", "tap0", "up")

    def close(self):
        super().close()
        if self.process:
            self.process.kill()
            self.process.wait()


def taps(tools, kind, seconds):
    with TapLab(tools["tap-io"], kind) as lab:
        server = lab.start("right", "iperf3-server", "iperf3", "-s", "-1", "-B", "10.7.0.2", "--forceflush")
        server.wait_log("Server listening")
        cpu = process_cpu_seconds(lab.process.pid)
        report = json.loads(lab.run("left", "iperf3", "-J", "-c", "10.7.0.2", "-t", str(seconds)).stdout)
        cpu = process_cpu_seconds(lab.process.pid) - cpu
    received = report["end"]["sum_received"]
    return {"tap_mbit_per_second": received["bits_per_second"] / 1e6, "tap_cpu_s_per_gb": cpu / received["bytes"] * 1e9}


def udp(tools, kind, seconds):
    with RelayLab() as lab:
        drain = lab.start("relay", "drain", "taskset", "-c", "0", tools["udp-io"], "drain", f"{RELAY}:5001", str(seconds), kind)
        time.sleep(0.1)
        sent = lab.run("load", "taskset", "-c", f"1-{max(1, os.cpu_count() - 1)}", tools["udp-io"], "send",
                       f"{RELAY}:5001", str(FRAME_BYTES), str(BURST), str(seconds), kind).stdout
        received = wait_end(drain, 10)
    return {"send_us": json.loads(sent)["cpu_ns_per_packet"] / 1000,
            "receive_us": json.loads(received)["cpu_ns_per_packet"] / 1000}


def run_once(tools, offload, seconds):
    return {**udp(tools, "offload" if offload else "plain", seconds),
            **taps(tools, "super" if offload else "plain", seconds)}
