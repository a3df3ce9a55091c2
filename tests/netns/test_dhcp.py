"""The LAN's own DHCP server (dnsmasq) serves remote clients: those that ask for themselves, and those whose machine
does (ISC dhclient): lease, renewal, return with the same one."""
import unittest

from frames import router_advertisement
from lab import HOST_ADDRESS, ROUTER_ADDRESS, UPLINKS, Lab, wait_for
from party import CLIENT_ADDRESSES, CLIENT_MACS, TAP, Party
from wire import send_frames

HOME_ADDRESS = '192.168.77.200'


class TestOwnClient(unittest.TestCase):
    """What lanparty-client does by itself."""

    def wait_address(self, lab, host='client1', seconds=20):
        return wait_for(lambda: lab.addresses(host, TAP), seconds, f'{host}: an address')[0]

    def test_a_party_evening(self):
        with Lab() as lab:
            before = lab.ip('client1', 'route', 'show')
            dnsmasq = lab.start_dnsmasq(options=['--dhcp-option=option:T1,6', f'--dhcp-option=option:router,{ROUTER_ADDRESS}'])
            party = Party(lab, dhcp=True).start(['client1'])
            client = party.clients['client1']
            address = self.wait_address(lab)
            client.wait_log(f'dhcp_lease address={address}', 5)
            client.wait_log(rf'address: {address} \(from DHCP\)', 5)
            self.assertRegex(dnsmasq.log(), rf'DHCPACK\(eth0\) {address} {CLIENT_MACS["client1"]}')
            self.assertIn('brd 192.168.77.255', lab.ip('client1', 'addr', 'show', TAP))
            lab.ping('client1', HOST_ADDRESS)
            lab.ping('host', address)

            # The LAN is for the game: the default route stays, broadcasts and multicasts go there.
            self.assertIn('dev up0', lab.ip('client1', 'route', 'get', '8.8.8.8'))
            for group in ('255.255.255.255', '224.0.2.60', '239.255.255.250'):
                self.assertIn(f'dev {TAP}', lab.ip('client1', 'route', 'get', group))

            acks = rf'DHCPACK\(eth0\) {address}'
            dnsmasq.wait_log(acks, 20, count=2)  # at T1, by unicast to the server
            wait_for(lambda: lab.ip_json('client1', 'addr', 'show', 'dev', TAP, 'scope', 'global')[0]['addr_info'][0][
                'valid_life_time'] > 120 - 5, 3, 'the lease goes on')  # 6 s ago it had been 120
            self.assertEqual(client.log().count('dhcp_lease '), 1)

            party.stop()
            self.assertEqual(lab.ip('client1', 'route', 'show'), before)

    def test_what_others_remove(self):
        """The lease goes on for hours perhaps, and nobody would ask the server meanwhile."""
        with Lab() as lab:
            lab.start_dnsmasq()
            client = Party(lab, dhcp=True).start(['client1']).clients['client1']
            address = self.wait_address(lab)
            routes = lab.ip('client1', 'route', 'show', 'dev', TAP)
            lab.ip('client1', 'addr', 'flush', 'dev', TAP)
            client.wait_log(f'address_put_back address={address}', 15)
            self.assertEqual(lab.ip('client1', 'route', 'show', 'dev', TAP), routes)
            lab.ip('client1', 'link', 'set', TAP, 'down')
            lab.ip('client1', 'link', 'set', TAP, 'up')
            wait_for(lambda: lab.ip('client1', 'route', 'show', 'dev', TAP) == routes, 15, 'the routes for broadcasts')
            lab.ping('client1', HOST_ADDRESS)

    def test_the_gateway_comes_back(self):
        """The lease stays meanwhile, and the server is asked whether it holds. Multicasts are the home's again until then."""
        with Lab() as lab:
            dnsmasq = lab.start_dnsmasq()
            party = Party(lab, dhcp=True).start(['client1'])
            address = self.wait_address(lab)
            party.gateway.stop()
            party.clients['client1'].wait_log('gateway: not connected', 10)
            self.assertEqual(lab.addresses('client1', TAP), [address])
            self.assertIn('dev up0', lab.ip('client1', 'route', 'get', '239.255.255.250'))
            party.start_gateway()
            dnsmasq.wait_log(rf'DHCPACK\(eth0\) {address}', 20, count=2)
            self.assertEqual(dnsmasq.log().count('DHCPDISCOVER'), 1)
            lab.ping('client1', HOST_ADDRESS)
            self.assertIn(f'dev {TAP}', lab.ip('client1', 'route', 'get', '239.255.255.250'))

    def test_a_cable_of_the_gateway(self):
        """It may be in another switch when it is in again."""
        with Lab() as lab:
            dnsmasq = lab.start_dnsmasq()
            client = Party(lab, dhcp=True).start(['client1']).clients['client1']
            address = self.wait_address(lab)
            lab.ip('lan', 'link', 'set', 'gateway', 'down')
            client.wait_log('gateway_lan state=down', 10)
            lab.ip('lan', 'link', 'set', 'gateway', 'up')
            client.wait_log('gateway_lan state=up', 10)
            dnsmasq.wait_log(rf'DHCPACK\(eth0\) {address}', 10, count=2)
            self.assertEqual(lab.addresses('client1', TAP), [address])

    def test_a_lan_without_a_server(self):
        """The address is set by hand there, and broadcasts go to the LAN all the same."""
        with Lab() as lab:
            party = Party(lab, dhcp=True).start(['client1'])
            address = f'{CLIENT_ADDRESSES["client1"]}/24'
            before = lab.ip('client1', '-4', 'route', 'show', 'table', 'all')
            lab.ip('client1', 'addr', 'add', address, 'dev', TAP)
            for group in ('255.255.255.255', '224.0.2.60'):
                wait_for(lambda group=group: f'dev {TAP}' in lab.ip('client1', 'route', 'get', group), 15,
                         f'a route to {group}')
            lab.ip('client1', 'addr', 'del', address, 'dev', TAP)
            self.assertEqual(lab.ip('client1', '-4', 'route', 'show', 'table', 'all'), before)
            party.stop()

    def test_another_lan_behind_the_gateway(self):
        with Lab() as lab:
            dnsmasq = lab.start_dnsmasq()
            party = Party(lab, dhcp=True).start(['client1'])
            address = self.wait_address(lab)
            party.gateway.stop()
            dnsmasq.stop()
            lab.ip('router', 'addr', 'flush', 'dev', 'eth0')
            lab.ip('router', 'addr', 'add', '10.99.0.1/16', 'dev', 'eth0')
            lab.start_dnsmasq(options=['--dhcp-range=10.99.1.1,10.99.1.9,2m'])
            party.start_gateway()
            party.clients['client1'].wait_log(f'dhcp_lease_lost address={address}', 20)
            wait_for(lambda: any(each.startswith('10.99.1.') for each in lab.addresses('client1', TAP)), 20,
                     'an address of the other LAN')
            self.assertEqual(len(lab.addresses('client1', TAP)), 1)
            lab.ping('client1', '10.99.0.1')

    def test_an_address_that_somebody_has(self):
        with Lab() as lab:
            taken = '192.168.77.120'
            dnsmasq = lab.start_dnsmasq(options=[f'--dhcp-host={CLIENT_MACS["client1"]},{taken}'])
            lab.ip('host', 'addr', 'add', f'{taken}/24', 'dev', 'eth0')
            client = Party(lab, dhcp=True).start(['client1']).clients['client1']
            client.wait_log(f'dhcp_declined address={taken}', 20)
            dnsmasq.wait_log('DHCPDECLINE', 5)
            self.assertNotEqual(self.wait_address(lab, seconds=30), taken)
            lab.ping('client1', HOST_ADDRESS)

    def test_no_router_of_the_lan(self):
        """An IPv6 router of the LAN gives the interface an address, and nothing else to this machine."""
        with Lab() as lab:
            lab.ip('router', 'addr', 'add', '2001:db8:77::1/64', 'dev', 'eth0', 'nodad')
            lab.start_dnsmasq(options=['--enable-ra', '--dhcp-range=2001:db8:77::,ra-only', '--ra-param=eth0,high,4,1800'])
            Party(lab, dhcp=True).start(['client1'])
            wait_for(lambda: any(address.startswith('2001:db8:77:') for address in lab.addresses('client1', TAP, 'inet6')),
                     20, 'an address of the router\'s prefix')
            self.assertNotIn(TAP, lab.ip('client1', '-6', 'route', 'show', 'default'))

    def test_no_part_of_the_internet_by_a_router_of_the_lan(self):
        """Neither by a route (RFC 4191), on a machine that takes these as a rule, nor as a network that is the LAN's own."""
        with Lab() as lab:
            lab.write('client1', '/proc/sys/net/ipv6/conf/default/accept_ra_rt_info_max_plen', '64')
            Party(lab, dhcp=True).start(['client1'])
            router = lab.mac('router', 'eth0')
            for advertisement in (router_advertisement(router, '2000::', 3),
                                  router_advertisement(router, '2001:db8:66::', 64, route=('2000::', 3)),
                                  router_advertisement(router, '2001:db8:77::', 64, route=('2600::', 48))):
                send_frames(lab, 'router', 'eth0', [advertisement])
            wait_for(lambda: any(address.startswith('2001:db8:77:') for address in lab.addresses('client1', TAP, 'inet6')), 5,
                     'an address of the advertised prefix')
            self.assertFalse([address for address in lab.addresses('client1', TAP, 'inet6') if address.startswith('2001:db8:66:')])
            self.assertIn('dev up0', lab.ip('client1', 'route', 'get', '2600::1'))

    def test_a_network_too_large(self):
        """192.168.77.1 with 255.0.0.0: half of what the LAN does not have is somebody's in the Internet. And a lease for ever."""
        with Lab() as lab:
            lab.ip('router', 'addr', 'flush', 'dev', 'eth0')
            lab.ip('router', 'addr', 'add', f'{ROUTER_ADDRESS}/8', 'dev', 'eth0')
            lab.start_dnsmasq(options=[f'--dhcp-host={CLIENT_MACS["client1"]},infinite'])
            client = Party(lab, dhcp=True).start(['client1']).clients['client1']
            address = self.wait_address(lab)
            self.assertIn('dev up0', lab.ip('client1', 'route', 'get', '192.5.5.241'))
            self.assertIn('broadcast', lab.ip('client1', 'route', 'get', '192.255.255.255'))
            lab.ping('client1', ROUTER_ADDRESS)
            client.wait_log(rf'address: {address} \(from DHCP\)', 5)

    def test_the_address_at_home_stays_there(self):
        """A LAN machine may have the same: this one does not answer for it, nor ask for others in its name."""
        with Lab() as lab:
            lab.start_dnsmasq()
            Party(lab, dhcp=True).start(['client1'])
            lab.ip('client1', 'addr', 'add', f'{HOME_ADDRESS}/32', 'dev', 'up0')
            lab.ping('host', self.wait_address(lab))
            self.assertIsNone(lab.ping('host', HOME_ADDRESS, check=False, deadline=3))
            lab.ip('client1', 'neigh', 'flush', 'dev', TAP)
            lab.run('client1', 'ping', '-c', '1', '-W', '1', '-I', HOME_ADDRESS, HOST_ADDRESS, check=False)
            self.assertNotIn('lladdr', lab.ip('host', 'neigh', 'show', HOME_ADDRESS))

    def test_the_same_network_at_home(self):
        """The LAN's machines go before those at home, but for the router, which may be the name server."""
        with Lab() as lab:
            lab.ip('inet', 'addr', 'add', f'{ROUTER_ADDRESS}/24', 'dev', 'client1')
            lab.ip('client1', 'addr', 'replace', f'{HOME_ADDRESS}/24', 'dev', 'up0', 'metric', '600')
            lab.ip('client1', 'route', 'replace', 'default', 'via', ROUTER_ADDRESS, 'dev', 'up0')
            before = lab.ip('client1', 'route', 'show')
            lab.start_dnsmasq()
            party = Party(lab, dhcp=True).start(['client1'])
            self.wait_address(lab)
            wait_for(lambda: 'dev up0' in lab.ip('client1', 'route', 'get', ROUTER_ADDRESS), 5, 'the way to the router')
            lab.ping('client1', HOST_ADDRESS, device=TAP)
            self.assertIn(f'dev {TAP}', lab.ip('client1', 'route', 'get', HOST_ADDRESS))
            party.stop()
            self.assertEqual(lab.ip('client1', 'route', 'show'), before)

    @staticmethod
    def offer(lab, network, address):
        """The LAN's server has this address alone for the client, in a network of 256."""
        lab.start_dnsmasq(options=[f'--dhcp-range={network}.0,static,255.255.255.0',
                                   f'--dhcp-host={CLIENT_MACS["client1"]},{address}'])
        lab.ip('router', 'addr', 'add', f'{network}.9/24', 'dev', 'eth0')

    def test_the_address_of_the_relay(self):
        """With it the tunnel would end at this machine: the kernel looks for its own addresses before any route."""
        with Lab() as lab:
            relay = UPLINKS['relay'][0]
            self.offer(lab, '203.0.113', relay)
            client = Party(lab, dhcp=True).start(['client1']).clients['client1']
            client.wait_log(f'dhcp_declined address={relay} .*relay', 20)
            self.assertNotIn(relay, lab.addresses('client1', TAP))
            self.assertIn('dev up0', lab.ip('client1', 'route', 'get', relay))

    def test_the_address_of_this_machine_s_router(self):
        """With it the Internet would end at this machine, also where the relay has IPv6."""
        with Lab() as lab:
            router = UPLINKS['client1'][2]
            self.offer(lab, '192.0.2', router)
            party = Party(lab, dhcp=True)
            party.start_relay()
            party.start_gateway()
            client = party.start_client('client1', relay=f'[{UPLINKS["relay"][3]}2]:4433')
            client.wait_log(f'dhcp_declined address={router} .*router', 20)


class TestDhcp(unittest.TestCase):
    """Clients with --no-dhcp: this machine looks after the interface."""

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

    def test_an_address_of_a_lan_machine_set_by_hand_is_told(self):
        """The gateway keeps this machine's claims from the owner, and the kernel asks nobody."""
        with Lab() as lab:
            client = Party(lab).start(['client1']).clients['client1']
            lab.ip('client1', 'addr', 'add', f'{HOST_ADDRESS}/24', 'dev', TAP)
            client.wait_log(f'address: {HOST_ADDRESS}, but a LAN machine has it', 25)
            lab.ip('client1', 'addr', 'del', f'{HOST_ADDRESS}/24', 'dev', TAP)
            lab.ip('client1', 'addr', 'add', f'{CLIENT_ADDRESSES["client1"]}/24', 'dev', TAP)
            client.wait_log(f'address: {CLIENT_ADDRESSES["client1"]}"', 15)

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
