/* Packet protection of connections: each backend against each, keys that change under way, garbage, limits of use. What
 * a backend makes of a packet is in tests/seal. */
#include "base/bytes.h"
#include "base/text.h"
#include "odd.h"
#include "seal/internal.h"

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdlib.h>
#include <string.h>

/* GnuTLS, and libipsec-mb if this machine has it. */
static struct seal_backend *backends[2];
static size_t backend_count;

static int open_backends(void **state) {
	static const enum seal_choice choices[] = {SEAL_GNUTLS, SEAL_IPSEC_MB};
	char error[SEAL_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		if (seal_backend_open(choices[i], NULL, &backends[backend_count], error) == 0)
			backend_count++;
		else
			print_message("skipped: %s\n", error);
	}
	return 0;
}

static int close_backends(void **state) {
	(void)state;
	for (size_t i = 0; i < backend_count; i++)
		seal_backend_free(backends[i]);
	return 0;
}

/* Runs `scenario` with each pair of backends for client and server. */
static void each_pair(void (*scenario)(struct net *net)) {
	for (size_t server = 0; server < backend_count; server++) {
		for (size_t client = 0; client < backend_count; client++) {
			struct net net;

			print_message("server %s, client %s\n", seal_backend_name(backends[server]),
			              seal_backend_name(backends[client]));
			net_init(&net);
			net.settings.seal = backends[server];
			net_server_restart(&net);
			net.settings.seal = backends[client];
			scenario(&net);
			assert_int_equal(net.client[0].closed + net.at_server[0].closed, 0);
			net_done(&net);
		}
	}
}

static struct net_peer *connect_one(struct net *net) {
	struct net_peer *client = net_connect_pinned(net);

	assert_true(net_run_until(net, net_all_connected, 10 * BASE_SECOND));
	return client;
}

static uint64_t undecryptable(const struct net *net) {
	return quic_server_counters(net->server)->undecryptable;
}

/* --- traffic --- */

static void talk(struct net *net) {
	net->loss_permille = 50;
	net->duplicate_permille = 50;
	net->reorder_permille = 100;
	connect_one(net);
	net_say(&net->client[0], 50000);
	net_say(&net->at_server[0], 50000);
	net->client[0].vary = net->at_server[0].vary = true;
	net_send(&net->client[0], 1000, 1100);
	net_send(&net->at_server[0], 1000, 1100);
	net_run(net, 30 * BASE_SECOND);
	assert_int_equal(net->at_server[0].control_heard, 50000);
	assert_int_equal(net->client[0].control_heard, 50000);
	assert_in_range(net->at_server[0].heard, 850, 1000);
	assert_in_range(net->client[0].heard, 850, 1000);
	/* What comes so late that its short packet number means another one cannot be opened. */
	assert_in_range(undecryptable(net), 0, 100);
	assert_in_range(net->client[0].conn->refused_here, 0, 100);
}

static void test_pairs(void **state) {
	(void)state;
	each_pair(talk);
}

static void assert_understood(struct net *net, struct net_peer *client) {
	assert_true(net_run_until(net, net_all_connected, 2 * BASE_SECOND));
	net_send(client, 100, 1000);
	net_send(&net->at_server[0], 100, 1000);
	net_run(net, BASE_SECOND);
	assert_int_equal(client->heard, 100);
	assert_int_equal(net->at_server[0].heard, 100);
}

/* A client whose 1-RTT keys are those of ngtcp2's helper: it knows nothing of ours, not even its mistakes. */
static void test_helper(void **state) {
	(void)state;
	for (size_t i = 0; i < backend_count; i++) {
		struct net_peer *client;
		struct net net;

		net_init(&net);
		net.settings.seal = backends[i];
		net_server_restart(&net);
		client = net_connect_pinned(&net);
		/* Takes the secrets again; then it finds its extension registered already and says so. */
		(void)ngtcp2_crypto_gnutls_configure_client_session(client->conn->tls);
		assert_understood(&net, client);
		net_done(&net);
	}
}

/* QUIC version 2 has labels of its own (RFC 9369 section 3.3.2). */
static void test_version_2(void **state) {
	struct net_peer *client;
	struct net net;

	(void)state;
	net_init(&net);
	client = odd_connect(&net, &(struct odd){.version = NGTCP2_PROTO_VER_V2});
	(void)ngtcp2_crypto_gnutls_configure_client_session(client->conn->tls); /* as in test_helper */
	assert_understood(&net, client);
	net_done(&net);
}

/* TLS messages after the handshake. TLS has its own change of keys, which QUIC forbids (RFC 9001 section 6); ngtcp2
 * asserts that keys are installed once. */
static void test_tls_message(bool by_server, uint8_t type, bool has_body) {
	const uint8_t message[] = {type, 0, 0, has_body, 0};
	struct net_peer *from, *to;
	struct net net;

	net_init(&net);
	connect_one(&net);
	net_run(&net, BASE_SECOND);
	from = by_server ? &net.at_server[0] : &net.client[0];
	to = by_server ? &net.client[0] : &net.at_server[0];
	assert_int_equal(
	    ngtcp2_conn_submit_crypto_data(from->conn->ng, NGTCP2_ENCRYPTION_LEVEL_1RTT, message, has_body ? 5 : 4), 0);
	net_send(from, 1, 10); /* makes it write */
	net_run(&net, 2 * BASE_SECOND);
	if (type == GNUTLS_HANDSHAKE_KEY_UPDATE) {
		assert_int_equal(to->closed, 1);
		assert_int_equal(to->why.kind, QUIC_CLOSED_ERROR);
		assert_int_equal(to->why.code, has_body ? 0x100 + GNUTLS_A_UNEXPECTED_MESSAGE : 0x100 + GNUTLS_A_DECODE_ERROR);
	}
	net_done(&net);
}

static void test_tls_messages(void **state) {
	(void)state;
	for (unsigned type = 0; type < 32; type++) {
		for (int variant = 0; variant < 4; variant++)
			test_tls_message(variant & 1, (uint8_t)type, variant & 2);
	}
}

/* --- each cipher --- */

static const char *cipher; /* of the next connection */

static void talk_in_cipher(struct net *net) {
	char priority[200];
	struct base_text out;
	struct net_peer *client = net_connect_pinned(net);

	base_text_init(&out, priority, sizeof(priority));
	base_text_addf(&out, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:-CIPHER-ALL:+%s", cipher);
	assert_int_equal(gnutls_priority_set_direct(client->conn->tls, priority, NULL), 0);
	assert_true(net_run_until(net, net_all_connected, 2 * BASE_SECOND));
	assert_string_equal(gnutls_cipher_get_name(gnutls_cipher_get(client->conn->tls)), cipher);
	net_send(client, 100, 1000);
	net_send(&net->at_server[0], 100, 1000);
	net_run(net, BASE_SECOND);
	assert_int_equal(ngtcp2_conn_initiate_key_update(client->conn->ng, net->now), 0);
	net_send(client, 100, 1000);
	net_send(&net->at_server[0], 100, 1000);
	net_run(net, BASE_SECOND);
	assert_int_equal(client->heard, 200);
	assert_int_equal(net->at_server[0].heard, 200);
	assert_int_equal(undecryptable(net), 0);
}

static void test_ciphers(void **state) {
	static const char *const ciphers[] = {"AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305"};

	(void)state;
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		cipher = ciphers[i];
		each_pair(talk_in_cipher);
	}
}

/* --- key update --- */

/* Says something until the last update is confirmed and the next keys are there: only then it works. */
static void update_key(struct net *net, struct net_peer *peer) {
	for (int i = 0; i < 50; i++) {
		if (ngtcp2_conn_initiate_key_update(peer->conn->ng, net->now) == 0)
			return;
		net_say(peer, 10);
		net_run(net, BASE_SECOND);
	}
	fail_msg("no key update in 50 s");
}

static void change_keys(struct net *net) {
	uint32_t number = 0;

	connect_one(net);
	net->loss_permille = 100;
	net->reorder_permille = 100;
	for (int round = 0; round < 6; round++) {
		/* Both ways, either side, and both at once. */
		if (round % 3 != 1)
			update_key(net, &net->client[0]);
		if (round % 3 != 0)
			update_key(net, &net->at_server[0]);
		number += 200;
		net_send(&net->client[0], 200, 1000);
		net_send(&net->at_server[0], 200, 1000);
		net_run(net, 5 * BASE_SECOND);
		assert_int_equal(net->client[0].sent, number);
		assert_int_equal(net->at_server[0].sent, number);
	}
	assert_in_range(net->client[0].heard, number * 3 / 4, number);
	assert_in_range(net->at_server[0].heard, number * 3 / 4, number);
	/* What comes late is lost like any other: its number or its keys mean another packet by then. */
	assert_in_range(undecryptable(net), 0, number / 10);
}

static void test_key_update(void **state) {
	(void)state;
	each_pair(change_keys);
}

/* Without a loss none is lost to the change of keys either. */
static void change_keys_calmly(struct net *net) {
	connect_one(net);
	for (uint32_t round = 1; round <= 4; round++) {
		update_key(net, round % 2 != 0 ? &net->client[0] : &net->at_server[0]);
		net_send(&net->client[0], 100, 1000);
		net_send(&net->at_server[0], 100, 1000);
		net_run(net, BASE_SECOND);
		assert_int_equal(net->client[0].heard, 100 * round);
		assert_int_equal(net->at_server[0].heard, 100 * round);
	}
	assert_int_equal(undecryptable(net), 0);
	assert_int_equal(net->client[0].conn->refused_here, 0);
}

static void test_calm_key_update(void **state) {
	(void)state;
	each_pair(change_keys_calmly);
}

/* --- garbage --- */

static size_t broken;

/* Every third short packet loses a bit behind its connection ID; the true one does not arrive. */
static bool break_some(struct net *net, struct slice datagram) {
	uint8_t copy[2048];
	size_t first = 1 + QUIC_CID_BYTES;

	if (datagram.data[0] & 0x80 || net->tap_count++ % 3 != 0)
		return true;
	memcpy(copy, datagram.data, datagram.len);
	/* The sample of the header mask is all of a small packet: there any bit will do. */
	copy[first + base_rng_below(&net->rng, datagram.len - first)] ^= (uint8_t)(1 << base_rng_below(&net->rng, 8));
	net->tap = NULL;
	quic_server_recv(net->server, &(struct base_path){.local = net->server_addr, .remote = net->client[0].local}, 0,
	                 slice_of(copy, datagram.len), net->now);
	net->tap = break_some;
	broken++;
	return false;
}

static void break_packets(struct net *net) {
	struct net_peer *client = connect_one(net);

	net_run(net, BASE_SECOND);
	broken = 0;
	net->tap = break_some;
	net_say(client, 20000);
	net_send(client, 600, 1000);
	net_run(net, 20 * BASE_SECOND);
	net->tap = NULL;
	assert_true(broken >= 200);
	assert_int_equal(undecryptable(net), broken);
	assert_int_equal(net->at_server[0].control_heard, 20000);
	assert_in_range(net->at_server[0].heard, 350, 450);
	net_send(client, 100, 1000);
	net_run(net, 2 * BASE_SECOND);
	assert_int_equal(undecryptable(net), broken);
}

static void test_broken(void **state) {
	(void)state;
	each_pair(break_packets);
}

/* A short header for the connection, then what comes. */
static size_t make_garbage(struct net *net, ngtcp2_conn *ng, uint8_t *ret, size_t cap) {
	ngtcp2_cid cids[16];
	size_t count = ngtcp2_conn_get_scid(ng, cids);
	size_t len = 1 + cids[0].datalen + 4 + base_rng_below(&net->rng, cap - 1 - cids[0].datalen - 4);

	assert_true(count > 0 && count <= 16);
	for (size_t i = 0; i < len; i++)
		ret[i] = (uint8_t)base_rng_below(&net->rng, 256);
	ret[0] = (uint8_t)((ret[0] & 0x3f) | 0x40);
	memcpy(ret + 1, cids[count - 1].data, cids[count - 1].datalen);
	return len;
}

static void hear_garbage(struct net *net) {
	struct net_peer *client = connect_one(net);
	struct base_path to_server = {.local = net->server_addr, .remote = client->local};
	struct base_path to_client = net_path(net, client);
	uint64_t at_client, at_server;
	struct quic_info info;
	uint8_t bytes[1400];

	net_run(net, BASE_SECOND);
	for (int i = 0; i < 500; i++) {
		size_t len = make_garbage(net, client->conn->ng, bytes, sizeof(bytes));

		quic_conn_recv(client->conn, &to_client, 0, slice_of(bytes, len), net->now);
		len = make_garbage(net, net->at_server[0].conn->ng, bytes, sizeof(bytes));
		quic_server_recv(net->server, &to_server, 0, slice_of(bytes, len), net->now);
	}
	at_server = undecryptable(net);
	at_client = client->conn->refused_here;
	/* The few that are too short for a header mask never get as far. */
	assert_in_range(at_server, 450, 500);
	assert_in_range(at_client, 450, 500);
	quic_conn_info(client->conn, &info);
	assert_int_equal(info.undecryptable, at_client);
	net_send(client, 100, 1000);
	net_send(&net->at_server[0], 100, 1000);
	net_run(net, BASE_SECOND);
	assert_int_equal(client->heard, 100);
	assert_int_equal(net->at_server[0].heard, 100);
}

static void test_garbage(void **state) {
	(void)state;
	each_pair(hear_garbage);
}

/* --- limits of RFC 9001 section 6.6 --- */

static bool client_is_done(const struct net *net) {
	return net->client[0].done > 0;
}

/* A connected client with other limits. ngtcp2 takes them until the handshake is confirmed. */
static struct net_peer *connect_limited(struct net *net, uint64_t encryptions, uint64_t failures) {
	struct net_peer *client = net_connect_pinned(net);
	ngtcp2_crypto_ctx context;

	assert_true(net_run_until(net, client_is_done, 2 * BASE_SECOND));
	context = *ngtcp2_conn_get_crypto_ctx(client->conn->ng);
	assert_true(context.max_encryption == (uint64_t)1 << 23);
	assert_true(context.max_decryption_failure == (uint64_t)1 << 52);
	context.max_encryption = encryptions;
	context.max_decryption_failure = failures;
	ngtcp2_conn_set_crypto_ctx(client->conn->ng, &context);
	assert_true(net_run_until(net, net_all_connected, 2 * BASE_SECOND));
	net_run(net, BASE_SECOND);
	return client;
}

/* Keys change by themselves; more than one set of them is needed. */
static void use_up_keys(struct net *net) {
	struct net_peer *client = connect_limited(net, 150, 10);

	for (uint32_t round = 1; round <= 6; round++) {
		net_send(client, 100, 1000);
		net_run(net, 2 * BASE_SECOND);
		assert_int_equal(net->at_server[0].heard, 100 * round);
	}
}

static void test_limits(void **state) {
	(void)state;
	each_pair(use_up_keys);
}

/* So many packets at once that the next keys cannot be confirmed in time: better no connection than a broken key. */
static void test_used_up(void **state) {
	(void)state;
	for (size_t i = 0; i < backend_count; i++) {
		struct net_peer *client;
		struct net net;

		net_init(&net);
		net.settings.seal = backends[i];
		client = connect_limited(&net, 20, 10);
		net_send(client, 1000, 1000);
		net_run(&net, 10 * BASE_SECOND);
		assert_int_equal(client->closed, 1);
		assert_int_equal(client->why.kind, QUIC_CLOSED_ERROR);
		assert_int_equal(client->why.code, NGTCP2_AEAD_LIMIT_REACHED);
		assert_in_range(client->sent, 1, 100);
		net_done(&net);
	}
}

static void test_too_much_garbage(void **state) {
	(void)state;
	for (size_t i = 0; i < backend_count; i++) {
		struct net_peer *client;
		struct net net;
		uint8_t bytes[1400];

		net_init(&net);
		net.settings.seal = backends[i];
		client = connect_limited(&net, 1000, 10);
		for (int n = 0; n < 40 && client->closed == 0; n++) {
			struct base_path path = net_path(&net, client);
			size_t len = make_garbage(&net, client->conn->ng, bytes, sizeof(bytes));

			quic_conn_recv(client->conn, &path, 0, slice_of(bytes, len), net.now);
		}
		assert_int_equal(client->closed, 1);
		assert_int_equal(client->why.kind, QUIC_CLOSED_ERROR);
		assert_int_equal(client->why.code, NGTCP2_AEAD_LIMIT_REACHED);
		assert_int_equal(client->conn->refused_here, 10);
		net_done(&net);
	}
}

/* --- derivation --- */

/* RFC 9001 appendix A.1 and A.5. */
static void test_labels(void **state) {
	static const char *const initial = "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea";
	static const char *const chacha = "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b";
	static const struct {
		const char *const *secret;
		const char *label, *expected;
	} cases[] = {
	    {&initial, "quic key", "1f369613dd76d5467730efcbe3b1a22d"},
	    {&initial, "quic iv", "fa044b2f42a3fd3b46fb255c"},
	    {&initial, "quic hp", "9f50449e04a0e810283a1e9933adedd2"},
	    {&chacha, "quic key", "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8"},
	    {&chacha, "quic iv", "e0459b3474bdd0e44a41c144"},
	    {&chacha, "quic hp", "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4"},
	    {&chacha, "quic ku", "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9"},
	};
	ngtcp2_crypto_md hash;

	(void)state;
	ngtcp2_crypto_md_init(&hash, (void *)(uintptr_t)GNUTLS_MAC_SHA256);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t secret[32], expected[32], got[32];
		size_t len = strlen(cases[i].expected) / 2;

		assert_int_equal(base_parse_hex(*cases[i].secret, 64, secret, 32), 0);
		assert_int_equal(base_parse_hex(cases[i].expected, 2 * len, expected, len), 0);
		unit_assert_int(quic_expand_label(&hash, slice_of(secret, 32), cases[i].label, got, len), 0, cases[i].label);
		assert_memory_equal(got, expected, len);
	}
}

/* --- a server that cannot wait --- */

/* What the server's first packet of 1-RTT consists of, in place of its own frames. */
static const uint8_t *early;
static size_t early_len;

struct early_key {
	struct seal_key base;
	struct seal_key *inner;
};

static bool early_seal(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice plain,
                       uint8_t *dest) {
	struct early_key *key = BASE_CONTAINER(base, struct early_key, base);
	uint8_t frames[QUIC_UDP_PAYLOAD_MAX] = {0}; /* PADDING */

	if (early_len > 0 && plain.len >= early_len) {
		memcpy(frames, early, early_len);
		early_len = 0;
		plain = slice_of(frames, plain.len);
	}
	return seal_key_seal(key->inner, nonce, aad, plain, dest);
}

static bool early_open(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice sealed,
                       uint8_t *dest) {
	return seal_key_open(BASE_CONTAINER(base, struct early_key, base)->inner, nonce, aad, sealed, dest);
}

static void early_free(struct seal_key *base) {
	struct early_key *key = BASE_CONTAINER(base, struct early_key, base);

	seal_key_free(key->inner);
	free(key);
}

static int early_key_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                         struct seal_key **ret) {
	struct early_key *key = calloc(1, sizeof(*key));

	(void)backend;
	assert_non_null(key);
	key->base = (struct seal_key){.seal = early_seal, .open = early_open, .free = early_free};
	assert_int_equal(seal_key_new(seal_gnutls(), suite, bytes, &key->inner), 0);
	*ret = &key->base;
	return 0;
}

/* A network whose server says `frames` with the first packet that can hold them. The backend must outlive it. */
static void init_early(struct net *net, struct seal_backend *backend, const uint8_t *frames, size_t len) {
	*backend = *seal_gnutls();
	backend->key_new = early_key_new;
	net_init(net);
	net->settings.seal = backend;
	net_server_restart(net);
	net->settings.seal = NULL; /* clients have the usual one */
	early = frames;
	early_len = len;
}

/* Its packet reaches the client together with the handshake's, before the client's last message is written. */
static void test_too_early(void **state) {
	static const struct {
		const char *label;
		size_t len;
		uint8_t frames[28];
	} cases[] = {
	    {"the handshake is done", 1, {0x1e}},
	    {"another connection ID in place of the first", 28, {0x18, 1, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8}},
	};
	struct seal_backend backend;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct net_peer *client;
		struct net net;

		init_early(&net, &backend, cases[i].frames, cases[i].len);
		client = net_connect_pinned(&net);
		net_run(&net, BASE_SECOND);
		unit_assert_int(early_len, 0, cases[i].label);
		unit_assert_int(client->closed, 1, cases[i].label);
		unit_assert_int(client->why.kind, QUIC_CLOSED_ERROR, cases[i].label);
		unit_assert_int(client->why.code, NGTCP2_PROTOCOL_VIOLATION, cases[i].label);
		net_done(&net);
	}
}

/* --- a client whose congestion window is full before it has said its last of the handshake --- */

static const uint8_t *skip_number(const uint8_t *at) {
	return at + ((size_t)1 << (*at >> 6));
}

/* Makes PADDING of what an Initial packet acknowledges. */
static int hear_no_acks(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                        const uint8_t *sealed, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                        size_t aad_len) {
	int code = quic_protect_decrypt(dest, aead, context, sealed, len, nonce, nonce_len, aad, aad_len);
	const uint8_t *at = dest + 1;

	if (code != 0 || (aad[0] & 0xf0) != 0xc0 || dest[0] != 2)
		return code;
	for (int i = 0; i < 2; i++)
		at = skip_number(at);
	assert_int_equal(*at, 0); /* there is one range */
	at = skip_number(skip_number(at));
	memset(dest, 0, (size_t)(at - dest));
	return 0;
}

static int ignore_extension(gnutls_session_t session, const unsigned char *data, size_t len) {
	(void)session;
	(void)data;
	(void)len;
	return 0;
}

static int say_much(gnutls_session_t session, gnutls_buffer_t extension) {
	static const uint8_t much[10800]; /* what makes ten packets, which is the window */

	(void)session;
	return gnutls_buffer_append_data(extension, much, sizeof(much));
}

static size_t long_packet_bytes(const uint8_t *packet) {
	const uint8_t *at = packet + 5;

	at += 1 + *at; /* connection IDs */
	at += 1 + *at;
	if ((packet[0] & 0x30) == 0)
		at += 1 + *at; /* token */
	assert_int_equal(*at >> 6, 2);
	return (size_t)(at + 4 - packet) + (base_get_u32(at) & 0x3fffffff);
}

/* All but packets of 1-RTT, the first of which is kept. */
static size_t hear_handshake(struct net *net, const uint8_t *bytes, size_t len, uint8_t kept[static 1500]) {
	const struct base_path path = net_path(net, &net->client[0]);
	size_t at = 0;

	while (at < len && (bytes[at] & 0x80) != 0)
		at += long_packet_bytes(bytes + at);
	if (at > 0)
		quic_conn_recv(net->client[0].conn, &path, 0, slice_of(bytes, at), net->now);
	memcpy(kept, bytes + at, len - at);
	return len - at;
}

/* The handshake counts as written then, though its last packet is not; that the server says so early is no better. */
static void test_too_early_for_the_window(void **state) {
	const struct odd odd = {.decrypt = hear_no_acks};
	static const uint8_t done[] = {0x1e};
	static uint8_t out[QUIC_BURST_BYTES], kept[1500];
	struct seal_backend backend;
	struct net_peer *client;
	struct quic_burst burst;
	struct base_path path;
	struct net net;
	size_t kept_len = 0;

	(void)state;
	init_early(&net, &backend, done, sizeof(done));
	client = odd_connect(&net, &odd);
	path = net_path(&net, client);
	assert_int_equal(gnutls_session_ext_register(client->conn->tls, "much", 0x5a5a, GNUTLS_EXT_TLS, ignore_extension,
	                                             say_much, NULL, NULL, NULL,
	                                             GNUTLS_EXT_FLAG_TLS | GNUTLS_EXT_FLAG_CLIENT_HELLO),
	                 0);
	for (int i = 0; i < 50 && !client->conn->established; i++, net.now += BASE_MS) {
		const struct base_path at_server = {.local = path.remote, .remote = path.local};

		while (quic_conn_write(client->conn, out, sizeof(out), &burst, net.now) == 1) {
			for (size_t at = 0; at < burst.len; at += burst.segment)
				quic_server_recv(net.server, &at_server, 0, slice_of(out + at, burst.segment), net.now);
		}
		while (quic_server_write(net.server, out, sizeof(out), &burst, net.now) == 1) {
			for (size_t at = 0; at < burst.len; at += burst.segment) {
				size_t len = burst.len - at < burst.segment ? burst.len - at : burst.segment;
				size_t some = hear_handshake(&net, out + at, len, kept);

				kept_len = some > 0 ? some : kept_len;
			}
		}
	}
	assert_true(client->conn->established);
	assert_int_equal(early_len, 0);
	assert_true(kept_len > 0);
	quic_conn_recv(client->conn, &path, 0, slice_of(kept, kept_len), net.now);
	while (quic_conn_write(client->conn, out, sizeof(out), &burst, net.now) == 1) {
	}
	quic_conn_tick(client->conn, net.now + BASE_SECOND);
	assert_int_equal(client->closed, 1);
	assert_int_equal(client->why.code, NGTCP2_PROTOCOL_VIOLATION);
	net_done(&net);
}

/* --- a peer without transport parameters --- */

/* Makes another extension of them in the ClientHello. */
static int hide_parameters(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                           const uint8_t *plain, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                           size_t aad_len) {
	static const uint8_t type[] = {0, 0x39, 0};
	uint8_t frames[QUIC_UDP_PAYLOAD_MAX];

	assert_true(len <= sizeof(frames));
	memcpy(frames, plain, len);
	for (size_t at = 0; at + sizeof(type) <= len; at++) {
		if (memcmp(frames + at, type, sizeof(type)) == 0)
			frames[at] = 0x5a;
	}
	return quic_protect_encrypt(dest, aead, context, frames, len, nonce, nonce_len, aad, aad_len);
}

static void assert_refused(const struct net *net) {
	assert_int_equal(net->client[0].closed, 1);
	assert_int_equal(net->client[0].why.kind, QUIC_CLOSED_ERROR);
	assert_int_equal(net->client[0].why.code, 0x100 + GNUTLS_A_MISSING_EXTENSION);
}

/* Anybody may send that. */
static void test_client_without_parameters(void **state) {
	const struct odd odd = {.encrypt = hide_parameters};
	struct net net;

	(void)state;
	net_init(&net);
	odd_connect(&net, &odd);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.at_server_count, 0);
	assert_refused(&net);
	net_done(&net);
}

static ngtcp2_conn *conn_of(gnutls_session_t session) {
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);

	return ref->get_conn(ref);
}

static int submit_message(gnutls_session_t session, gnutls_record_encryption_level_t level,
                          gnutls_handshake_description_t type, const void *data, size_t len) {
	(void)type;
	return ngtcp2_conn_submit_crypto_data(conn_of(session),
	                                      ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(level), data, len);
}

static int note_alert(gnutls_session_t session, gnutls_record_encryption_level_t level,
                      gnutls_alert_level_t alert_level, gnutls_alert_description_t alert) {
	(void)level;
	(void)alert_level;
	ngtcp2_conn_set_tls_alert(conn_of(session), (uint8_t)alert);
	return 0;
}

static int say_parameters(gnutls_session_t session, gnutls_buffer_t extension) {
	uint8_t bytes[256];
	ngtcp2_ssize len = ngtcp2_conn_encode_local_transport_params(conn_of(session), bytes, sizeof(bytes));

	assert_true(len > 0);
	return gnutls_buffer_append_data(extension, bytes, (size_t)len);
}

/* As if the server had none: a session like quic_tls_client_session's and the helper's that does not hear them. */
static void be_deaf(struct quic_conn *conn) {
	const struct quic_credentials *credentials = quic_trust_credentials(conn->trust);
	unsigned char name[] = QUIC_ALPN;
	const gnutls_datum_t alpn = {.data = name, .size = sizeof(name) - 1};

	gnutls_deinit(conn->tls);
	assert_int_equal(gnutls_init(&conn->tls, GNUTLS_CLIENT | GNUTLS_NO_TICKETS), 0);
	ngtcp2_conn_set_tls_native_handle(conn->ng, conn->tls);
	gnutls_session_set_ptr(conn->tls, &conn->ref);
	quic_protect_session(conn->tls);
	gnutls_handshake_set_read_function(conn->tls, submit_message);
	gnutls_alert_set_read_function(conn->tls, note_alert);
	assert_int_equal(gnutls_session_ext_register(
	                     conn->tls, "transport parameters", 0x39, GNUTLS_EXT_TLS, ignore_extension, say_parameters,
	                     NULL, NULL, NULL, GNUTLS_EXT_FLAG_TLS | GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_EE),
	                 0);
	assert_int_equal(gnutls_priority_set(conn->tls, credentials->priority), 0);
	assert_int_equal(gnutls_credentials_set(conn->tls, GNUTLS_CRD_CERTIFICATE, credentials->certificates), 0);
	assert_int_equal(gnutls_alpn_set_protocols(conn->tls, &alpn, 1, 0), 0);
}

static void test_server_without_parameters(void **state) {
	static const uint8_t ack[] = {2, 0, 0, 0, 0};
	struct seal_backend backend;
	struct net net;

	(void)state;
	init_early(&net, &backend, ack, sizeof(ack));
	be_deaf(net_connect_pinned(&net)->conn);
	net_run(&net, BASE_SECOND);
	assert_int_equal(early_len, 0);
	assert_refused(&net);
	net_done(&net);
}

/* --- packet numbers --- */

/* Opens with any nonce. */
static bool blind_seal(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice plain,
                       uint8_t *dest) {
	(void)key;
	(void)nonce;
	(void)aad;
	memmove(dest, plain.data, plain.len);
	memset(dest + plain.len, 0, SEAL_TAG_BYTES);
	return true;
}

static bool blind_open(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice sealed,
                       uint8_t *dest) {
	(void)key;
	(void)nonce;
	(void)aad;
	memcpy(dest, sealed.data, sealed.len - SEAL_TAG_BYTES);
	return true;
}

static void blind_free(struct seal_key *key) {
	free(key);
}

static int blind_key_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                         struct seal_key **ret) {
	struct seal_key *key = malloc(sizeof(*key));

	(void)backend;
	(void)suite;
	(void)bytes;
	assert_non_null(key);
	*key = (struct seal_key){.seal = blind_seal, .open = blind_open, .free = blind_free};
	*ret = key;
	return 0;
}

static uint8_t skipped; /* of the highest byte of a number */

static int hear_skipped(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                        const uint8_t *sealed, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                        size_t aad_len) {
	uint8_t other[SEAL_NONCE_BYTES];

	memcpy(other, nonce, sizeof(other));
	if ((aad[0] & 0x80) == 0)
		other[sizeof(other) - sizeof(uint64_t)] ^= skipped;
	return quic_protect_decrypt(dest, aead, context, sealed, len, other, nonce_len, aad, aad_len);
}

static void test_skipped_numbers(void **state) {
	const struct odd odd = {.decrypt = hear_skipped};
	struct seal_backend backend = *seal_gnutls();
	struct net net;

	(void)state;
	backend.key_new = blind_key_new;
	net_init(&net);
	net.settings.seal = &backend;
	net_server_restart(&net);
	skipped = 0x1f;
	odd_connect(&net, &odd);
	assert_true(net_run_until(&net, net_all_connected, 2 * BASE_SECOND));
	net_send(&net.at_server[0], 10, 100);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[0].heard, 10);
	skipped = 0x20;
	net_send(&net.at_server[0], 1, 100);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[0].heard, 10);
	assert_int_equal(net.client[0].closed, 1);
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_ERROR);
	assert_int_equal(net.client[0].why.code, NGTCP2_PROTOCOL_VIOLATION);
	net_done(&net);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_helper),
	    cmocka_unit_test(test_ciphers),
	    cmocka_unit_test(test_key_update),
	    cmocka_unit_test(test_calm_key_update),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_labels),
	    cmocka_unit_test(test_too_much_garbage),
	    cmocka_unit_test(test_used_up),
	    cmocka_unit_test(test_version_2),
	    cmocka_unit_test(test_tls_messages),
	    cmocka_unit_test(test_too_early),
	    cmocka_unit_test(test_too_early_for_the_window),
	    cmocka_unit_test(test_client_without_parameters),
	    cmocka_unit_test(test_server_without_parameters),
	    cmocka_unit_test(test_skipped_numbers),
	};

	return cmocka_run_group_tests(tests, open_backends, close_backends);
}
