#!/usr/bin/python3
"""tests/netns/wire.py: raw Ethernet frames in and out of a device, one hex line a frame.

  wire.py send DEVICE FILE [PAUSE]   sends each frame of FILE, PAUSE seconds apart (0.02)
  wire.py capture DEVICE FILE        appends what arrives on DEVICE to FILE, until it is ended; prints "ready" first
"""
import itertools
import socket
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4

_numbers = itertools.count(1)


def open_packet(device, protocol):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    link.bind((device, protocol))
    return link


def send(device, path, pause):
    link = open_packet(device, 0)
    with open(path, encoding='ascii') as file:
        for line in file:
            link.send(bytes.fromhex(line))
            time.sleep(pause)


def capture(device, path):
    link = open_packet(device, ETH_P_ALL)
    print('ready', flush=True)
    with open(path, 'w', encoding='ascii') as file:
        while True:
            frame, sender = link.recvfrom(65536)
            if sender[2] != PACKET_OUTGOING:
                print(frame.hex(), file=file, flush=True)


# For the tests themselves: the two above as programs in a namespace, and pcap files read back.

def send_frames(lab, host, device, frames, pause=0.02):
    path = lab.path(f'send-{host}.hex')
    with open(path, 'w', encoding='ascii') as file:
        file.writelines(frame.hex() + '\n' for frame in frames)
    lab.run(host, sys.executable, '-B', __file__, 'send', device, path, str(pause))


class Capture:
    """What arrives on a device, from construction on."""

    def __init__(self, lab, host, device):
        self.path = lab.path(f'capture-{host}-{next(_numbers)}.hex')
        self.process = lab.start(host, f'capture-{host}', sys.executable, '-B', __file__, 'capture', device, self.path)
        self.process.wait_log('ready', 5)

    def frames(self):
        with open(self.path, encoding='ascii') as file:
            return [bytes.fromhex(line) for line in file if line.endswith('\n')]

    def close(self):
        self.process.kill()


class Tshark:
    """The same with tshark, which nobody here wrote."""

    def __init__(self, lab, host, device):
        self.path = lab.path(f'capture-{host}-{next(_numbers)}.pcap')
        self.process = lab.start(host, f'tshark-{host}', 'tshark', '-i', device, '-F', 'pcap', '-w', self.path, '-q')
        self.process.wait_log('Capture started|Capturing on', 20)

    def close(self):
        self.process.stop()

    def frames(self):
        """What tshark has written so far: a little later than it happened."""
        with open(self.path, 'rb') as file:
            data = file.read()
        if len(data) < 24:
            return []
        order = 'little' if data[2:4] == b'\xb2\xa1' else 'big'  # a1b2c3d4, or a1b23c4d with nanoseconds
        place, frames = 24, []
        while place + 16 <= len(data):
            length = int.from_bytes(data[place + 8:place + 12], order)
            if place + 16 + length > len(data):
                break
            frames.append(data[place + 16:place + 16 + length])
            place += 16 + length
        return frames


if __name__ == '__main__':
    if len(sys.argv) in (4, 5) and sys.argv[1] == 'send':
        sys.exit(send(sys.argv[2], sys.argv[3], float((sys.argv + ['0.02'])[4])))
    if len(sys.argv) == 4 and sys.argv[1] == 'capture':
        sys.exit(capture(sys.argv[2], sys.argv[3]))
    sys.exit(__doc__)
