#!/usr/bin/python3
"""tests/netns/game.py: a little LAN game, only its discovery: who wants to play broadcasts a query, servers answer.

  game.py serve DEVICE NAME       answers each query on DEVICE
  game.py query DEVICE SECONDS    broadcasts one query a second; prints "NAME ADDRESS" of each server that answers
"""
import socket
import struct
import sys
import time

PORT = 27960
QUERY, ANSWER = b'lanparty-game query ', b'lanparty-game server '
SO_BINDTODEVICE = 25


def open_socket(device, port):
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, device.encode())
    link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    link.bind(('', port))
    return link


def serve(device, name):
    link = open_socket(device, PORT)
    print('serving', flush=True)
    while True:
        query, sender = link.recvfrom(2048)
        if query.startswith(QUERY):
            print(f'query from {sender[0]}', flush=True)
            link.sendto(ANSWER + name.encode() + b' ' + query[len(QUERY):], sender)


def query(device, seconds):
    link = open_socket(device, 0)
    deadline, found = time.monotonic() + seconds, set()
    while time.monotonic() < deadline:
        nonce = struct.pack('!d', time.time()).hex().encode()
        link.sendto(QUERY + nonce, ('255.255.255.255', PORT))
        end = min(deadline, time.monotonic() + 1)
        while (left := end - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                answer, sender = link.recvfrom(2048)
            except socket.timeout:
                break
            if answer.startswith(ANSWER) and answer.endswith(b' ' + nonce):
                found.add((answer[len(ANSWER):].split()[0].decode(), sender[0]))
        if found:
            break
    for name, address in sorted(found):
        print(name, address)
    return 0 if found else 1


if __name__ == '__main__':
    if len(sys.argv) == 4 and sys.argv[1] == 'serve':
        sys.exit(serve(sys.argv[2], sys.argv[3]))
    if len(sys.argv) == 4 and sys.argv[1] == 'query':
        sys.exit(query(sys.argv[2], float(sys.argv[3])))
    sys.exit(__doc__)
