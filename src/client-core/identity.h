/* client-core/identity.h: who a client is from one run to the next (CLI-10): its virtual MAC, and the secret that lets
 * it take its seat at the relay back. The text of the identity file only; reading and writing the file is the binary's.
 *
 *   {"version":1,"mac":"02:11:22:33:44:55","seat_key":"00112233445566778899aabbccddeeff"} */
#ifndef CLIENT_CORE_IDENTITY_H
#define CLIENT_CORE_IDENTITY_H

#include "ctrl/message.h"

#define CLIENT_IDENTITY_VERSION 1
#define CLIENT_IDENTITY_BYTES_MAX 1024 /* of the file */
#define CLIENT_IDENTITY_ERROR_BYTES 160
#define CLIENT_IDENTITY_RANDOM_BYTES (PROTO_MAC_BYTES + CTRL_SEAT_KEY_BYTES)

struct client_identity {
	struct proto_mac mac; /* unicast, not zero */
	uint8_t seat_key[CTRL_SEAT_KEY_BYTES];
};

/* A new identity from cryptographically random bytes; the MAC is locally administered. */
struct client_identity client_identity_from_random(const uint8_t random[static CLIENT_IDENTITY_RANDOM_BYTES]);

/* Strict: exactly these fields, each once, white space around allowed. 0; BASE_E_TOO_BIG, BASE_E_SYNTAX,
 * BASE_E_DUPLICATE, BASE_E_TYPE (not an object, or a field of another type), BASE_E_MISSING, BASE_E_VERSION,
 * BASE_E_INVALID (a value, or a field this version does not know). `error` names the field: "seat_key: ...". */
int client_identity_parse(struct slice json, struct client_identity *ret,
                          char error[static CLIENT_IDENTITY_ERROR_BYTES]);

/* The same as one line with a newline. Returns its length without the NUL, or BASE_E_TOO_BIG, BASE_E_INVALID (mac). */
int client_identity_print(const struct client_identity *identity, char *buf, size_t cap);

#endif
