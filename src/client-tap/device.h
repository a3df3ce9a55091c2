/* client-tap/device.h: an open TAP-Windows6 device: a ring of reads always outstanding, writes of which so many may be
 * outstanding, and the driver's IOCTLs (TAP-3, TAP-4, WIN-6). Windows only. Knows no registry, no routes and no
 * tunnel. */
#ifndef CLIENT_TAP_DEVICE_H
#define CLIENT_TAP_DEVICE_H

#include "client-tap/registry.h"

#define TAPWIN_READS 16
/* Windows may keep what a program has not read yet, for a second or so: as much as a fast TCP has on its way. */
#define TAPWIN_WRITES 1024
#define TAPWIN_FRAME_BYTES_MAX 1522 /* MTU 1500, Ethernet header, one VLAN tag */

struct tapwin_device;

struct tapwin_device_counters {
	uint64_t frames_read, frames_written;
	uint64_t write_full;    /* dropped: Windows keeps TAPWIN_WRITES frames */
	uint64_t bad_frame;     /* too short or too long for the device; also what it gave us so */
	uint64_t write_refused; /* the driver was not ready (media down, sleeping, no memory) */
};

/* Opens \\.\Global\{GUID}.tap. Media is as the driver has it: down. 0; BASE_E_NOT_FOUND (no such device: driver not
 * loaded, adapter disabled), BASE_E_EXISTS (another program has it open), BASE_E_DENIED, BASE_E_NOMEM, BASE_E_IO. */
int tapwin_device_open(const char *guid, struct tapwin_device **ret, char error[static TAPWIN_ERROR_BYTES]);
/* Media down, all requests cancelled and waited for. Accepts NULL. */
void tapwin_device_close(struct tapwin_device *device);

/* 0, or BASE_E_IO and BASE_E_TIMEOUT with `error`. */
int tapwin_device_version(struct tapwin_device *device, uint32_t ret[static 3], char error[static TAPWIN_ERROR_BYTES]);
int tapwin_device_mac(struct tapwin_device *device, struct proto_mac *ret, char error[static TAPWIN_ERROR_BYTES]);
int tapwin_device_mtu(struct tapwin_device *device, uint32_t *ret, char error[static TAPWIN_ERROR_BYTES]);
/* Plugs the cable in, and posts the reads; or out. */
int tapwin_device_set_media(struct tapwin_device *device, bool up, char error[static TAPWIN_ERROR_BYTES]);

/* The event (a HANDLE, the device's, manual reset) that is set while a finished read waits: leaving frames for the next
 * turn is fine. Only tapwin_device_read() resets it. */
void *tapwin_device_event(const struct tapwin_device *device);
/* The oldest finished frame, valid until the next call. 0; BASE_E_AGAIN: none; BASE_E_STATE, once: the driver is not
 * ready (media down, asleep, no memory) and reads pause until tapwin_device_resume(); BASE_E_IO, with the system's
 * number in tapwin_device_error(): the device is beyond use. */
int tapwin_device_read(struct tapwin_device *device, struct slice *ret);
/* Posts reads again after BASE_E_STATE: call it about once a second while that lasts. An adapter that was disabled or
 * removed meanwhile is beyond use then. */
void tapwin_device_resume(struct tapwin_device *device);
/* Hands a frame to the driver, never waits. 0; BASE_E_FULL, BASE_E_RUNT, BASE_E_TOO_BIG, BASE_E_STATE (the driver is
 * not ready): dropped and counted; BASE_E_IO as for reads, also for a write before this one. */
int tapwin_device_write(struct tapwin_device *device, struct slice frame);

const struct tapwin_device_counters *tapwin_device_counters(const struct tapwin_device *device);
/* Words for the failure behind BASE_E_IO. */
void tapwin_device_error(const struct tapwin_device *device, char error[static TAPWIN_ERROR_BYTES]);

/* Disables and enables the adapter, so that its driver reads its settings anew. It must not be open. 0;
 * BASE_E_NOT_FOUND, BASE_E_DENIED, BASE_E_STATE (Windows wants a reboot), BASE_E_IO with `error`. The device can be
 * opened again a little later: try for some seconds. */
int tapwin_adapter_restart(const struct tapwin_adapter *adapter, char error[static TAPWIN_ERROR_BYTES]);

#endif
