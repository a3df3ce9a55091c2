#!/usr/bin/python3
"""tests/netns/mdns.py: a service announced and found with python-zeroconf, a real mDNS responder (RFC 6762, RFC 6763).

  mdns.py announce ADDRESS NAME     announces the service NAME at ADDRESS, until it is ended
  mdns.py browse ADDRESS SECONDS    prints "NAME ADDRESS" of the first service that is announced to ADDRESS's network
"""
import socket
import sys
import threading

from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, Zeroconf

TYPE = '_lanparty-test._udp.local.'


def announce(zeroconf, address, name):
    zeroconf.register_service(ServiceInfo(TYPE, f'{name}.{TYPE}', addresses=[socket.inet_aton(address)], port=27960,
                                          server=f'{name}.local.'))
    print('announced', flush=True)
    threading.Event().wait()


def browse(zeroconf, seconds):
    found = threading.Event()

    class Listener:
        def add_service(self, browser, kind, name):
            info = browser.get_service_info(kind, name, 3000)
            if info is not None:
                print(name.split('.')[0], *info.parsed_addresses(), flush=True)
                found.set()

        def update_service(self, browser, kind, name):
            pass

        def remove_service(self, browser, kind, name):
            pass

    ServiceBrowser(zeroconf, TYPE, Listener())
    return 0 if found.wait(seconds) else 1


if __name__ == '__main__':
    if len(sys.argv) != 4 or sys.argv[1] not in ('announce', 'browse'):
        sys.exit(__doc__)
    responder = Zeroconf(interfaces=[sys.argv[2]], ip_version=IPVersion.V4Only)
    try:
        if sys.argv[1] == 'announce':
            announce(responder, sys.argv[2], sys.argv[3])
        sys.exit(browse(responder, float(sys.argv[3])))
    finally:
        responder.close()
