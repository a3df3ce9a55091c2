"""The LAN's own DHCP server (dnsmasq) serves remote clients (ISC dhclient): lease, renewal, return with the same one."""
import unittest

from lab import HOST_ADDRESS, Lab, wait_for
from party import CLIENT_ADDRESSES, CLIENT_MACS, TAP, Party

HOME_ADDRESS = '192.168.77.200'


class TestDhcp(unittest.TestCase):
    def test_lease_renew_and_return(self):
        with Lab() as lab:
            dnsmasq = lab.start_dnsmasq(options=['--dhcp-option=option:T1,4'])
            party = Party(lab).start(['client1'])
            dhclient = lab.start_dhclient('client1', TAP)
            address = dhclient.wait_log(r'^bound to (\S+)', 20).group(1)
            wait_for(lambda: lab.addresses('client1', TAP) == [address], 5, 'the address on the TAP device')
            self.assertRegex(dnsmasq.log(), rf'DHCPACK\(eth0\) {address} {CLIENT_MACS["client1"]}')
            party.clients['client1'].wait_log(rf'address: {address} \(from DHCP\)', 15)
            lab.ping('client1', HOST_ADDRESS)

            dhclient.wait_log(r'^bound to ' + address, 20, count=2)  # at T1, by unicast to the server
            lab.ping('client1', HOST_ADDRESS)

            dhclient.stop()
            party.clients['client1'].stop()
            party.start_client('client1')
            party.wait_joined(['client1'])
            again = lab.start_dhclient('client1', TAP).wait_log(r'^bound to (\S+)', 20).group(1)
            self.assertEqual(again, address, 'the virtual MAC stays, so the lease does')

    def test_an_address_set_by_hand_is_no_lease(self):
        with Lab() as lab:
            client = Party(lab).start(['client1'], static=True).clients['client1']
            client.wait_log(rf'address: {CLIENT_ADDRESSES["client1"]}', 15)
            self.assertNotIn('from DHCP', client.log())

    def test_the_same_network_at_home_is_told(self):
        with Lab() as lab:
            lab.ip('client1', 'addr', 'add', f'{HOME_ADDRESS}/24', 'dev', 'up0')
            client = Party(lab).start(['client1'], static=True).clients['client1']
            client.wait_log(rf'same_network .*{HOME_ADDRESS}/24 there.*{CLIENT_ADDRESSES["client1"]}/24', 15)

    def test_an_interface_that_is_set_down_is_told(self):
        with Lab() as lab:
            client = Party(lab).start(['client1'], static=True).clients['client1']
            client.wait_log('tunnel adapter: ready', 15)
            lab.ip('client1', 'link', 'set', TAP, 'down')
            client.wait_log('tunnel adapter: not ready', 15)
            lab.ip('client1', 'link', 'set', TAP, 'up')
            client.wait_log('tunnel adapter: ready', 15, count=2)
            lab.ip('client1', 'addr', 'replace', f'{CLIENT_ADDRESSES["client1"]}/24', 'dev', TAP)
            lab.ping('client1', HOST_ADDRESS)

    def test_mtu_of_the_server(self):
        """dhclient sets the MTU that the server names (option 26); frames longer than the room's would be lost."""
        with Lab() as lab:
            lab.start_dnsmasq(options=['--dhcp-option-force=option:mtu,1500'])
            client = Party(lab).start(['client1']).clients['client1']
            lab.lease('client1', TAP)
            client.wait_log('tap_mtu_changed', 15)
            self.assertIn('mtu 1344 ', lab.ip('client1', 'link', 'show', TAP))

    def test_two_clients_get_two_leases(self):
        with Lab() as lab:
            lab.start_dnsmasq()
            Party(lab).start()
            one, two = lab.lease('client1', TAP), lab.lease('client2', TAP)
            self.assertNotEqual(one, two)
            lab.ping('client1', two)
            lab.ping('host', one)
            lab.ping('host', two)
