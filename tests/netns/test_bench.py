"""The benchmark runs: every section once, short, with our programs alone. What it measures there means nothing."""
import json
import os
import subprocess
import unittest

from lab import ROOT, Lab
from party import BUILD

SECTIONS = {'saturated': 'lanparty', 'limited': 'lanparty', 'fanout': 'lanparty', 'relay': 'gnutls, 1 shard',
            'memory': 'lanparty', 'costs': 'in super-frames', 'micro': 'cases'}


class TestBench(unittest.TestCase):
    def test_quick_run_measures_every_section(self):
        with Lab() as lab:  # for its folder, and to skip where there are no namespaces
            path = lab.path('bench.json')
            run = subprocess.run([os.path.join(ROOT, 'bench', 'run'), '--quick', '--only', 'lanparty', '--build', BUILD,
                                  '--json', path], capture_output=True, text=True, timeout=300)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            with open(path, encoding='utf-8') as file:
                results = json.load(file)
        for section, name in SECTIONS.items():
            self.assertEqual(len(results[section][name]), 1, section)
        self.assertGreater(results['saturated']['lanparty'][0]['to_lan_1']['mbit_per_second'], 0)
        self.assertGreater(results['saturated']['lanparty'][0]['small']['per_second'], 0)
        self.assertGreater(results['limited']['lanparty'][0]['from_lan_1']['line_percent'], 0)
        self.assertEqual(len(results['fanout']['lanparty'][0]['counts']), 8)
        self.assertGreater(min(results['fanout']['lanparty'][0]['counts']), 0)
        self.assertGreater(results['relay']['gnutls, 1 shard'][0]['large']['us_per_frame'], 0)
        self.assertGreater(results['memory']['lanparty'][0]['kib_per_peer'], 0)
        self.assertIn('| bar |', run.stdout)

    def test_unknown_section_is_named(self):
        run = subprocess.run([os.path.join(ROOT, 'bench', 'run'), 'speed'], capture_output=True, text=True, timeout=30)
        self.assertEqual(run.returncode, 2)
        self.assertIn("no section 'speed'", run.stderr)
