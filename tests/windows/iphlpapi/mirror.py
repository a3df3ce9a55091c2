#!/usr/bin/python3
"""tests/windows/iphlpapi/mirror.py PORT: makes in Linux what the fake iphlpapi.dll is asked to change. Runs in the
network namespace of its Wine prefix, takes requests on UDP 127.0.0.1:PORT until it is ended, answers "ok" or "no".

  add DEST/PREFIX NEXT-HOP INTERFACE      NEXT-HOP is 0.0.0.0 or :: when the destination is on the wire
  del DEST/PREFIX NEXT-HOP INTERFACE
  mtu INTERFACE BYTES
"""
import socket
import subprocess
import sys


def command(words):
    """The `ip` command for a request; None when it is no request."""
    if len(words) == 3 and words[0] == 'mtu':
        return ['ip', 'link', 'set', 'dev', words[1], 'mtu', words[2]]
    if len(words) == 4 and words[0] in ('add', 'del'):
        via = [] if words[2] in ('0.0.0.0', '::') else ['via', words[2]]
        family = '-6' if ':' in words[1] else '-4'
        return ['ip', family, 'route', words[0], words[1], *via, 'dev', words[3]]
    return None


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(('127.0.0.1', int(sys.argv[1])))
    while True:
        request, sender = server.recvfrom(512)
        run = command(request.decode('ascii', 'replace').split())
        done = run is not None and subprocess.run(run).returncode == 0
        server.sendto(b'ok' if done else b'no', sender)


if __name__ == '__main__':
    main()
