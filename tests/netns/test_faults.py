"""What breaks on real machines: each time the party goes on by itself, the TAP device and the address stay."""
import os
import resource
import time
import unittest

from lab import HOST_ADDRESS, UPLINKS, Lab, wait_for
from party import CLIENT_ADDRESSES, SERVER_NAME, TAP, Party

BACK_SECONDS = 45  # idle timeout (20 s) plus backoff, for peers that only silence can tell


class TestFaults(unittest.TestCase):
    def party(self, lab, **options):
        party = Party(lab, **options).start(static=True)
        for host in ('client1', 'client2'):
            lab.ping(host, HOST_ADDRESS)
        return party

    def goes_on(self, lab, party, seconds=BACK_SECONDS, hosts=('client1', 'client2')):
        """Pings both ways until they work again; the TAP still has its address."""
        took = 0.0
        for host in hosts:
            took += lab.wait_ping(host, HOST_ADDRESS, seconds)
            took += lab.wait_ping('host', CLIENT_ADDRESSES[host], seconds)
            self.assertEqual(lab.addresses(host, TAP), [CLIENT_ADDRESSES[host]])
        party.check_programs()
        print(f'     {self.id().split(".")[-1]}: on again after {took:.1f} s', flush=True)

    def test_relay_killed_and_restarted(self):
        """With a certificate from PEM files, as in production: the peers come back to the same relay."""
        with Lab() as lab:
            certificate, key = lab.path('relay.pem'), lab.path('relay.key')
            lab.run('relay', 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                    '-nodes', '-days', '2', '-subj', f'/CN={SERVER_NAME}', '-addext', f'subjectAltName=DNS:{SERVER_NAME}',
                    '-out', certificate, '-keyout', key)
            party = Party(lab, relay_options=['--cert', certificate, '--key', key])
            party.certificate = certificate  # peers pin the same file
            party.start(static=True)
            lab.ping('client1', HOST_ADDRESS)
            party.relay.kill()
            self.assertIsNone(lab.ping('client1', HOST_ADDRESS, 1, check=False, deadline=1))
            party.start_relay()
            self.goes_on(lab, party)

    def test_gateway_killed_and_restarted(self):
        with Lab() as lab:
            party = self.party(lab)
            party.gateway.kill()
            lab.ping('client1', CLIENT_ADDRESSES['client2'])  # clients still have each other
            party.start_gateway()
            self.goes_on(lab, party)  # at once: the new gateway takes the old one's seat

    def test_client_killed_and_restarted(self):
        with Lab() as lab:
            party = self.party(lab)
            party.clients['client1'].kill()
            party.start_client('client1')
            wait_for(lambda: lab.has_carrier('client1', TAP), 20, 'the TAP device')
            lab.ip('client1', 'addr', 'replace', f'{CLIENT_ADDRESSES["client1"]}/24', 'dev', TAP)
            self.goes_on(lab, party, 20)

    def test_lan_cable_pulled(self):
        with Lab() as lab:
            party = self.party(lab)
            lab.ip('lan', 'link', 'set', 'gateway', 'down')
            wait_for(lambda: not lab.has_carrier('gateway', 'eth0'), 5, 'no carrier')
            lab.ping('client1', CLIENT_ADDRESSES['client2'])
            party.clients['client1'].wait_log('gateway_lan state=down', 5)
            party.clients['client1'].wait_log('cut off from its LAN', 15)
            lab.ip('lan', 'link', 'set', 'gateway', 'up')
            self.goes_on(lab, party)
            party.clients['client1'].wait_log('gateway_lan state=up', 5)

    def test_lan_interface_deleted_and_recreated(self):
        with Lab() as lab:
            party = self.party(lab)
            lab.ip('gateway', 'link', 'del', 'eth0')
            lab.ping('client1', CLIENT_ADDRESSES['client2'], 5)
            lab.plug('gateway')
            self.goes_on(lab, party)

    def test_client_address_changes(self):
        """The connection migrates: the relay still knows the same peer, at another address."""
        with Lab() as lab:
            party = self.party(lab)
            before = party.peer('client1')
            address, length, router, _ = UPLINKS['client1']
            moved = address.rsplit('.', 1)[0] + '.7'
            lab.ip('client1', 'addr', 'del', f'{address}/{length}', 'dev', 'up0')
            lab.ip('client1', 'addr', 'add', f'{moved}/{length}', 'dev', 'up0')
            lab.ip('client1', 'route', 'replace', 'default', 'via', router)
            self.goes_on(lab, party)
            after = party.peer('client1')
            self.assertIn(moved, after['remote'])
            self.assertEqual(after['id'], before['id'], 'migrated, not reconnected')

    def test_gateway_without_a_free_descriptor(self):
        """It cannot look at its LAN port then, and must not take that for the port's fault."""
        with Lab() as lab:
            party = self.party(lab)
            pid = party.gateway.popen.pid
            used = {int(name) for name in os.listdir(f'/proc/{pid}/fd')}
            _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            before = len(party.gateway.log())
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), most))
            time.sleep(2.5)  # the port is looked at every second
            lab.ping('client1', HOST_ADDRESS)
            self.assertNotIn('lan_port', party.gateway.log()[before:])
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
            lab.ip('gateway', 'link', 'set', 'eth0', 'down')
            wait_for(lambda: 'state=down' in party.gateway.log(), 5, 'the word of a port that is down')
            lab.ip('gateway', 'link', 'set', 'eth0', 'up')
            self.goes_on(lab, party)
            self.assertNotIn('message=""', party.gateway.log())

    def test_uplink_becomes_narrower(self):
        """Large frames would vanish for good: the client comes back, and learns whether the room still fits its path."""
        def set_mtu(mtu):
            lab.ip('client1', 'link', 'set', 'up0', 'mtu', mtu)
            lab.ip('inet', 'link', 'set', 'client1', 'mtu', mtu)

        def told():
            lab.ping('client1', HOST_ADDRESS, 5, size=1300, check=False, deadline=2)
            return "the path carries no large packets any more" in party.clients['client1'].log()

        with Lab() as lab:
            party = self.party(lab)
            self.assertIsNotNone(lab.ping('client1', HOST_ADDRESS, size=1300))
            set_mtu('1380')
            wait_for(told, 30, 'the word of a narrow path')
            party.clients['client1'].wait_log('rejected by the relay: mtu', 10)
            set_mtu('1500')
            self.goes_on(lab, party, hosts=('client1',))
            self.assertIsNotNone(lab.ping('client1', HOST_ADDRESS, size=1300))

    def test_network_gone_for_a_while(self):
        with Lab() as lab:
            party = self.party(lab)
            lab.ip('client1', 'link', 'set', 'up0', 'down')
            self.assertIsNone(lab.ping('client1', HOST_ADDRESS, 2, check=False, deadline=2))
            lab.ip('client1', 'link', 'set', 'up0', 'up')
            lab.ip('client1', 'route', 'replace', 'default', 'via', UPLINKS['client1'][2])
            lab.ip('client1', 'addr', 'replace', f'{UPLINKS["client1"][3]}2/64', 'dev', 'up0', 'nodad')
            self.goes_on(lab, party)

    def test_loss_of_ten_percent(self):
        with Lab(shaped=['client1']) as lab:
            party = self.party(lab)
            lab.shapers['client1'].loss = 0.1
            run = lab.run('client1', 'ping', '-n', '-q', '-c', '100', '-i', '0.05', '-W', '2', HOST_ADDRESS, check=False)
            answered = int(run.stdout.split(' received')[0].split()[-1])
            self.assertGreater(answered, 60, run.stdout)  # 0.9 * 0.9 of 100 are expected
            run = lab.run('client1', 'ping', '-n', '-q', '-c', '50', '-i', '0.05', '-W', '2',
                          CLIENT_ADDRESSES['client2'], check=False)
            self.assertGreater(int(run.stdout.split(' received')[0].split()[-1]), 25, run.stdout)
            self.assertEqual(party.peer('client1')['role'], 'client')
            # and a newcomer still gets in
            party.clients['client1'].stop()
            party.start_client('client1')
            party.wait_joined(['client1'])
            lab.ip('client1', 'addr', 'replace', f'{CLIENT_ADDRESSES["client1"]}/24', 'dev', TAP)
            lab.wait_ping('client1', HOST_ADDRESS, 20)
            party.check_programs()

    def test_everyone_leaves_in_order(self):
        """SIGTERM: status 0 for each, the others hear the reason, and nothing of it stays on the machine."""
        with Lab() as lab:
            party = self.party(lab)
            self.assertEqual(party.clients['client1'].stop(), 0)
            party.gateway.wait_log(r'peer_left.*quit', 5)
            self.assertFalse(lab.device_exists('client1', TAP))
            party.stop()
