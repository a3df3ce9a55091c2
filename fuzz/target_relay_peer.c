/* A byte script drives several peers of one relay core: arbitrary control bytes and datagrams between valid hellos,
 * frames, hang-ups and time. After every step the invariants of relay/core.h must hold.
 *
 * Bytes are taken from the front; each step starts with the action and the connection it is about. What is missing at
 * the end reads as 0. */
#include "base/bytes.h"
#include "base/error.h"
#include "proto/overlay.h"
#include "relay/internal.h"
#include "relay/snapshot.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CONNS 10
#define IDS 1024
#define POOL 64
/* In the datagram, behind what the relay looks at: tag, connection, its how-manieth life. */
#define TAG_AT 22
#define SEALED_TAG_AT PROTO_SEALED_CLEAR_BYTES
#define TAG_BYTES 6
#define TAG "room"

#define CHECK(condition)      \
	do {                      \
		if (!(condition))     \
			__builtin_trap(); \
	} while (0)

struct fake {
	struct relay_peer *peer; /* NULL: not connected */
	size_t budget;
	bool settled, flushed, deaf, closed;
	struct ctrl_stream stream;
	bool welcomed, ended;
	bool known[IDS];                /* peers it was told of */
	char room[CTRL_ROOM_BYTES_MAX]; /* when it last sent a tagged frame */
	uint8_t life;
};

struct fuzz {
	struct relay_core *core;
	struct base_reader script;
	uint64_t now;
	struct fake fakes[CONNS];
};

static uint8_t take_byte(struct fuzz *fuzz) {
	uint8_t byte = 0;

	base_read_u8(&fuzz->script, &byte);
	return byte;
}

static struct slice take_bytes(struct fuzz *fuzz, size_t wanted) {
	struct slice bytes = {0};

	if (wanted > fuzz->script.rest.len)
		wanted = fuzz->script.rest.len;
	base_read_bytes(&fuzz->script, wanted, &bytes);
	return bytes;
}

/* --- the connection's side --- */

/* Lifecycle as a peer sees it: welcome first, everybody joins before leaving, nothing after the end. */
static void hear(struct fake *fake, const struct ctrl_message *message) {
	CHECK(!fake->ended);
	switch (message->type) {
	case CTRL_WELCOME:
		CHECK(!fake->welcomed);
		fake->welcomed = true;
		break;
	case CTRL_REJECT:
		CHECK(!fake->welcomed);
		fake->ended = true;
		break;
	case CTRL_DISCONNECT:
		fake->ended = true;
		break;
	case CTRL_LAN:
	case CTRL_SHUT_OUT:
		CHECK(fake->welcomed);
		break;
	case CTRL_PEER_JOINED:
		CHECK(fake->welcomed && message->peer_joined.peer_id < IDS && !fake->known[message->peer_joined.peer_id]);
		fake->known[message->peer_joined.peer_id] = true;
		break;
	case CTRL_PEER_LEFT:
		CHECK(fake->welcomed && message->peer_left.peer_id < IDS && fake->known[message->peer_left.peer_id]);
		fake->known[message->peer_left.peer_id] = false;
		break;
	default:
		CHECK(false);
	}
}

static int control_send(void *user, void *conn, struct slice bytes) {
	struct fake *fake = conn;
	struct ctrl_message message;
	char error[CTRL_ERROR_BYTES];
	struct slice json;

	(void)user;
	CHECK(!fake->closed);
	if (fake->deaf)
		return BASE_E_FULL;
	while (ctrl_stream_next(&fake->stream, &bytes, &json) > 0) {
		CHECK(ctrl_message_parse(json, &message, error) == 0);
		hear(fake, &message);
	}
	CHECK(bytes.len == 0 && ctrl_stream_pending(&fake->stream) == 0);
	return 0;
}

static bool control_flushed(void *user, void *conn) {
	(void)user;
	return ((struct fake *)conn)->flushed;
}

static void close_conn(void *user, void *conn, enum quic_app_code code, const char *text, uint64_t now) {
	struct fake *fake = conn;

	(void)user;
	(void)code;
	(void)now;
	CHECK(!fake->closed && memchr(text, '\0', CTRL_TEXT_BYTES_MAX) != NULL);
	fake->closed = true;
}

static size_t budget(void *user, void *conn) {
	(void)user;
	return ((struct fake *)conn)->budget;
}

static bool budget_settled(void *user, void *conn, uint64_t now) {
	(void)user;
	(void)now;
	return ((struct fake *)conn)->settled;
}

static void wake(void *user, void *conn) {
	(void)user;
	CHECK(!((struct fake *)conn)->closed);
}

static void info(void *user, void *conn, struct relay_conn_info *ret) {
	(void)user;
	(void)conn;
	ret->rtt_ns = 1;
}

static const struct relay_transport transport = {
    control_send, control_flushed, close_conn, budget, budget_settled, wake, info};

/* --- steps --- */

static void connect_peer(struct fuzz *fuzz, struct fake *fake) {
	struct base_addr remote = {.family = BASE_FAMILY_V4, .port = 1};

	if (fake->peer != NULL)
		return;
	*fake = (struct fake){.life = (uint8_t)(fake->life + 1)};
	fake->budget = 1440;
	fake->settled = fake->flushed = true;
	ctrl_stream_init(&fake->stream);
	fake->peer = relay_core_accept(fuzz->core, fake, &remote, fuzz->now);
	if (fake->peer != NULL)
		relay_core_connected(fake->peer, fuzz->now);
}

static void hang_up(struct fuzz *fuzz, struct fake *fake) {
	relay_core_closed(fake->peer, (enum ctrl_leave_reason)(take_byte(fuzz) % CTRL_LEAVE_REASON_COUNT), fuzz->now);
	fake->peer = NULL;
}

static void say(struct fuzz *fuzz, struct fake *fake, const struct ctrl_message *message) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	char error[CTRL_ERROR_BYTES];
	int len = ctrl_message_print(message, buf, sizeof(buf), error);

	if (len > 0)
		relay_core_control(fake->peer, slice_of(buf, (size_t)len), false, fuzz->now);
}

static struct proto_mac small_mac(uint8_t byte) {
	static const struct proto_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

	return byte % 8 == 7 ? broadcast : (struct proto_mac){{2, 0, 0, 0, 0, byte % 8}};
}

static void say_hello(struct fuzz *fuzz, struct fake *fake) {
	struct ctrl_message message = {.type = CTRL_HELLO};
	uint8_t choice = take_byte(fuzz);
	uint8_t key = take_byte(fuzz);

	message.hello.version = CTRL_PROTOCOL_VERSION;
	message.hello.room[0] = (char)('A' + (choice & 3));
	message.hello.role = (choice & 4) != 0 ? CTRL_ROLE_GATEWAY : CTRL_ROLE_CLIENT;
	if (message.hello.role == CTRL_ROLE_CLIENT)
		message.hello.mac = small_mac(choice >> 3);
	message.hello.budget = (uint16_t)(1440 - 16 * (choice >> 6));
	message.hello.has_seat_key = key != 0;
	memset(message.hello.seat_key, key, CTRL_SEAT_KEY_BYTES);
	if (message.hello.room[0] == 'D') { /* a room with a key, which not everybody knows */
		memset(message.hello.room_key, key < 0xf0, CTRL_KEY_CHECK_BYTES);
		memset(message.hello.salt, key < 0xf0, CTRL_SALT_BYTES);
	}
	say(fuzz, fake, &message);
}

static void say_small(struct fuzz *fuzz, struct fake *fake) {
	struct ctrl_message message = {.type = CTRL_STATS};
	uint8_t choice = take_byte(fuzz);

	if (choice % 4 == 0) {
		message.type = CTRL_DISCONNECT;
		message.disconnect.reason = (enum ctrl_leave_reason)(choice / 4 % CTRL_LEAVE_REASON_COUNT);
	} else if (choice % 4 == 1) {
		message.type = CTRL_LAN;
		message.lan.up = choice >= 0x80;
	} else if (choice % 4 == 2) {
		message.type = CTRL_SHUT_OUT;
		message.shut_out.peer_id = 1 + choice / 4 % 4;
		message.shut_out.out = choice >= 0x80;
	} else {
		message.stats.rtt_us = choice;
	}
	say(fuzz, fake, &message);
}

static void say_bytes(struct fuzz *fuzz, struct fake *fake) {
	uint8_t len = take_byte(fuzz);

	relay_core_control(fake->peer, take_bytes(fuzz, len), (len & 0x80) != 0, fuzz->now);
}

/* A datagram under the peer's own header, tagged so that whoever gets it knows where it is from. */
static void send_frame(struct fuzz *fuzz, struct fake *fake) {
	uint8_t datagram[1600] = {0}, frame[1600 - 8];
	uint8_t choice = take_byte(fuzz);
	size_t len = 20 + (size_t)take_byte(fuzz) * 6, tag_at;
	bool sealed;
	struct slice rest;

	if (fake->peer->id == 0)
		return;
	sealed = ctrl_has_room_key(&fake->peer->hello);
	tag_at = sealed ? SEALED_TAG_AT : TAG_AT;
	memcpy(datagram + 8, small_mac(choice & 15).b, PROTO_MAC_BYTES);
	memcpy(datagram + 14, small_mac(choice >> 4).b, PROTO_MAC_BYTES);
	base_put_u16(datagram + 20, 0x8137);
	if (sealed) {
		memcpy(frame, datagram + 8, sizeof(frame));
		proto_sealed_encode_clear(datagram, fake->peer->id, slice_of(frame, len), choice, choice, sizeof(datagram));
	} else {
		proto_overlay_encode_header(datagram, fake->peer->id, len, sizeof(datagram));
	}
	memcpy(datagram + tag_at, TAG, 4);
	datagram[tag_at + 4] = (uint8_t)(fake - fuzz->fakes);
	datagram[tag_at + 5] = fake->life;
	rest = take_bytes(fuzz, take_byte(fuzz) & 31);
	len += PROTO_OVERLAY_HEADER_BYTES + (sealed ? (size_t)PROTO_SEALED_BYTES : 0);
	if (rest.len > 0 && tag_at + TAG_BYTES + rest.len <= len)
		memcpy(datagram + tag_at + TAG_BYTES, rest.data, rest.len);
	memcpy(fake->room, fake->peer->hello.room, sizeof(fake->room));
	relay_core_datagram(fake->peer, slice_of(datagram, len), fuzz->now);
}

static void send_bytes(struct fuzz *fuzz, struct fake *fake) {
	uint8_t datagram[256];
	struct slice bytes = take_bytes(fuzz, take_byte(fuzz));

	if (bytes.len > 0)
		memcpy(datagram, bytes.data, bytes.len);
	if (bytes.len > TAG_AT) /* no false tags */
		datagram[TAG_AT] = 0;
	if (bytes.len > SEALED_TAG_AT)
		datagram[SEALED_TAG_AT] = 0;
	relay_core_datagram(fake->peer, slice_of(datagram, bytes.len), fuzz->now);
}

/* RLY-4, RLY-6: from another peer, of the same room, under the MAC that is bound to it. */
static void check_delivery(const struct fuzz *fuzz, const struct fake *target, struct slice datagram) {
	struct proto_overlay overlay = {0};
	struct proto_sealed unread = {0};
	bool sealed = ctrl_has_room_key(&target->peer->hello);
	size_t tag_at = sealed ? SEALED_TAG_AT : TAG_AT;
	const struct fake *from;
	uint32_t source;

	CHECK((sealed ? proto_sealed_decode(datagram, &unread) : proto_overlay_decode(datagram, &overlay)) == 0);
	source = sealed ? unread.source_peer : overlay.source_peer;
	CHECK(source != target->peer->id);
	CHECK(datagram.len <= 1366);
	if (datagram.len < tag_at + TAG_BYTES || memcmp(datagram.data + tag_at, TAG, 4) != 0)
		return;
	from = &fuzz->fakes[datagram.data[tag_at + 4]];
	if (from->peer == NULL || from->life != datagram.data[tag_at + 5])
		return; /* gone meanwhile, and perhaps somebody else */
	CHECK(from->peer->id == source);
	CHECK(memcmp(from->peer->hello.room_key, target->peer->hello.room_key, CTRL_KEY_CHECK_BYTES) == 0);
	CHECK(strcmp(from->room, target->peer->hello.room) == 0);
	CHECK(from->peer->hello.role == CTRL_ROLE_GATEWAY ||
	      memcmp(datagram.data + 14, from->peer->hello.mac.b, PROTO_MAC_BYTES) == 0);
}

static void take_frames(struct fuzz *fuzz, struct fake *fake) {
	uint8_t count = take_byte(fuzz);
	struct slice datagram;

	for (uint8_t i = 0; i < (count & 15) && relay_core_next(fake->peer, &datagram, fuzz->now); i++) {
		CHECK(!fake->ended && !fake->closed);
		check_delivery(fuzz, fake, datagram);
		if ((count & 0x80) == 0)
			relay_core_taken(fake->peer, (count & 0x40) == 0, fuzz->now);
	}
}

static void change_path(struct fuzz *fuzz, struct fake *fake) {
	uint8_t choice = take_byte(fuzz);

	fake->budget = 1440 - 8 * (size_t)(choice & 31);
	fake->settled = (choice & 32) != 0;
	fake->flushed = (choice & 64) != 0;
	fake->deaf = (choice & 128) != 0;
}

static void pass_time(struct fuzz *fuzz, struct fake *fake) {
	uint8_t choice = take_byte(fuzz);

	(void)fake;
	fuzz->now += (choice & 0x80) != 0 ? (uint64_t)(choice & 0x7f) * BASE_SECOND : choice * BASE_MS;
	relay_core_tick(fuzz->core, fuzz->now);
	CHECK(relay_core_deadline(fuzz->core) > fuzz->now);
}

static void look(struct fuzz *fuzz, struct fake *fake) {
	struct relay_snapshot *snapshot = relay_snapshot_new(fuzz->core);

	(void)fake;
	CHECK(relay_snapshot_step(snapshot, SIZE_MAX, fuzz->now));
	json_decref(relay_snapshot_finish(snapshot, NULL, 0));
}

static void shut_down(struct fuzz *fuzz, struct fake *fake) {
	(void)fake;
	if (take_byte(fuzz) == 0xff)
		relay_core_shutdown(fuzz->core, fuzz->now);
}

static const struct {
	void (*run)(struct fuzz *fuzz, struct fake *fake);
	bool connected;
} steps[] = {
    {connect_peer, false}, {say_hello, true},  {say_bytes, true},   {say_small, true},   {send_frame, true},
    {send_frame, true},    {send_bytes, true}, {take_frames, true}, {change_path, true}, {pass_time, false},
    {hang_up, true},       {look, false},      {shut_down, false},
};

/* --- invariants --- */

static void check_room(const struct relay_room *room) {
	size_t count = 0, clients = 0;
	uint32_t last_id = 0;

	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next) {
		const struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, room_link);

		CHECK(peer->room == room && peer->state == RELAY_PEER_JOINED && peer->id > last_id);
		CHECK(strcmp(peer->hello.room, room->code) == 0);
		CHECK(peer->hello.role == CTRL_ROLE_GATEWAY ? room->gateway == peer
		                                            : relay_room_client(room, peer->hello.mac) == peer);
		last_id = peer->id;
		clients += peer->hello.role == CTRL_ROLE_CLIENT;
		count++;
	}
	CHECK(count == room->peer_count && clients == room->clients.len && clients + (room->gateway != NULL) == count);
	CHECK(base_list_empty(&room->empty_link) == (count > 0));
	CHECK(count <= room->core->limits.room_peers_max);
}

static void check_books(struct relay_core *core) {
	uint64_t copies = core->totals.rx.value[OBS_FORWARDED_COPIES];
	uint64_t ended = core->totals.tx.value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(&core->totals.tx);

	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);

		CHECK(peer->rx.value[OBS_TUNNEL_RX_DATAGRAMS] == peer->forwarded + obs_drops_total(&peer->rx));
		CHECK(!relay_peer_is_doomed(peer));
		if (peer->state != RELAY_PEER_JOINED)
			continue;
		copies += peer->rx.value[OBS_FORWARDED_COPIES];
		ended += peer->tx.value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(relay_peer_tx(peer));
		ended += relay_peer_queued(peer);
	}
	CHECK(copies == ended);
}

static void check_core(struct relay_core *core) {
	size_t held = 0;

	for (struct base_map_node *node = base_map_next(&core->rooms, NULL); node != NULL;
	     node = base_map_next(&core->rooms, node)) {
		const struct relay_room *room = BASE_CONTAINER(node, struct relay_room, node);

		check_room(room);
		held += room->held.frames;
	}
	CHECK(held + queue_pool_available(core->pool) == POOL);
	CHECK(core->rooms.len <= core->limits.rooms_max && core->peer_count <= core->limits.peers_max);
	check_books(core);
}

/* The transport reports every close it was asked for, sooner or later. */
static void report_closes(struct fuzz *fuzz) {
	for (size_t i = 0; i < CONNS; i++) {
		if (fuzz->fakes[i].closed && fuzz->fakes[i].peer != NULL && (take_byte(fuzz) & 1) == 0) {
			relay_core_closed(fuzz->fakes[i].peer, CTRL_LEAVE_OTHER, fuzz->now);
			fuzz->fakes[i].peer = NULL;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct relay_core_options options = {.limits = RELAY_LIMITS_DEFAULT, .transport = &transport, .seed = {1, 2}};
	struct fuzz *fuzz = calloc(1, sizeof(*fuzz));

	CHECK(fuzz != NULL);
	options.limits.pool_frames = POOL;
	options.limits.rooms_max = 3;
	options.limits.room_peers_max = 4;
	options.limits.peers_max = CONNS - 1;
	options.limits.egress.frames_max = 8;
	options.limits.broadcast = (struct relay_rate){10, 20};
	CHECK(relay_core_new(&options, &fuzz->core) == 0);
	fuzz->script = base_reader_of(slice_of(data, size));
	fuzz->now = BASE_SECOND;
	while (fuzz->script.rest.len > 0) {
		uint8_t byte = take_byte(fuzz);
		struct fake *fake = &fuzz->fakes[take_byte(fuzz) % CONNS];
		size_t step = byte % (sizeof(steps) / sizeof(steps[0]));

		if (!steps[step].connected || fake->peer != NULL)
			steps[step].run(fuzz, fake);
		check_core(fuzz->core);
		report_closes(fuzz);
	}
	relay_core_free(fuzz->core);
	free(fuzz);
	return 0;
}
