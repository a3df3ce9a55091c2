"""The whole party once with the binaries built with ASan and UBSan: leases, traffic, attacks, a clean end."""
import os
import unittest

from frames import attacks, friendly
from lab import HOST_ADDRESS, ROOT, Lab
from party import CLIENT_MACS, TAP, Party
from wire import send_frames

BUILD = os.path.join(ROOT, 'build', 'asan')


@unittest.skipUnless(os.path.isdir(BUILD), 'build/asan is not there (tools/build asan)')
class TestSanitized(unittest.TestCase):
    def test_party(self):
        with Lab() as lab:
            lab.start_dnsmasq()
            party = Party(lab, build=BUILD, log_level='trace').start(unsafe=['client2'])
            address = lab.lease('client1', TAP)
            lab.ping('client1', HOST_ADDRESS, 20)
            lab.ping('host', address, 20)
            lab.start_iperf3('host', HOST_ADDRESS)
            for options in ((), ('--reverse',)):
                lab.run('client1', 'iperf3', '--client', HOST_ADDRESS, '--time', '2', *options)
            for host, device, mac in (('client2', TAP, CLIENT_MACS['client2']),
                                      ('host', 'eth0', lab.mac('host', 'eth0'))):
                send_frames(lab, host, device, [*attacks(mac).values(), *friendly(mac).values()])
            party.gateway.kill()
            party.start_gateway()
            lab.wait_ping('client1', HOST_ADDRESS, 45)
            party.check_programs()
            party.stop()
            for program in (party.relay, party.gateway, *party.clients.values()):
                for word in ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:'):
                    self.assertNotIn(word, program.log())
