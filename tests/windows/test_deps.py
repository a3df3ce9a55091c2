"""cross/deps, which builds the libraries of the Windows build, against an archive of our own: where it looks, what it
refuses, and when it has nothing to do."""
import hashlib
import http.server
import os
import re
import shutil
import tempfile
import threading
import unittest

from lab import ROOT
from package import run

RECIPE = os.path.join(ROOT, 'cross', 'deps')
FIRST = 'jansson_2.14.orig.tar.gz'
POOL = f'pool/main/j/jansson/{FIRST}'


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class TestDeps(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='lanparty-deps-')
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)  # apt reads it as a user of its own
        self.archive = os.path.join(self.folder, 'www', 'mirror')
        os.makedirs(os.path.join(self.archive, os.path.dirname(POOL)))
        self.server = http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), lambda *arguments: Handler(*arguments, directory=os.path.join(self.folder, 'www')))
        self.server.asked = []
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.base = f'http://127.0.0.1:{self.server.server_port}'
        self.write('apt.conf', f'Dir::Etc::SourceList "{self.folder}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
                   'Acquire::Retries "0";\n')
        self.sources('mirror')

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)

    def sources(self, *archives):
        self.write('sources.list', ''.join(f'deb [trusted=yes] {self.base}/{name} stable main\n' for name in archives))

    def deps(self, recipe=RECIPE, **env):
        """Status and what it said, with a cache and an apt configuration of its own."""
        return run(recipe, check=False, env={'XDG_CACHE_HOME': self.path('cache'), 'APT_CONFIG': self.path('apt.conf'), **env})

    def prefix(self, recipe=RECIPE):
        with open(recipe, 'rb') as file:
            return self.path(f'cache/lanparty/windows-{hashlib.sha256(file.read()).hexdigest()[:16]}')

    def fails(self, *messages, **env):
        status, said = self.deps(**env)
        self.assertEqual(status, 1, said)
        for message in messages:
            self.assertIn(message, said)
        self.assertFalse(os.path.exists(self.prefix()))

    def test_a_missing_source_file_is_named(self):
        self.sources('mirror', 'second')
        self.fails(f'has the source file {FIRST}:', f'{self.base}/mirror/{POOL}  404', f'{self.base}/second/{POOL}  404')
        self.assertEqual(self.server.asked, [f'/mirror/{POOL}', f'/second/{POOL}'])

    def test_an_archive_that_does_not_answer_is_named(self):
        self.server.shutdown()
        self.server.server_close()
        self.fails(f'has the source file {FIRST}:', f'{self.base}/mirror/{POOL}', 'Connection refused')

    def test_another_file_of_that_name_is_refused(self):
        with open(os.path.join(self.archive, POOL), 'w', encoding='utf-8') as file:
            file.write('something else')
        got = hashlib.sha256(b'something else').hexdigest()
        self.sources('first', 'mirror')
        self.fails(f'{FIRST} from {self.base}/mirror is not the file this recipe was written for', got)

    def test_the_archive_that_has_the_file_is_taken(self):
        """The file is the right one for this recipe, but is no tarball: so far it gets."""
        with open(os.path.join(self.archive, POOL), 'w', encoding='utf-8') as file:
            file.write('something else')
        with open(RECIPE, encoding='utf-8') as file:
            text = re.sub(rf'({FIRST}) [0-9a-f]{{64}}', r'\1 ' + hashlib.sha256(b'something else').hexdigest(), file.read())
        os.mkdir(self.path('cross'))
        self.write('cross/deps', text)
        os.chmod(self.path('cross/deps'), 0o755)
        status, said = self.deps(self.path('cross/deps'))
        self.assertEqual(status, 1)
        self.assertIn(f'{FIRST} cannot be unpacked', said)

    def test_apt_without_archives(self):
        self.sources()
        self.fails('apt knows no archive here')

    def test_a_missing_tool_is_named(self):
        os.mkdir(self.path('bin'))
        for name in ('bash', 'env', 'dirname', 'sha256sum', 'cut', 'mkdir', 'flock', 'rm', 'cmake', 'tar', 'xz'):
            os.symlink(shutil.which(name), self.path(f'bin/{name}'))
        self.fails('ninja is missing; tools/setup windows installs it', PATH=self.path('bin'))

    def test_the_cache_is_keyed_by_the_recipe(self):
        os.makedirs(self.prefix())
        self.assertEqual(self.deps(), (0, self.prefix() + '\n'))
        self.assertEqual(self.server.asked, [])
        changed = self.path('cross/deps')
        os.mkdir(self.path('cross'))
        shutil.copy(RECIPE, changed)
        with open(changed, 'a', encoding='utf-8') as file:
            file.write('# another version\n')
        self.assertNotEqual(self.prefix(changed), self.prefix())
        status, said = self.deps(changed)
        self.assertEqual(status, 1)
        self.assertIn(FIRST, said)
        self.assertEqual(self.server.asked, [f'/mirror/{POOL}'])

    def test_every_source_is_pinned(self):
        with open(RECIPE, encoding='utf-8') as file:
            fetches = re.findall(r'(?m)^\tfetch (.*)$', file.read())
        self.assertGreater(len(fetches), 5)
        for line in fetches:
            self.assertRegex(line, r'^main/\S+ [0-9a-f]{64}$')
