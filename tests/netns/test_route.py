"""The relay stays reachable when the tunnel becomes the default route, and the pin is gone afterwards (LNX-1)."""
import re
import time
import unittest

from lab import HOST_ADDRESS, ROUTER_ADDRESS, UPLINKS, Lab, wait_for
from party import CLIENT_ADDRESSES, SANITIZERS, TAP, Party

RELAY = UPLINKS['relay'][0]
PIN = '76'  # lanparty's own routes
SECOND_ROUTER = '192.0.2.3'
# A route of no importance comes and goes: rtnetlink by hand, as a program for each change would be too slow.
NOISE = """
import os, socket, struct, time
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
body = struct.pack('=8BI', socket.AF_INET, 24, 0, 0, 254, 4, 253, 1, 0)
body += struct.pack('=HH4s', 8, 1, socket.inet_aton('198.18.0.0')) + struct.pack('=HHI', 8, 4, socket.if_nametoindex('lo'))
while True:
    for kind, flags in ((24, 0x401), (25, 1)):  # RTM_NEWROUTE, RTM_DELROUTE
        news.send(struct.pack('=IHHII', 16 + len(body), kind, flags, 0, 0) + body)
        time.sleep(0.04)
"""


class TestRoute(unittest.TestCase):
    def test_relay_route_is_pinned(self):
        with Lab() as lab:
            before = lab.ip('client1', 'route', 'show')
            party = Party(lab).start(['client1'], static=True)
            lab.ip('client1', 'route', 'replace', 'default', 'via', ROUTER_ADDRESS, 'dev', TAP)
            self.assertIn('dev up0', wait_for(lambda: lab.ip('client1', 'route', 'get', RELAY), 5, 'a route'))
            for _ in range(3):
                lab.ping('client1', HOST_ADDRESS)
            party.check_programs()
            lab.ip('client1', 'route', 'replace', 'default', 'via', UPLINKS['client1'][2], 'dev', 'up0')
            party.stop()
            self.assertEqual(lab.ip('client1', 'route', 'show'), before)

    def test_pin_follows_in_spite_of_constant_news(self):
        """Where a routing daemon changes some route every 40 ms, the check is not put off for ever."""
        with Lab() as lab:
            Party(lab).start(['client1'])
            lab.ip('inet', 'addr', 'add', SECOND_ROUTER + '/26', 'dev', 'client1')
            noise = lab.start('client1', 'noise', 'python3', '-c', NOISE)
            time.sleep(1)
            self.assertNotIn(SECOND_ROUTER, lab.ip('client1', 'route', 'show', 'proto', PIN))
            lab.ip('client1', 'route', 'replace', 'default', 'via', SECOND_ROUTER)
            wait_for(lambda: SECOND_ROUTER in lab.ip('client1', 'route', 'show', 'proto', PIN), 4, 'the pin')
            noise.kill()

    def test_way_is_open_again(self):
        """While no way leads to the relay, or only the tunnel, nothing is tried; when there is one it is at once."""
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            lab.ip('client1', 'link', 'set', 'up0', 'down')
            client = party.start_client('client1')
            client.wait_log('no way leads there', 5)
            lab.ip('client1', 'route', 'add', 'default', 'dev', TAP, 'metric', '50')
            wait_for(lambda: re.search(r'no way leads there" retry_ms=([89]|1\d)\d{3}\.', client.log()), 60, 'a long pause')
            lab.ip('client1', 'link', 'set', 'up0', 'up')
            lab.ip('client1', 'route', 'add', 'default', 'via', UPLINKS['client1'][2], 'metric', '100')
            client.wait_log('session_joined', 5)

    def test_way_of_one_of_two_addresses_is_open_again(self):
        """Of a name's two addresses, neither of which any way leads to, it is the one that was not tried last."""
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            routers = {UPLINKS['relay'][0]: UPLINKS['client1'][2], UPLINKS['relay'][3] + '2': UPLINKS['client1'][3] + '1'}
            with open(lab.path('hosts'), 'w', encoding='ascii') as hosts:
                hosts.writelines(f'{address} relay.test\n' for address in routers)
            for family in ('-4', '-6'):
                lab.ip('client1', family, 'route', 'del', 'default')
            client = lab.start('client1', 'client1', 'sh', '-c', f'mount --bind {lab.path("hosts")} /etc/hosts && exec "$@"', 'sh',
                               *party.client_command('client1', relay='relay.test:4433'), env=SANITIZERS)
            wait_for(lambda: re.search(r'no way leads there" retry_ms=([89]|1\d)\d{3}\.', client.log()), 60, 'a long pause')
            first = re.search(r'relay_not_tried relay=\[?([0-9a-f.:]+)\]?:4433', client.log()).group(1)
            lab.ip('client1', '-6' if ':' in first else '-4', 'route', 'add', 'default', 'via', routers[first])
            client.wait_log('session_joined', 5)

    def test_a_rule_that_leads_into_the_tunnel(self):
        """What this machine's owner has ruled is no way that opens: the pauses between tries stay."""
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            client = party.start_client('client1')
            client.wait_log('session_joined', 10)
            lab.ip('client1', 'route', 'add', RELAY, 'dev', TAP, 'table', '99')
            lab.ip('client1', 'rule', 'add', 'to', RELAY, 'lookup', '99')
            party.relay.stop()
            wait_for(lambda: re.search(r'no way leads there" retry_ms=([5-9]|1\d)\d{3}\.', client.log()), 60, 'a long pause')
            tries = client.log().count('relay_not_tried')
            time.sleep(2)
            self.assertLessEqual(client.log().count('relay_not_tried'), tries + 1)
            lab.ip('client1', 'rule', 'del', 'to', RELAY, 'lookup', '99')
            client.wait_log('relay_connecting', 10, count=client.log().count('relay_connecting') + 1)

    def test_relay_over_ipv6(self):
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            address = f'[{UPLINKS["relay"][3]}2]:4433'
            party.start_gateway(relay=address)
            party.start_client('client1', relay=address)
            party.wait_joined(['client1'])
            self.assertIn(UPLINKS['client1'][3], party.peer('client1')['remote'])
            lab.ip('client1', 'addr', 'add', f'{CLIENT_ADDRESSES["client1"]}/24', 'dev', TAP)
            lab.ping('client1', HOST_ADDRESS)
