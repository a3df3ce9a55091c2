"""The installer under Wine: what it leaves in files, registry, start menu and services, and what is left after removal."""
import glob
import os
import re
import shutil
import subprocess
import time

from package import PROGRAM, package, remove_package
from winlab import FAKES, PREFIX, STATE, TOOL, WineCase, environment, has_not_begun, windows_path, wine, wine_binary

DRIVE_C = os.path.join(PREFIX, 'drive_c')
HOME = os.path.join(DRIVE_C, 'Program Files', 'lanparty')
MENU = os.path.join(DRIVE_C, 'ProgramData', 'Microsoft', 'Windows', 'Start Menu', 'Programs', 'LAN party client')
UNINSTALL_KEY = r'HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall\lanparty-client'
SERVICE_KEY = r'HKLM\System\CurrentControlSet\Services\lanparty-client'
INSTALLED = ['LICENSE.txt', PROGRAM, 'uninstall.exe', 'windows.txt']
RUN_AS_ADMINISTRATOR = 0x20
GUID = '{00000001-0000-0000-0000-4E6574446576}'  # Wine's for loopback: the adapter has a network interface
SUBKEY = '0189'
# A relay that never answers: the client goes on trying.
NOWHERE = 'relay = 127.0.0.1:9\nroom = ROOM1\nvirtual-mac = 02:4c:50:00:01:09\n'


def tearDownModule():
    remove_package()


def registry(key):
    """Values of a key, or None."""
    status, out, _ = wine('reg', 'query', key)
    if 'Unable to find' in out:
        return None
    assert status == 0, out
    return dict(re.findall(r'(?m)^\s+(\S+)\s+REG_\w+\s+(.*?)\s*$', out))


def service_state():
    """The number of Windows for it: 1 stopped, 4 running; None without a service."""
    def failed(*result):  # sc says nothing when there is no service
        return has_not_begun(*result) and registry(SERVICE_KEY)
    found = re.search(r'STATE\s*:\s*(\d+)', wine('sc', 'query', 'lanparty-client', failed=failed)[1])
    return int(found.group(1)) if found else None


def last_temporary_file():
    """When the folder for temporary files, which Wine 8 and 10 have in different places, was last used."""
    folders = [path for part in ('Temp', 'AppData/Local/Temp') for path in glob.glob(os.path.join(DRIVE_C, 'users', '*', part))]
    return max(os.stat(path).st_mtime_ns for path in folders)


def run_setup(*command, status):
    """An installer or uninstaller; it says nothing, but first unpacks itself to the folder for temporary files."""
    def failed(got, *_):
        return got == 1 != status and last_temporary_file() == before
    before = last_temporary_file()
    return wine(*command, failed=failed)[0]


def read(*path):
    with open(os.path.join(*path), encoding='utf-8', errors='replace') as file:
        return file.read()


def pretend_windows(name):
    """Which Windows the installer finds; without a name Wine's own choice, which is Windows 7."""
    key = r'HKCU\Software\Wine\AppDefaults\\'[:-1] + os.path.basename(package().setup)
    wine('reg', 'delete', key, '/f')
    if name:
        wine('reg', 'add', key, '/v', 'Version', '/d', name, '/f')


class TestInstaller(WineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        pretend_windows('win10')
        cls.addClassCleanup(pretend_windows, None)
        cls.addClassCleanup(cls.clear)

    def setUp(self):
        self.clear()

    @staticmethod
    def clear():
        """Also what a failed or killed test left."""
        if registry(SERVICE_KEY):
            wine('sc', 'delete', 'lanparty-client')
            wine('net', 'stop', 'lanparty-client')
        wine('reg', 'delete', UNINSTALL_KEY, '/f')
        for folder in (HOME, MENU, *glob.glob(STATE + '*')):
            shutil.rmtree(folder, ignore_errors=True)

    def wait(self, what, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.1)

    def install(self, *options, status=0):
        self.assertEqual(run_setup(package().setup, '/S', *options, status=status), status)

    def uninstall(self, *options, home=HOME):
        self.assertEqual(run_setup(os.path.join(home, 'uninstall.exe'), '/S', *options, status=0), 0)
        self.wait('the uninstaller, which goes on as a copy of itself', lambda: not os.path.exists(home))
        self.wait('its last steps', lambda: registry(UNINSTALL_KEY) is None)

    def uninstall_in_place(self, *options):
        """(A path in two parts: it must not come in quotes.) The status of a removal that is refused; this way it is the uninstaller itself that ends."""
        return run_setup(os.path.join(HOME, 'uninstall.exe'), '/S', *options, '_?=C:\\Program', 'Files\\lanparty', status=1)

    def assert_installed(self, home=HOME):
        self.assertEqual(sorted(os.listdir(home)), INSTALLED)
        windows_home = 'C:' + home[len(DRIVE_C):].replace('/', '\\')
        values = registry(UNINSTALL_KEY)
        self.assertEqual(values['DisplayName'], 'LAN party client')
        self.assertEqual(values['InstallLocation'], windows_home)
        self.assertEqual(values['UninstallString'], f'"{windows_home}\\uninstall.exe"')
        self.assertEqual(values['QuietUninstallString'], f'"{windows_home}\\uninstall.exe" /S')
        self.assertGreater(int(values['EstimatedSize'], 16), 1000)
        self.assertEqual(sorted(os.listdir(MENU)), ['Configure.lnk', 'Help.lnk', 'Join the LAN party.lnk'])
        for name, elevated in (('Configure.lnk', True), ('Help.lnk', False), ('Join the LAN party.lnk', True)):
            with open(os.path.join(MENU, name), 'rb') as file:
                self.assertEqual(bool(file.read(22)[21] & RUN_AS_ADMINISTRATOR), elevated, name)
        for name, words in (('Configure.lnk', '"C:\\ProgramData\\lanparty\\client.conf"'),
                            ('Help.lnk', f'"{windows_home}\\windows.txt"'),
                            ('Join the LAN party.lnk', f'/k ""{windows_home}\\{PROGRAM}" --config '
                             '"C:\\ProgramData\\lanparty\\client.conf""')):
            with open(os.path.join(MENU, name), 'rb') as file:
                self.assertIn(words.encode('utf-16-le'), file.read(), name)
        self.assertEqual(os.stat(STATE).st_mode & 0o007, 0, 'not for others')

    def assert_nothing_left(self, home=HOME, state=()):
        self.assertFalse(os.path.exists(home))
        self.assertFalse(os.path.exists(MENU))
        self.assertIsNone(registry(UNINSTALL_KEY))
        self.assertIsNone(registry(SERVICE_KEY))
        self.assertIsNone(service_state())
        self.assertEqual(sorted(os.listdir(STATE)) if os.path.exists(STATE) else [], sorted(state))

    def configuration(self, text=NOWHERE):
        path = package().path('party night.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return '/CONFIG=' + windows_path(path)

    def add_adapter(self):
        self.addCleanup(wine, TOOL, 'remove', GUID, SUBKEY)
        driver = package().path('faketap.sys')
        shutil.copy(os.path.join(FAKES, 'faketap.sys'), driver)
        status, _, err = wine(TOOL, 'install', windows_path(driver), GUID, SUBKEY, 'Ethernet 9', '024C50000109', '9.27.0.0')
        self.assertEqual(status, 0, err)

    # ---- installed and removed ----

    def test_refused_before_windows_10(self):
        self.addCleanup(pretend_windows, 'win10')
        pretend_windows('win81')
        self.install(status=1)
        self.assert_nothing_left()

    def test_installed_run_and_removed(self):
        self.install()
        self.assert_installed()
        self.assertIsNone(service_state())
        self.assertEqual(sorted(os.listdir(STATE)), ['client.conf', 'client.lock'])
        self.assertIn('#room', read(STATE, 'client.conf'))
        program = os.path.join(HOME, PROGRAM)
        for option, status, text in (('--version', 0, 'lanparty-client '), ('--help', 0, '--list-tap-adapters'),
                                     ('--list-tap-adapters', 3, 'no TAP-Windows6 adapter')):
            got, out, _ = wine(program, option)
            self.assertEqual(got, status)
            self.assertIn(text, out)
        self.add_adapter()
        self.assertIn(GUID, wine(program, '--list-tap-adapters')[1])
        for path in (package().setup, program, os.path.join(HOME, 'uninstall.exe')):
            self.assertTrue(package().authority.verify(path), path)
        self.uninstall()
        self.assert_nothing_left(state=['client.conf'])

    def test_identity_and_configuration_go_only_when_asked(self):
        self.install(self.configuration())
        self.assertEqual(read(STATE, 'client.conf'), NOWHERE)
        for name in ('client-identity.json', 'relay-cert.der', 'client.log', 'client.log.old', 'route-state.txt.00.tmp'):
            with open(os.path.join(STATE, name), 'w', encoding='utf-8') as file:
                file.write('kept')
        with open(os.path.join(STATE, 'route-state.txt'), 'w', encoding='utf-8') as file:
            file.write('lanparty-route-state 1\nend 0\n')  # as every run leaves it
        self.uninstall()
        self.assert_nothing_left(state=['client-identity.json', 'client.conf', 'relay-cert.der'])
        self.install()  # what is there stays
        self.assertEqual(read(STATE, 'client.conf'), NOWHERE)
        self.assertEqual(read(STATE, 'client-identity.json'), 'kept')
        self.uninstall('/PURGE')
        self.assert_nothing_left()
        self.assertFalse(os.path.exists(STATE))

    def test_another_folder_with_spaces(self):
        home = os.path.join(DRIVE_C, 'LAN party of mine')
        self.addCleanup(shutil.rmtree, home, True)
        self.install(self.configuration(), '/D=C:\\LAN', 'party', 'of', 'mine')  # must not come in quotes
        self.assert_installed(home)
        self.install()  # finds it again
        self.assert_installed(home)
        self.assertFalse(os.path.exists(HOME))
        self.install('/D=C:\\Program', 'Files\\lanparty', status=1)  # two would share one service and one entry
        self.assertFalse(os.path.exists(HOME))
        self.assert_installed(home)
        self.uninstall('/PURGE', home=home)
        self.assert_nothing_left(home)

    def test_below_a_folder_that_others_may_rename(self):
        """They could put another program in the place of the one that the start menu runs with all rights."""
        above = os.path.join(DRIVE_C, 'Games')
        self.addCleanup(shutil.rmtree, above, True)
        self.install('/D=C:\\Games\\lanparty', status=1)
        self.assertFalse(os.path.exists(above))
        self.assert_nothing_left()

    def test_another_folder_that_is_not_empty(self):
        """Windows would load a library that somebody left beside the program, with all rights."""
        home = os.path.join(DRIVE_C, 'Games')
        self.addCleanup(shutil.rmtree, home, True)
        os.makedirs(home)
        self.install('/D=C:\\Games')  # an empty one will do
        self.assert_installed(home)
        self.uninstall('/PURGE', home=home)
        os.makedirs(home)
        with open(os.path.join(home, 'iphlpapi.dll'), 'w', encoding='utf-8') as file:
            file.write('evil')
        self.install('/D=C:\\Games', status=1)
        self.assertEqual(os.listdir(home), ['iphlpapi.dll'])
        self.assert_nothing_left(HOME)

    def test_wrong_arguments(self):
        for arguments in ([r'/CONFIG=Z:\nowhere\party.conf'], [r'/CONFIG=C:\windows'], ['/CONFIG='], ['/SERVCE'], ['party.conf']):
            self.install(*arguments, status=1)
            self.assert_nothing_left()
        self.install()
        self.assertEqual(self.uninstall_in_place('/PURG'), 1)
        self.assert_installed()

    def test_removed_without_the_program(self):
        """A virus scanner took it."""
        self.install(self.configuration(), '/SERVICE')
        self.wait('the end of the service, which finds no adapter', lambda: service_state() == 1)
        os.unlink(os.path.join(HOME, PROGRAM))
        self.uninstall('/PURGE')
        self.assert_nothing_left()

    # ---- the service, and what runs meanwhile ----

    def test_service_option(self):
        self.install(self.configuration(), '/SERVICE')
        self.assert_installed()
        values = registry(SERVICE_KEY)
        self.assertEqual(values['ImagePath'], r'"C:\Program Files\lanparty\lanparty-client.exe" '
                         r'--config=C:\ProgramData\lanparty\client.conf --service run')
        self.assertEqual(values['Start'], '0x2')  # with Windows
        self.wait('its log', lambda: os.path.exists(os.path.join(STATE, 'client.log')) and
                  'no TAP-Windows6 adapter is installed' in read(STATE, 'client.log'))
        self.uninstall('/PURGE')
        self.assert_nothing_left()

    def test_service_without_a_configuration(self):
        """Installed, and the status says that something is left to do."""
        self.install('/SERVICE', status=2)
        self.assert_installed()
        self.assertIsNone(service_state())

    def test_upgrade_and_removal_under_a_running_service(self):
        self.add_adapter()
        self.install(self.configuration(), '/SERVICE')
        self.wait('the running service', lambda: service_state() == 4)
        command = registry(SERVICE_KEY)['ImagePath']
        with open(os.path.join(HOME, 'windows.txt'), 'w', encoding='utf-8') as file:
            file.write('old')
        self.install()
        self.assert_installed()
        self.assertEqual(registry(SERVICE_KEY)['ImagePath'], command)
        self.wait('the service again', lambda: service_state() == 4)
        self.assertGreater(len(read(HOME, 'windows.txt')), 3)
        self.uninstall()
        self.assert_nothing_left(state=['client-identity.json', 'client.conf'])

    def test_upgrade_while_the_service_starts(self):
        """It takes no controls then, so it is told again, and runs again afterwards."""
        self.add_adapter()
        self.install(self.configuration(), '/SERVICE')
        wine('net', 'stop', 'lanparty-client')
        self.wait('the end of the service', lambda: service_state() == 1)
        program = os.path.join(HOME, PROGRAM)
        size = os.stat(program).st_size
        shutil.copy(TOOL, program)
        wine('sc', 'start', 'lanparty-client')
        self.assertEqual(service_state(), 2)
        self.install()
        self.assert_installed()
        self.assertEqual(os.stat(program).st_size, size)
        self.wait('the service again', lambda: service_state() == 4)
        self.uninstall('/PURGE')
        self.assert_nothing_left()

    def test_upgrade_and_removal_under_a_running_client(self):
        """Both are refused, and nothing is changed."""
        self.add_adapter()
        self.install(self.configuration())
        with open(os.path.join(HOME, 'windows.txt'), 'w', encoding='utf-8') as file:
            file.write('old')
        with open(package().path('client.log'), 'w+', encoding='utf-8') as log:
            client = subprocess.Popen([wine_binary('wine64'), os.path.join(HOME, PROGRAM), '--config',
                                       r'C:\ProgramData\lanparty\client.conf'], env={**os.environ, **environment()},
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.addCleanup(client.kill)
            self.wait('the client', lambda: 'relay_connecting' in read(package().path('client.log')))
            self.install(status=1)
            self.assertEqual(read(HOME, 'windows.txt'), 'old')
            self.assertEqual(self.uninstall_in_place(), 1)
            self.assert_installed()
            self.assertIsNone(client.poll())
            client.send_signal(2)
            self.assertEqual(client.wait(15), 0, read(package().path('client.log')))
        self.uninstall()
        self.assert_nothing_left(state=['client-identity.json', 'client.conf'])

    # ---- the folder under ProgramData ----

    def test_state_of_a_crash_is_taken_back_before_removal(self):
        """What can't be read is not guessed at: nothing is uninstalled then."""
        self.install()
        with open(os.path.join(STATE, 'route-state.txt'), 'w', encoding='utf-8') as file:
            file.write('nonsense\n')
        self.assertEqual(self.uninstall_in_place('/PURGE'), 1)
        self.assert_installed()
        self.install(status=2)  # a newer program may read it
        self.assert_installed()
        os.unlink(os.path.join(STATE, 'route-state.txt'))
        self.uninstall('/PURGE')
        self.assert_nothing_left()

    def test_a_folder_that_somebody_else_made_before(self):
        os.makedirs(STATE)
        os.chmod(STATE, 0o777)
        with open(os.path.join(STATE, 'client.conf'), 'w', encoding='utf-8') as file:
            file.write('relay = evil.example\n')
        self.install()
        self.assert_installed()  # looks at the folder's rights
        self.assertEqual(sorted(os.listdir(STATE)), ['client.conf', 'client.lock'])
        self.assertIn('#relay', read(STATE, 'client.conf'))
        self.assertIn('evil', read(STATE + '.untrusted-1', 'client.conf'))

    def test_a_folder_that_others_could_only_read(self):
        """Nobody else can have put anything there: it stays."""
        os.makedirs(STATE)
        os.chmod(STATE, 0o755)
        with open(os.path.join(STATE, 'client.conf'), 'w', encoding='utf-8') as file:
            file.write(NOWHERE)
        self.install()
        self.assertEqual(read(STATE, 'client.conf'), NOWHERE)
        self.assertEqual(glob.glob(STATE + '.*'), [])
