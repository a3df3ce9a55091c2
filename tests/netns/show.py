"""tests/netns/show.py: what ./demo shows: a lab, the real binaries, and each promise as it is kept."""
import argparse
import json
import os
import shlex
import sys
import time

from game import PORT
from lab import HERE, HOST_ADDRESS, ROUTER_ADDRESS, UPLINKS, Lab, LabError, end_on_signals, wait_for
from party import TAP, Party

PICTURE = f'''
   client1 {UPLINKS['client1'][0]} ──┐                             ┌── router {ROUTER_ADDRESS} (dnsmasq: DHCP)
                        ├── relay {UPLINKS['relay'][0]} ── gateway ── LAN switch
   client2 {UPLINKS['client2'][0]} ─┘                             └── host   {HOST_ADDRESS} (a game server)
'''


def say(text=''):
    print(text, flush=True)


def short(command, lab):
    """A command line as in the README: without the paths of this machine."""
    words = [word.replace(lab.folder + '/', '') for word in command]
    words[0] = os.path.basename(words[0])
    return shlex.join(words)


class Step:
    """Prints what is tried, then what came out; an error goes on its way."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        print(f'  {self.text:<54}', end='', flush=True)
        self.result = 'ok'
        return self

    def __exit__(self, kind, value, trace):
        say(self.result if kind is None else 'FAILED' if issubclass(kind, LabError) else 'stopped')


def start(lab, party):
    say('Starting:')
    lab.start_dnsmasq()
    lab.start('host', 'game-server', sys.executable, '-B', os.path.join(HERE, 'game.py'), 'serve', 'eth0', 'arena')
    party.start_relay()
    party.start_gateway()
    for host in ('client1', 'client2'):
        party.start_client(host)
    for host, program in (('relay', party.relay), ('gateway', party.gateway), *party.clients.items()):
        say(f'  {host + "#":<9}{short(program.command, lab)}')
    say()
    with Step('gateway and clients join room ROOM1') as step:
        party.wait_joined(('client1', 'client2'))
        step.result = f'TAP MTU {party.room_status()["mtu"]}'


def megabits(run):
    return json.loads(run.stdout)['end']['sum_received']['bits_per_second'] / 1e6


def promises(lab, party):
    addresses = {}
    for host in ('client1', 'client2'):
        with Step(f'{host}: DHCP lease from the LAN through the tunnel') as step:
            step.result = addresses[host] = wait_for(lambda host=host: lab.addresses(host, TAP), 20, 'an address')[0]
    for host in ('client1', 'client2'):
        with Step(f'{host}: broadcast "who plays?" (UDP {PORT})') as step:
            run = lab.run(host, sys.executable, '-B', os.path.join(HERE, 'game.py'), 'query', TAP, '8')
            step.result = f'answered by {" at ".join(run.stdout.split())}'
    for host, target, name in (('client1', HOST_ADDRESS, 'LAN host'), ('client2', HOST_ADDRESS, 'LAN host'),
                               ('client1', addresses['client2'], 'client2')):
        with Step(f'{host}: ping {name}') as step:
            step.result = f'{lab.ping(host, target, 5, TAP):.2f} ms'
    lab.start_iperf3('host', HOST_ADDRESS)
    for text, options in (('to the LAN', ()), ('from the LAN', ('--reverse',))):
        with Step(f'client1: TCP {text}, 2 s') as step:
            run = lab.run('client1', 'iperf3', '--client', HOST_ADDRESS, '--time', '2', '--json', *options)
            step.result = f'{megabits(run):.0f} Mbit/s'
    party.check_programs()


def table(party):
    """Peers and counters of the room, from the relay's status socket."""
    room = party.room_status()
    rows = [('peer', 'role', 'MAC', 'round trip', 'frames from it', 'to it', 'dropped', 'seen')]
    for peer in room.get('peers', ()):
        received, sent = peer['rx'], peer['tx']
        dropped = {**received.get('drops', {})}
        for reason, count in sent.get('drops', {}).items():
            dropped[reason] = dropped.get(reason, 0) + count
        rows.append((str(peer['id']), peer['role'], peer.get('mac', '(the LAN)'), f'{peer.get("rtt_us", 0) / 1000:.2f} ms',
                     str(received.get('tunnel_rx_datagrams', 0)), str(sent.get('tunnel_tx_datagrams', 0)),
                     ' '.join(f'{reason}={count}' for reason, count in sorted(dropped.items()) if count) or '-',
                     f'{peer.get("last_seen_ms", 0) / 1000:.1f} s ago'))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ['  ' + '  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def live(party, deadline):
    """Redraws the table each second on a terminal; prints it every five seconds elsewhere."""
    terminal, drawn, turn = sys.stdout.isatty(), 0, 0
    say('\nThe room, as the relay sees it' + ('' if deadline else ' (Ctrl-C ends)') + ':')
    while True:
        party.check_programs()
        lines = table(party)
        if len(lines) < 4:
            raise LabError(f'only {len(lines) - 1} of 3 peers are in the room')
        if terminal and drawn:
            print(f'\x1b[{drawn}A\x1b[J', end='')
        if terminal or turn % 5 == 0:
            say('\n'.join(lines))
            drawn = len(lines)
        turn += 1
        left = 1.0 if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(1.0, left))


def show(seconds):
    deadline = None if seconds is None else time.monotonic() + seconds
    with Lab() as lab:
        party = Party(lab, dhcp=True)
        say(PICTURE)
        start(lab, party)
        promises(lab, party)
        try:
            live(party, deadline)
        except KeyboardInterrupt:
            say()
        with Step('everyone leaves'):
            party.stop()


def main():
    parser = argparse.ArgumentParser(prog='demo', description='a LAN party on one machine')
    parser.add_argument('--seconds', type=float, help='end by itself after this long (default: on Ctrl-C)')
    options = parser.parse_args()
    end_on_signals()
    try:
        show(options.seconds)
    except LabError as error:
        say(f'demo: {error}')
        return 1
    except KeyboardInterrupt:
        say('\ndemo: stopped before everything was shown')
        return 130
    say('Everything worked.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
