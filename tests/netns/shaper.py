"""tests/netns/shaper.py: a lossy cable between two namespaces, in user space: needs no kernel support but TAP.

Both ends are TAP devices; a thread carries frames across and loses a given part of them in each direction, decided by
a seeded generator. TAP devices offer the kernel no offloads, so frames cross as they would on a wire.
"""
import fcntl
import os
import random
import select
import struct
import subprocess
import threading

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


def _open_tap(name):
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


class Shaper:
    """`a` and `b` are (host, device name) of the two ends. `loss` (0..1) may be changed at any time."""

    def __init__(self, lab, a, b, seed=1):
        self.loss, self.carried, self.lost = 0.0, 0, 0
        self._random = random.Random(seed)
        self._fds = []
        for number, (host, device) in enumerate((a, b)):
            name = f'lps{os.getpid() % 1000000}{number}'  # unique while it is in this namespace
            self._fds.append(_open_tap(name))
            subprocess.run(['ip', 'link', 'set', name, 'netns', lab.ns(host), 'name', device], check=True)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self):
        one, two = self._fds
        while True:
            ready = select.select([one, two, self._stop_read], [], [])[0]
            if self._stop_read in ready:
                return
            for source in ready:
                self._drain(source, two if source == one else one)

    def _drain(self, source, target):
        for _ in range(64):
            try:
                frame = os.read(source, 65536)
            except OSError:
                return
            if self._random.random() < self.loss:
                self.lost += 1
                continue
            self.carried += 1
            try:
                os.write(target, frame)
            except OSError:
                self.lost += 1  # the far end is down or full

    def close(self):
        os.write(self._stop_write, b'x')
        self._thread.join()
        for fd in (*self._fds, self._stop_read, self._stop_write):
            os.close(fd)
