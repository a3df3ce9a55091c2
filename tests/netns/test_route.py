"""The relay stays reachable when the tunnel becomes the default route, and the pin is gone afterwards (LNX-1)."""
import unittest

from lab import HOST_ADDRESS, ROUTER_ADDRESS, UPLINKS, Lab, wait_for
from party import CLIENT_ADDRESSES, TAP, Party

RELAY = UPLINKS['relay'][0]


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
