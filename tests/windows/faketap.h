/* tests/windows/faketap.h: what the fake TAP driver's wire side understands, for the driver and for tests. One frame is
 * one read or write on \\.\Global\{GUID}.wire, which one program has open; the .tap side is as TAP-Windows6 documents.
 */
#ifndef TESTS_WINDOWS_FAKETAP_H
#define TESTS_WINDOWS_FAKETAP_H

#include <stdint.h>

#define FAKETAP_CODE(number) (0x22u << 16 | (number) << 2) /* FILE_DEVICE_UNKNOWN, buffered, any access */
#define FAKETAP_GET_MAC FAKETAP_CODE(1u)
#define FAKETAP_GET_VERSION FAKETAP_CODE(2u)
#define FAKETAP_GET_MTU FAKETAP_CODE(3u)
#define FAKETAP_SET_MEDIA FAKETAP_CODE(6u)
#define FAKETAP_GET_CONFIG FAKETAP_CODE(0x800u)
#define FAKETAP_SET_CONFIG FAKETAP_CODE(0x801u)
#define FAKETAP_GET_STATE FAKETAP_CODE(0x802u)

#define FAKETAP_FRAME_BYTES_MAX 2048
#define FAKETAP_QUEUE_MAX 1100 /* more than the client may have written and not got back */

struct faketap_config {
	uint8_t mac[8]; /* the first six */
	uint32_t version[3];
	uint32_t mtu;
	uint32_t fail_read;   /* NTSTATUS that ends the next read of the .tap side; 0: none. Back to 0 when it did */
	uint32_t fail_write;  /* the same for a write */
	uint32_t fail_media;  /* NTSTATUS for every SET_MEDIA_STATUS */
	uint32_t hold_writes; /* so many writes of the .tap side are kept, those behind them pass; all go when 0 is set */
	uint32_t asleep;      /* media says up, yet reads and writes are refused as when it is down */
	uint32_t gone;        /* the adapter was disabled: who has it open finds it asleep, and nobody else finds it */
};

struct faketap_state {
	uint32_t media;
	uint32_t open;
	uint32_t reads_pending;
	uint32_t writes_held;
	uint32_t dropped_to_tap, dropped_to_wire;
	uint32_t media_changes;
};

#endif
