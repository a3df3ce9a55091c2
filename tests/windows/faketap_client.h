/* tests/windows/faketap_client.h: installs fake adapters and talks to their wire side. For tests and tools. */
#ifndef TESTS_WINDOWS_FAKETAP_CLIENT_H
#define TESTS_WINDOWS_FAKETAP_CLIENT_H

#include "tests/windows/faketap.h"

#include <stdbool.h>
#include <stddef.h>

struct faketap_adapter {
	const char *driver;  /* path of faketap.sys, as Windows or as Unix writes it */
	const char *guid;    /* with braces, upper case */
	const char *subkey;  /* "0107": in the registry's network class */
	const char *name;    /* friendly name */
	const char *mac;     /* twelve hex digits */
	const char *version; /* DriverVersion */
	bool auto_start;     /* with the prefix; else only now */
};

/* Registry entries and a service with the driver, started. On failure false, with the reason on standard error. */
bool faketap_install(const struct faketap_adapter *adapter);
/* The opposite; true when nothing is left. */
bool faketap_remove(const char *guid, const char *subkey);

/* A HANDLE of the wire side, or NULL. */
void *faketap_wire_open(const char *guid);
/* One request of the wire side's, and its answer in the same buffer. */
bool faketap_wire_ask(void *wire, uint32_t code, void *buf, size_t len);
bool faketap_wire_send(void *wire, const void *frame, size_t len);
/* Waits up to `ms` for a frame; its length, or -1. */
int faketap_wire_receive(void *wire, void *buf, size_t cap, unsigned ms);
void faketap_wire_close(void *wire);

#endif
