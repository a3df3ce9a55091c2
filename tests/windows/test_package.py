"""lanparty-client.exe as a file; its installer and its signature."""
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from lab import ROOT
from winlab import CLIENT, PREFIX, STATE, WineCase, windows_path, wine

SYSTEM_DLLS = {'advapi32.dll', 'bcrypt.dll', 'crypt32.dll', 'iphlpapi.dll', 'kernel32.dll', 'msvcrt.dll', 'ncrypt.dll',
               'ole32.dll', 'setupapi.dll', 'shell32.dll', 'user32.dll', 'ws2_32.dll'}
BYTES_MAX = 4 * 1024 * 1024
PACKAGE = os.path.join(ROOT, 'build', 'package')
PROGRAM_FOLDER = os.path.join(PREFIX, 'drive_c', 'Program Files', 'lanparty')
MENU = os.path.join(PREFIX, 'drive_c', 'ProgramData', 'Microsoft', 'Windows', 'Start Menu', 'Programs', 'LAN party client')
UNINSTALL_KEY = r'HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall\lanparty-client'


class TestFile(unittest.TestCase):
    def test_imports_flags_and_size(self):
        with tempfile.TemporaryDirectory() as folder:
            stripped = os.path.join(folder, 'client.exe')
            subprocess.run(['x86_64-w64-mingw32-strip', '-o', stripped, CLIENT], check=True)
            self.assertLess(os.path.getsize(stripped), BYTES_MAX)
            text = subprocess.run(['x86_64-w64-mingw32-objdump', '-p', stripped], capture_output=True, text=True,
                                  check=True).stdout
        self.assertLessEqual({name.lower() for name in re.findall(r'DLL Name: (\S+)', text)}, SYSTEM_DLLS)
        for flag in ('HIGH_ENTROPY_VA', 'DYNAMIC_BASE', 'NX_COMPAT'):
            self.assertIn(flag, text)


class TestPackage(WineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.certificate, key = os.path.join(cls.folder, 'cert.pem'), os.path.join(cls.folder, 'key.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cls.certificate,
                        '-subj', '/CN=lanparty test', '-days', '2', '-addext', 'extendedKeyUsage=codeSigning'], check=True,
                       capture_output=True)
        build = subprocess.run([os.path.join(ROOT, 'packaging/windows/build'), '--sign', cls.certificate, key],
                               capture_output=True, text=True)
        if build.returncode != 0:
            raise AssertionError(build.stdout + build.stderr)
        cls.setup = cls.package('-setup.exe')

    @staticmethod
    def package(suffix):
        return next(os.path.join(PACKAGE, name) for name in os.listdir(PACKAGE) if name.endswith(suffix))

    def setUp(self):
        wine(CLIENT, '--service', 'remove')  # of a run that was killed
        for folder in (STATE, PROGRAM_FOLDER):
            shutil.rmtree(folder, ignore_errors=True)

    def assert_signed(self, path):
        run = subprocess.run(['osslsigncode', 'verify', '-CAfile', self.certificate, '-in', path], capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, 0, path + '\n' + run.stdout + run.stderr)

    def registry(self, value):
        return wine('reg', 'query', UNINSTALL_KEY, '/v', value)

    @staticmethod
    def service_exists():
        return wine('reg', 'query', r'HKLM\System\CurrentControlSet\Services\lanparty-client')[0] == 0

    def uninstall(self, *options):
        status, _, err = wine(os.path.join(PROGRAM_FOLDER, 'uninstall.exe'), '/S', *options)
        self.assertEqual(status, 0, err)
        deadline = time.monotonic() + 60  # it copies itself and returns at once
        while os.path.exists(PROGRAM_FOLDER) and time.monotonic() < deadline:
            time.sleep(0.2)

    def test_portable(self):
        self.assert_signed(self.setup)
        subprocess.run(['unzip', '-q', self.package('-portable.zip'), '-d', self.folder], check=True)
        names = {name for _, _, files in os.walk(self.folder) for name in files}
        self.assertLessEqual({'lanparty-client.exe', 'LICENSE.txt', 'windows.txt', 'client.conf'}, names)
        program = next(os.path.join(at, 'lanparty-client.exe') for at, _, files in os.walk(self.folder)
                       if 'lanparty-client.exe' in files)
        self.assert_signed(program)
        self.assertEqual(wine(program, '--version')[0], 0)

    def test_silent_installation_and_removal(self):
        self.assertEqual(wine(self.setup, '/S')[0], 0)
        program = os.path.join(PROGRAM_FOLDER, 'lanparty-client.exe')
        self.assertEqual(wine(program, '--version')[0], 0)
        self.assert_signed(os.path.join(PROGRAM_FOLDER, 'uninstall.exe'))
        self.assertTrue(os.path.exists(os.path.join(MENU, 'Join the LAN party.lnk')))
        with open(os.path.join(MENU, 'Join the LAN party.lnk'), 'rb') as file:
            self.assertTrue(file.read(22)[21] & 0x20, 'runs as administrator')
        self.assertIn('LAN party client', self.registry('DisplayName')[1])
        self.assertFalse(self.service_exists())
        with open(os.path.join(STATE, 'client.conf'), encoding='utf-8') as file:
            self.assertIn('#room', file.read())
        for name in ('client-identity.json', 'client.log'):
            with open(os.path.join(STATE, name), 'w', encoding='utf-8') as file:
                file.write('{}')
        self.uninstall()
        self.assertFalse(os.path.exists(PROGRAM_FOLDER))
        self.assertFalse(os.path.exists(MENU))
        self.assertNotEqual(self.registry('DisplayName')[0], 0)
        self.assertEqual(sorted(os.listdir(STATE)), ['client-identity.json', 'client.conf'])
        self.assertEqual(wine(self.setup, '/S')[0], 0)
        self.uninstall('/PURGE')
        self.assertFalse(os.path.exists(PROGRAM_FOLDER))
        self.assertFalse(os.path.exists(STATE))

    def test_installation_with_the_service(self):
        config = os.path.join(self.folder, 'party.conf')
        with open(config, 'w', encoding='utf-8') as file:
            file.write(f'relay = 127.0.0.1:9\nroom = ROOM1\nrelay-ca-cert = {windows_path(self.certificate)}\n')
        self.assertEqual(wine(self.setup, '/S', '/CONFIG=' + windows_path(config), '/SERVICE')[0], 0)
        self.assertTrue(self.service_exists())
        command = wine('reg', 'query', r'HKLM\System\CurrentControlSet\Services\lanparty-client', '/v', 'ImagePath')[1]
        self.assertIn(r'--config=C:\ProgramData\lanparty\client.conf --service run', command)
        log = os.path.join(STATE, 'client.log')  # no adapter here: the service says so, and ends with that
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (os.path.exists(log) and os.path.getsize(log)):
            time.sleep(0.2)
        with open(log, encoding='utf-8') as file:
            self.assertIn('no TAP-Windows6 adapter is installed', file.read())
        self.uninstall('/PURGE')
        self.assertFalse(self.service_exists())
        self.assertFalse(os.path.exists(STATE))
