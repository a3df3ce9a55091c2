/* ctrl/message.h: the control messages of docs/protocol.md as plain values: parse, validate, print (CTL-1 to CTL-4).
 *
 * On the wire: a 4-byte length in network byte order, then that many bytes of one JSON object (RFC 8259, I-JSON: no
 * duplicate keys). Unknown fields are ignored; unknown message types decode as CTRL_UNKNOWN so that they can be
 * counted. An optional field may be null, which means absent. Both directions validate: a value that the parser would
 * refuse can't be printed. */
#ifndef CTRL_MESSAGE_H
#define CTRL_MESSAGE_H

#include "base/slice.h"
#include "obs/counters.h"
#include "proto/mac.h"

#define CTRL_PROTOCOL_VERSION 1
#define CTRL_LENGTH_BYTES 4
#define CTRL_MESSAGE_BYTES_MAX 4096 /* of JSON, without the length prefix */
#define CTRL_ROOM_BYTES_MAX 33      /* 32 characters and a NUL */
#define CTRL_NAME_BYTES_MAX 33
#define CTRL_TEXT_BYTES_MAX 201
#define CTRL_SEAT_KEY_BYTES 16
#define CTRL_KEY_CHECK_BYTES 8
#define CTRL_SALT_BYTES 16
#define CTRL_ADDRESS_BYTES_MAX 46 /* the longest IPv6 literal and a NUL */
#define CTRL_ERROR_BYTES 160

enum ctrl_type {
	CTRL_UNKNOWN,
	CTRL_HELLO,
	CTRL_WELCOME,
	CTRL_REJECT,
	CTRL_PEER_JOINED,
	CTRL_PEER_LEFT,
	CTRL_STATS,
	CTRL_LAN,
	CTRL_SHUT_OUT,
	CTRL_DISCONNECT,
	CTRL_TYPE_COUNT
};

enum ctrl_role { CTRL_ROLE_CLIENT, CTRL_ROLE_GATEWAY };

/* X(NAME, "name", "text for a person", worth retrying) */
#define CTRL_REJECT_CODES(X)                                                                    \
	X(VERSION, "version", "the relay speaks another protocol version", false)                   \
	X(BAD_HELLO, "bad_hello", "the hello was not valid", false)                                 \
	X(DUPLICATE_MAC, "duplicate_mac", "another client of the room uses this MAC address", true) \
	X(GATEWAY_EXISTS, "gateway_exists", "the room already has a gateway", true)                 \
	X(ROOM_FULL, "room_full", "the room is full", true)                                         \
	X(TOO_MANY_ROOMS, "too_many_rooms", "the relay has no place for another room", true)        \
	X(MTU, "mtu", "the path cannot carry the room's frames", true)                              \
	X(RATE, "rate", "too many peers joined lately", true)                                       \
	X(WRONG_SHARD, "wrong_shard", "the room is on another shard of the relay", true)            \
	X(SHUTTING_DOWN, "shutting_down", "the relay is shutting down", true)                       \
	X(INTERNAL, "internal", "the relay could not serve the request", true)

enum ctrl_reject_code {
#define CTRL_REJECT_ENUM(name, text, what, retry) CTRL_REJECT_##name,
	CTRL_REJECT_CODES(CTRL_REJECT_ENUM)
#undef CTRL_REJECT_ENUM
	    CTRL_REJECT_CODE_COUNT /* also: a code this version does not know */
};

/* X(NAME, "name"): why a peer left or leaves */
#define CTRL_LEAVE_REASONS(X)                                                           \
	X(QUIT, "quit")       /* the person or the service stopped it */                    \
	X(TIMEOUT, "timeout") /* nothing heard any more */                                  \
	X(CONNECTION_LOST, "connection_lost")                                               \
	X(REPLACED, "replaced")             /* the same peer came back and took its seat */ \
	X(DEVICE_ERROR, "device_error")     /* TAP or LAN port failed */                    \
	X(MALFORMED, "malformed")           /* too many malformed datagrams */              \
	X(PROTOCOL_ERROR, "protocol_error") /* broke the control protocol */                \
	X(RATE, "rate")                     /* too many control messages */                 \
	X(SHUTDOWN, "shutdown")             /* the relay stops */                           \
	X(OTHER, "other")                   /* a reason this version does not know */

enum ctrl_leave_reason {
#define CTRL_LEAVE_ENUM(name, text) CTRL_LEAVE_##name,
	CTRL_LEAVE_REASONS(CTRL_LEAVE_ENUM)
#undef CTRL_LEAVE_ENUM
	    CTRL_LEAVE_REASON_COUNT
};

struct ctrl_hello {
	uint32_t version;
	enum ctrl_role role;
	char room[CTRL_ROOM_BYTES_MAX]; /* 1..32 of A-Z a-z 0-9 - _ */
	struct proto_mac mac;           /* clients only */
	uint16_t budget;                /* largest DATAGRAM payload the sender can send, non-zero */
	char name[CTRL_NAME_BYTES_MAX]; /* optional, printable ASCII; "" for none */
	bool has_seat_key;
	uint8_t seat_key[CTRL_SEAT_KEY_BYTES]; /* secret that lets the same peer take its seat back; hex on the wire */
	/* Both or neither, zeros for none; hex on the wire. */
	uint8_t room_key[CTRL_KEY_CHECK_BYTES]; /* tells keys of the room apart, and nothing else (roomkey/roomkey.h) */
	uint8_t salt[CTRL_SALT_BYTES];          /* with which this peer's frames are sealed */
};

struct ctrl_welcome {
	uint32_t version;
	uint32_t peer_id;      /* non-zero */
	uint16_t mtu;          /* the room's TAP MTU, PROTO_TAP_MTU_MIN..MAX */
	bool gateway;          /* a gateway is present */
	uint32_t gateway_peer; /* 0: id not told (an older relay) */
	bool sealed;           /* the room has a key: its frames are sealed, and no others are forwarded */
	bool other_key;        /* no gateway is present, but one is in a room of this code with another key, or none */
};                         /* "mode" is always "ethernet" */

struct ctrl_reject {
	enum ctrl_reject_code code;
	char text[CTRL_TEXT_BYTES_MAX]; /* optional, printable ASCII; parsing replaces other characters by '?' and cuts */
	uint16_t cid_byte; /* with wrong_shard, required, 1..255: the first byte of the connection ID to come back with */
};

struct ctrl_peer {
	uint32_t peer_id;
	enum ctrl_role role;
	struct proto_mac mac; /* clients only */
	char name[CTRL_NAME_BYTES_MAX];
	uint8_t salt[CTRL_SALT_BYTES]; /* zeros: none, its frames are not sealed */
};

struct ctrl_peer_left {
	uint32_t peer_id;
	enum ctrl_leave_reason reason;
};

struct ctrl_stats {
	struct obs_counters counters; /* unknown names are ignored, absent ones 0, zeros are not printed; numbers over
	                               * INT64_MAX are printed as INT64_MAX */
	uint64_t rtt_us;              /* 0: unknown */
	uint16_t datagram_budget;     /* 0: unknown */
	bool route_pinned;
	bool tap_ready;
	char tap_address[CTRL_ADDRESS_BYTES_MAX]; /* an IP address without port; "" for none */
};

struct ctrl_lan {
	bool up; /* the gateway's LAN port has a link */
};

struct ctrl_shut_out {
	uint32_t peer_id;
	bool out; /* the gateway bridges nothing for this client, for a LAN machine has its MAC */
};

struct ctrl_disconnect {
	enum ctrl_leave_reason reason;
};

struct ctrl_message {
	enum ctrl_type type;
	union {
		struct ctrl_hello hello;
		struct ctrl_welcome welcome;
		struct ctrl_reject reject;
		struct ctrl_peer peer_joined;
		struct ctrl_peer_left peer_left;
		struct ctrl_stats stats;
		struct ctrl_lan lan;
		struct ctrl_shut_out shut_out;
		struct ctrl_disconnect disconnect;
	};
};

/* Parses one JSON object (without the length prefix). 0, or BASE_E_TOO_BIG, BASE_E_SYNTAX, BASE_E_DUPLICATE,
 * BASE_E_TRAILING, BASE_E_TYPE, BASE_E_MISSING, BASE_E_RANGE, BASE_E_INVALID, BASE_E_VERSION (hello or welcome of
 * another version, the rest not looked at), BASE_E_NOMEM (or BASE_E_SYNTAX: the JSON library can't always tell).
 * `error` names the field: "hello.room: ...". An unknown "type" is 0 with CTRL_UNKNOWN. */
int ctrl_message_parse(struct slice json, struct ctrl_message *ret, char error[static CTRL_ERROR_BYTES]);

/* Prints length prefix and JSON into `buf`. Returns the byte count, or the same codes for a value that is not valid,
 * BASE_E_TOO_BIG when it does not fit. */
int ctrl_message_print(const struct ctrl_message *message, uint8_t *buf, size_t cap,
                       char error[static CTRL_ERROR_BYTES]);

/* Whether it can be a room code, or a peer's name. 0; BASE_E_RANGE: too long, or an empty code; BASE_E_INVALID: a
 * character that is not allowed. */
int ctrl_room_check(const char *room);
int ctrl_name_check(const char *name);

/* Whether the hello says which room key its sender has. */
bool ctrl_has_room_key(const struct ctrl_hello *hello);

const char *ctrl_type_name(enum ctrl_type type);
const char *ctrl_role_name(enum ctrl_role role);
const char *ctrl_reject_name(enum ctrl_reject_code code);
const char *ctrl_reject_text(enum ctrl_reject_code code);
bool ctrl_reject_is_transient(enum ctrl_reject_code code); /* worth another try later; so is an unknown code */
const char *ctrl_leave_name(enum ctrl_leave_reason reason);

#endif
