"""Packet protection: programs that use different libraries understand each other; a library that cannot be had is
replaced by the other or, where it was asked for, refused."""
import unittest

from lab import HOST_ADDRESS, Lab
from party import CLIENT_ADDRESSES, TAP, Party, binary

# Hides every libipsec-mb from one program: in a mount namespace of its own the files are empty.
HIDDEN = ['unshare', '--mount', 'sh', '-c', 'for file in $(ldconfig -p | sed -n "s,.*libIPSec_MB.* => ,,p"); do '
          'mount --bind /dev/null "$(readlink -f "$file")" || exit 99; done; exec "$@"', 'sh']


def relay_command(lab, choice):
    return [binary('lanparty-relay'), '--crypto', choice, '--listen', '127.0.0.1:4434', '--dev-cert-der-out', lab.path('probe.der')]


def chosen(lab, *command):
    """The library that a relay takes when it is started like this."""
    program = lab.start('relay', 'probe', *command)
    found = program.wait_log(r'packet_protection library=(\S+)', 10).group(1)
    program.stop()
    return found


class TestCrypto(unittest.TestCase):
    def check(self, relay, gateway, client):
        with Lab() as lab:
            party = Party(lab, relay_options=['--crypto', relay])
            party.start_relay()
            party.start_gateway('--crypto', gateway)
            party.start_client('client1', '--crypto', client)
            party.wait_joined(['client1'])
            for program, library in ((party.relay, relay), (party.gateway, gateway), (party.clients['client1'], client)):
                program.wait_log(f'packet_protection library={library} ', 1)
            lab.ip('client1', 'addr', 'add', f'{CLIENT_ADDRESSES["client1"]}/24', 'dev', TAP)
            lab.ping('client1', HOST_ADDRESS)
            server = lab.start_iperf3('host', HOST_ADDRESS)
            for options in ((), ('--reverse',)):
                lab.run('client1', 'iperf3', '--client', HOST_ADDRESS, '--time', '1', *options, timeout=30)
            server.kill()
            lab.ping('host', CLIENT_ADDRESSES['client1'])
            self.assertEqual(party.status()['quic']['undecryptable'], 0)
            party.check_programs()
            party.stop()

    def need_ipsec_mb(self):
        with Lab() as lab:
            if chosen(lab, *relay_command(lab, 'auto')) != 'ipsec-mb':
                self.skipTest('libipsec-mb is not to be had here')

    def test_gnutls_alone(self):
        self.check('gnutls', 'gnutls', 'gnutls')

    def test_ipsec_mb_at_the_relay(self):
        self.need_ipsec_mb()
        self.check('ipsec-mb', 'ipsec-mb', 'gnutls')

    def test_ipsec_mb_at_the_client(self):
        self.need_ipsec_mb()
        self.check('gnutls', 'gnutls', 'ipsec-mb')

    def test_without_ipsec_mb(self):
        with Lab() as lab:
            self.assertEqual(chosen(lab, *HIDDEN, *relay_command(lab, 'auto')), 'gnutls')
            run = lab.run('relay', *HIDDEN, *relay_command(lab, 'ipsec-mb'), check=False, timeout=10)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertRegex(run.stderr, 'error packet_protection message=".*(libIPSec_MB|built without)')
            client = [binary('lanparty-client'), '--relay', '127.0.0.1', '--room', 'R', '--relay-fingerprint', '00' * 32,
                      '--identity', lab.path('identity.json'), '--crypto', 'ipsec-mb']
            run = lab.run('client1', *HIDDEN, *client, check=False, timeout=10)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertRegex(run.stderr, "--crypto 'ipsec-mb': .*(libIPSec_MB|built without)")
