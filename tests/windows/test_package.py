"""lanparty-client.exe as a file, the portable zip, and the signatures."""
import mmap
import os
import re
import shutil
import struct
import unittest
import zipfile

from lab import ROOT
from package import PROGRAM, SIGN, Authority, package, remove_package, run
from winlab import CLIENT, WineCase, wine

SYSTEM_DLLS = {'advapi32.dll', 'bcrypt.dll', 'crypt32.dll', 'iphlpapi.dll', 'kernel32.dll', 'msvcrt.dll', 'ncrypt.dll',
               'netapi32.dll', 'ole32.dll', 'setupapi.dll', 'shell32.dll', 'user32.dll', 'ws2_32.dll'}
SIZE_MAX = 4 * 1024 * 1024
FLAGS = {'HIGH_ENTROPY_VA': 0x20, 'DYNAMIC_BASE': 0x40, 'NX_COMPAT': 0x100}
# Where source, build and dependencies may lie.
BUILD_PATHS = [os.fsencode(ROOT), os.fsencode(os.path.expanduser('~')) + b'/', b'/home/', b'/build/', b'/usr/', b'/tmp/',
               b'.cache/lanparty']


class Headers:
    """What the checks need of a PE32+ file."""

    def __init__(self, data):
        pe = struct.unpack_from('<I', data, 0x3c)[0]
        if data[pe:pe + 4] != b'PE\0\0' or struct.unpack_from('<H', data, pe + 24)[0] != 0x20b:
            raise AssertionError('not a PE32+ file')
        count, _, self.symbols_at, self.symbols, optional = struct.unpack_from('<HIIIH', data, pe + 6)
        self.flags_at = pe + 24 + 70
        self.flags = struct.unpack_from('<H', data, self.flags_at)[0]
        table = pe + 24 + optional
        self.sections = [data[table + 40 * i:table + 40 * i + 8].rstrip(b'\0').decode() for i in range(count)]


def version():
    with open(os.path.join(ROOT, 'meson.build'), encoding='utf-8') as file:
        return re.search(r"version: '([^']*)'", file.read()).group(1)


def problems(path):
    """What is wrong with a program that is to be given away; each begins with its kind."""
    found = []
    with open(path, 'rb') as file:
        data = file.read()
    headers = Headers(data)
    imports = run('x86_64-w64-mingw32-objdump', '-p', path)[1]
    names = {name.lower() for name in re.findall(r'DLL Name: (\S+)', imports)}
    if not names:
        found.append('imports: none found')
    found += [f'imports: {name}' for name in sorted(names - SYSTEM_DLLS)]
    found += [f'flags: no {name}' for name, bit in FLAGS.items() if not headers.flags & bit]
    if '.reloc' not in headers.sections:
        found.append('flags: no relocations, so nothing can be moved')
    if len(data) >= SIZE_MAX:
        found.append(f'size: {len(data)} bytes')
    if headers.symbols or headers.symbols_at or any(name.startswith(('.debug', '/')) for name in headers.sections):
        found.append('debug: symbols or debug sections')
    for text in (f'FileVersion\0\0{version()}\0', 'ProductName\0\0LAN party client\0'):
        if text.encode('utf-16-le') not in data:
            found.append(f'version: no {text.split(chr(0))[0]}')
    if b'level="asInvoker"' not in data:
        found.append('manifest: none')
    found += [f'path: {name.decode()}' for name in BUILD_PATHS if name in data]
    return found


def tearDownModule():
    remove_package()


class TestProgram(unittest.TestCase):
    def test_is_fit_to_be_given_away(self):
        self.assertEqual(problems(package().program), [])

    def kinds(self, path):
        return {text.split(':')[0] for text in problems(path)}

    def planted(self, change):
        """The kinds of problems after a change of the bytes."""
        path = package().path('planted.exe')
        shutil.copy(package().program, path)
        with open(path, 'r+b') as file:
            change(file)
        return self.kinds(path)

    def replace(self, old, new):
        def change(file):
            with mmap.mmap(file.fileno(), 0) as data:
                place = data.find(old)
                self.assertGreaterEqual(place, 0, old)
                data[place:place + len(old)] = new
        return self.planted(change)

    def test_each_check_finds_what_it_is_for(self):
        def clear_flag(bit):
            def change(file):
                headers = Headers(file.read())
                file.seek(headers.flags_at)
                file.write(struct.pack('<H', headers.flags & ~bit))
            return change

        def grow(file):
            file.truncate(SIZE_MAX)

        self.assertEqual(self.replace(b'IPHLPAPI.DLL', b'IPHLPAPI.DLK'), {'imports'})
        for bit in FLAGS.values():
            self.assertEqual(self.planted(clear_flag(bit)), {'flags'})
        self.assertEqual(self.planted(grow), {'size'})
        self.assertLessEqual({'debug', 'size'}, self.kinds(CLIENT))  # as it comes from the linker
        self.assertEqual(self.replace('FileVersion'.encode('utf-16-le'), 'FileVersiom'.encode('utf-16-le')), {'version'})
        self.assertEqual(self.replace(b'asInvoker', b'asInvokes'), {'manifest'})
        source = b'../../src/base/text.c'
        self.assertEqual(self.replace(source, b'/tmp/src/base/text.c\0'), {'path'})


class TestZip(WineCase):
    def test_contents(self):
        with zipfile.ZipFile(package().zip) as archive:
            names = {name for name in archive.namelist() if not name.endswith('/')}
        folder = f'lanparty-client-{version()}/'
        self.assertEqual(names, {folder + name for name in (PROGRAM, 'LICENSE.txt', 'client.conf', 'windows.txt')})
        for name in ('LICENSE.txt', 'client.conf', 'windows.txt'):
            with open(os.path.join(package().portable, name), 'rb') as file:
                text = file.read()
            self.assertEqual(text.count(b'\n'), text.count(b'\r\n'), name)
            self.assertNotIn(b'check-docs', text)

    def test_runs_where_it_was_unpacked(self):
        place = package().path('My games, ünpacked')
        shutil.copytree(package().portable, place)
        program = os.path.join(place, PROGRAM)
        status, out, err = wine(program, '--version')
        self.assertEqual((status, err), (0, ''))
        self.assertIn(f'lanparty-client {version()}', out)
        self.assertIn('--list-tap-adapters', wine(program, '--help')[1])
        status, out, _ = wine(program, '--list-tap-adapters')
        self.assertEqual(status, 3)
        self.assertIn('no TAP-Windows6 adapter', out)

    def test_the_sample_configuration_names_options_that_exist(self):
        """With every line taken out of its comment, only the certificate, which is not there, is wrong."""
        filled = package().path('filled.conf')
        with open(os.path.join(package().portable, 'client.conf'), encoding='utf-8') as file, \
                open(filled, 'w', encoding='utf-8') as out:
            out.write(re.sub(r'(?m)^#(\S)', r'\1', file.read()))
        status, _, err = wine(package().program, '--config', 'Z:' + filled)
        self.assertEqual(status, 6, err)
        self.assertIn(r'C:\ProgramData\lanparty\relay-cert.der', err)


class TestSignature(unittest.TestCase):
    def test_program_and_installer_are_signed(self):
        stranger = Authority(package().folder, 'stranger')
        for path in (package().program, package().setup):
            self.assertTrue(package().authority.verify(path), path)
            self.assertFalse(stranger.verify(path), path)

    def test_a_changed_byte_is_found(self):
        for path in (package().program, package().setup):
            changed = package().path('changed.exe')
            shutil.copy(path, changed)
            with open(changed, 'r+b') as file:
                file.seek(os.path.getsize(path) // 2)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))
            self.assertFalse(package().authority.verify(changed), path)

    def test_sign_says_what_is_wrong_and_leaves_the_file(self):
        path = package().path('unsigned.exe')
        run('x86_64-w64-mingw32-strip', '-o', path, CLIENT)
        with open(path, 'rb') as file:
            before = file.read()
        good = package().authority.environment
        other = Authority(package().folder, 'other')
        for changes, file, message in (({'SIGN_KEY': ''}, path, 'SIGN_KEY is not set'),
                                       ({'SIGN_CERTIFICATE': '/nowhere.pem'}, path, '/nowhere.pem cannot be read'),
                                       ({'SIGN_KEY': other.key}, path, 'unsigned.exe is not signed'),
                                       ({}, '/nowhere.exe', '/nowhere.exe cannot be read')):
            status, said = run(SIGN, file, env={**good, **changes}, check=False)
            self.assertNotEqual(status, 0)
            self.assertIn(message, said)
        with open(path, 'rb') as file:
            self.assertEqual(file.read(), before)
        self.assertFalse(package().authority.verify(path))
        run(SIGN, path, env=good)
        self.assertTrue(package().authority.verify(path))
        self.assertFalse(os.path.exists(path + '.signed'))

    def test_build_names_what_it_cannot_use(self):
        for arguments, message in ((['--sing'], 'usage: '), (['--output'], '--output needs a folder')):
            status, said = run(os.path.join(ROOT, 'packaging/windows/build'), *arguments, check=False)
            self.assertEqual(status, 1)
            self.assertIn(message, said)
