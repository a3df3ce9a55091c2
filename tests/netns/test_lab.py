"""The lab itself, without any binary of ours: hosts reach each other, DHCP works on the LAN, loss is as asked, nothing
is left behind. When this fails, no other result means anything."""
import os
import subprocess
import sys
import textwrap
import unittest

from lab import HERE, HOST_ADDRESS, ROUTER_ADDRESS, UPLINKS, Lab, wait_for


def namespaces():
    return subprocess.run(['ip', 'netns', 'list'], capture_output=True, text=True).stdout


class TestLab(unittest.TestCase):
    def test_reach_and_dhcp(self):
        with Lab() as lab:
            for source, target in (('client1', 'relay'), ('client2', 'relay'), ('gateway', 'relay')):
                lab.ping(source, UPLINKS[target][0])
                lab.ping(source, UPLINKS[target][3] + '2')
            lab.ping('host', ROUTER_ADDRESS)
            self.assertIsNone(lab.ping('client1', HOST_ADDRESS, 1, check=False, deadline=1), 'the LAN is no part of inet')
            lab.start_dnsmasq()
            lab.ip('host', 'addr', 'flush', 'dev', 'eth0')
            self.assertRegex(lab.lease('host', 'eth0'), r'^192\.168\.77\.1[0-5]\d$')
            folder, prefix = lab.folder, lab.prefix
        self.assertFalse(os.path.exists(folder))
        self.assertNotIn(prefix, namespaces())

    def test_direct_cable(self):
        with Lab(lan='direct') as lab:
            lab.ip('gateway', 'addr', 'add', '192.168.77.9/24', 'dev', 'eth0')
            lab.ping('gateway', ROUTER_ADDRESS)

    def test_loss(self):
        with Lab(shaped=['client1']) as lab:
            lab.ping('client1', UPLINKS['relay'][0])
            shaper = lab.shapers['client1']
            shaper.carried = shaper.lost = 0
            shaper.loss = 0.1
            lab.run('client1', 'ping', '-q', '-c', '400', '-i', '0.002', UPLINKS['relay'][0], check=False)
            part = shaper.lost / (shaper.lost + shaper.carried)
            self.assertTrue(0.05 < part < 0.15, part)

    def test_killed_run_leaves_nothing(self):
        program = textwrap.dedent(f'''
            import sys, time
            sys.path.insert(0, {HERE!r})
            import lab
            lab.end_on_signals()
            with lab.Lab() as made:
                made.start('host', 'sleeper', 'sleep', '1000')
                print(made.prefix, made.folder, made.processes[0].pid, flush=True)
                time.sleep(1000)
            ''')
        for method in ('terminate', 'kill'):
            with subprocess.Popen([sys.executable, '-c', program], stdout=subprocess.PIPE, text=True) as run:
                prefix, folder, pid = run.stdout.readline().split()
                getattr(run, method)()
                run.wait(10)
            with Lab():  # sweeps what the killed one could not remove
                pass
            self.assertNotIn(prefix, namespaces(), method)
            self.assertFalse(os.path.exists(folder), method)
            wait_for(lambda: not os.path.exists(f'/proc/{pid}'), 2, 'the end of its child')
