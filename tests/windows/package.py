"""tests/windows/package.py: the installer and the portable zip as packaging/windows/build makes them, once per run, signed
with a certificate of a test authority."""
import functools
import os
import subprocess
import tempfile
import zipfile

from lab import ROOT

SIGN = os.path.join(ROOT, 'packaging', 'windows', 'sign')
PROGRAM = 'lanparty-client.exe'
LEAF_EXTENSIONS = 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n'


def run(*command, env=None, check=True):
    """Status and everything it said."""
    done = subprocess.run(command, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors='replace')
    if check and done.returncode != 0:
        raise AssertionError(f'{" ".join(command)}: status {done.returncode}\n{done.stdout}')
    return done.returncode, done.stdout


class Authority:
    """A test authority and the certificate that it gave to a maker of programs."""

    def __init__(self, folder, name):
        self.authority, self.certificate, self.key = (os.path.join(folder, f'{name}-{part}.pem')
                                                      for part in ('authority', 'certificate', 'key'))
        authority_key, request, extensions = (os.path.join(folder, f'{name}.{part}') for part in ('key', 'csr', 'ext'))
        with open(extensions, 'w', encoding='utf-8') as file:
            file.write(LEAF_EXTENSIONS)
        run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', authority_key, '-out', self.authority,
            '-subj', f'/CN={name} authority', '-days', '2')
        run('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-keyout', self.key, '-out', request, '-subj', f'/CN={name}')
        run('openssl', 'x509', '-req', '-in', request, '-CA', self.authority, '-CAkey', authority_key, '-CAcreateserial',
            '-out', self.certificate, '-days', '2', '-extfile', extensions)

    @property
    def environment(self):
        return {'SIGN_CERTIFICATE': self.certificate, 'SIGN_KEY': self.key}

    def verify(self, path):
        """True when the file has a good signature that leads to this authority."""
        return run('osslsigncode', 'verify', '-CAfile', self.authority, '-in', path, check=False)[0] == 0


class Package:
    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix='lanparty-package-')  # goes with the process at the latest
        self.folder = self.temporary.name
        self.authority = Authority(self.folder, 'maker')
        run(os.path.join(ROOT, 'packaging/windows/build'), '--output', self.folder, '--sign', env=self.authority.environment)
        self.setup = self._find('-setup.exe')
        self.zip = self._find('-portable.zip')
        with zipfile.ZipFile(self.zip) as archive:
            archive.extractall(self.folder)
        self.portable = self.zip.replace('-portable.zip', '')

    def _find(self, suffix):
        found = [name for name in os.listdir(self.folder) if name.endswith(suffix)]
        if len(found) != 1:
            raise AssertionError(f'{self.folder}: {len(found)} files end in {suffix}')
        return os.path.join(self.folder, found[0])

    @property
    def program(self):
        return os.path.join(self.portable, PROGRAM)

    def path(self, name):
        return os.path.join(self.folder, name)


@functools.cache
def package():
    return Package()


def remove_package():
    """At the end of a test file; the next one makes it anew, in two seconds."""
    if package.cache_info().currsize:
        package().temporary.cleanup()
        package.cache_clear()
