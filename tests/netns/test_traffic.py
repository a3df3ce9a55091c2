"""Everyday traffic: ping, ARP, TCP both ways, UDP, IPv6, and packets of every size up to the MTU and beyond it."""
import json
import time

from lab import HOST_ADDRESS, wait_for
from party import CLIENT_ADDRESSES, TAP, PartyCase


class TestTraffic(PartyCase):
    def iperf(self, *options, client='client1', server='host', address=HOST_ADDRESS):
        program = self.lab.start_iperf3(server, address)
        self.addCleanup(program.kill)
        run = self.lab.run(client, 'iperf3', '--client', address, '--time', '2', '--json', *options, timeout=30)
        program.kill()
        return json.loads(run.stdout)['end']

    def counters(self, host):
        return self.party.peer(host)['rx']

    def test_ping_both_ways(self):
        self.lab.ping('client1', HOST_ADDRESS)
        self.lab.ping('host', CLIENT_ADDRESSES['client1'])
        self.lab.ping('client1', CLIENT_ADDRESSES['client2'])

    def test_arping_both_ways(self):
        for host, device, target, mac in (('client1', TAP, HOST_ADDRESS, self.lab.mac('host', 'eth0')),
                                          ('host', 'eth0', CLIENT_ADDRESSES['client1'], self.lab.mac('client1', TAP))):
            run = self.lab.run(host, 'arping', '-c', '2', '-w', '5', '-I', device, target)
            self.assertIn(mac.upper(), run.stdout.upper())

    def test_tcp_to_lan(self):
        self.assertGreater(self.iperf()['sum_received']['bytes'], 2_000_000)

    def test_tcp_from_lan(self):
        """Super-frames and checksums left to the port: the LAN host's kernel makes both on a veth."""
        self.assertGreater(self.iperf('--reverse')['sum_received']['bytes'], 2_000_000)

    def test_tcp_between_clients(self):
        end = self.iperf(server='client2', address=CLIENT_ADDRESSES['client2'])
        self.assertGreater(end['sum_received']['bytes'], 2_000_000)

    def test_udp_both_ways(self):
        for options in ((), ('--reverse',)):
            with self.subTest(options=options):
                total = self.iperf('--udp', '--bitrate', '5M', '--length', '1000', *options)['sum']
                self.assertGreater(total['packets'], 500)
                self.assertLess(total['lost_percent'], 5)

    def test_ipv6_link_local(self):
        target = self.lab.addresses('host', 'eth0', 'inet6')[0]
        self.lab.ping('client1', f'{target}%{TAP}')
        target = self.lab.addresses('client2', TAP, 'inet6')[0]
        self.lab.ping('client1', f'{target}%{TAP}')

    def test_every_size_up_to_the_mtu(self):
        mtu = self.party.room_status()['mtu']
        self.assertEqual(self.lab.ip_json('client1', 'link', 'show', 'dev', TAP)[0]['mtu'], mtu)
        for size in (16, 18, 500, 1000, mtu - 28):
            for source, target in (('client1', HOST_ADDRESS), ('host', CLIENT_ADDRESSES['client1'])):
                self.assertIsNotNone(self.lab.ping(source, target, 2, size=size, check=False), (source, size))

    def test_jumbo_is_refused_and_counted(self):
        mtu = self.party.room_status()['mtu']
        self.assertIsNone(self.lab.ping('client1', HOST_ADDRESS, 1, size=mtu - 27, check=False, deadline=2))
        before = self.gateway_drops()
        self.assertIsNone(self.lab.ping('host', CLIENT_ADDRESSES['client1'], 2, size=1472, check=False, deadline=2))
        wait_for(lambda: self.gateway_drops() >= before + 2, 15, 'drops for tap_mtu in the gateway\'s stats')
        self.lab.ping('client1', HOST_ADDRESS)

    def gateway_drops(self):
        gateway = next(peer for peer in self.party.peers() if peer['role'] == 'gateway')
        return gateway.get('stats', {}).get('counters', {}).get('drops', {}).get('tap_mtu', 0)

    def test_ip_fragments_pass(self):
        """A 5000-byte datagram: IPv4 fragments both ways, those of the LAN host made for the room's MTU."""
        client, mtu = CLIENT_ADDRESSES['client1'], self.party.room_status()['mtu']
        self.lab.ip('host', 'route', 'add', f'{client}/32', 'dev', 'eth0', 'mtu', str(mtu))
        self.addCleanup(self.lab.ip, 'host', 'route', 'del', f'{client}/32')
        self.lab.run('client1', 'ping', '-n', '-c', '3', '-i', '0.2', '-w', '5', '-s', '5000', HOST_ADDRESS)

    def test_games_do_not_wait_for_downloads(self):
        """Round trips beside a TCP flow stay in the range of the queues' age limit."""
        server = self.lab.start_iperf3('host', HOST_ADDRESS)
        self.addCleanup(server.kill)
        flow = self.lab.start('client1', 'iperf3-client', 'iperf3', '--client', HOST_ADDRESS, '--time', '4')
        flow.expected_end = True
        time.sleep(1)
        self.assertLess(self.lab.ping('client1', HOST_ADDRESS, 10), 400)
        flow.popen.wait(20)
