/* quic/client.c: a connection that we start. */
#include "base/steer.h"
#include "quic/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INITIAL_DCID_BYTES 16

static int start(struct quic_conn *conn, const struct quic_client_options *options) {
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_path_storage path;
	ngtcp2_cid dcid = {.datalen = INITIAL_DCID_BYTES}, scid = {.datalen = QUIC_CID_BYTES};

	quic_settings_to_ng(&options->settings, conn->now, &settings, &params);
	quic_random(dcid.data, dcid.datalen);
	if (options->has_steer_byte)
		dcid.data[0] = (uint8_t)((options->steer_byte & ~BASE_STEER_RANDOM) | (dcid.data[0] & BASE_STEER_RANDOM));
	quic_random(scid.data, scid.datalen);
	quic_path_to_ng(&options->path, &path);
	if (ngtcp2_conn_client_new(&conn->ng, &dcid, &scid, &path.path, NGTCP2_PROTO_VER_V1, &quic_callbacks, &settings,
	                           &params, NULL, conn) != 0) {
		conn->ng = NULL; /* before 1.18 it leaves there what it has freed */
		return BASE_E_NOMEM;
	}
	ngtcp2_conn_set_tls_native_handle(conn->ng, conn->tls);
	ngtcp2_conn_set_keep_alive_timeout(conn->ng, quic_keep_alive(&options->settings));
	return 0;
}

/* As certificates and SNI have it: without the dot that may end a name (RFC 6066 section 3), and without an address's
 * scope, which means something on this machine only (RFC 4007 section 6). NULL when memory is out. */
static char *copy_name(const char *name) {
	char *copy = strdup(name);
	size_t len;

	if (copy == NULL)
		return NULL;
	len = strcspn(copy, "%");
	if (len > 0 && copy[len - 1] == '.')
		len--;
	copy[len] = '\0';
	return copy;
}

int quic_client_new(const struct quic_client_options *options, uint64_t now, struct quic_conn **ret) {
	struct quic_conn *conn = calloc(1, sizeof(*conn));
	int err;

	if (conn == NULL)
		return BASE_E_NOMEM;
	quic_conn_init(conn, &options->settings, now);
	conn->events = options->events;
	conn->user = options->user;
	conn->trust = quic_trust_ref(options->trust);
	conn->server_name = copy_name(options->server_name != NULL ? options->server_name : "");
	err = conn->server_name != NULL ? quic_tls_client_session(conn, QUIC_ALPN) : BASE_E_NOMEM;
	if (err == 0)
		err = start(conn, options);
	if (err != 0) {
		quic_conn_done(conn);
		return err;
	}
	*ret = conn;
	return 0;
}

void quic_conn_free(struct quic_conn *conn) {
	if (conn == NULL)
		return;
	assert(conn->server == NULL);
	if (conn->busy > 0)
		conn->doomed = true;
	else
		quic_conn_done(conn);
}

int quic_conn_migrate(struct quic_conn *conn, const struct base_path *path, uint64_t now) {
	ngtcp2_path_storage storage;
	struct base_path current;

	quic_conn_clock(conn, now);
	if (conn->phase != QUIC_PHASE_OPEN || conn->busy > 0)
		return BASE_E_STATE;
	quic_path_from_ng(ngtcp2_conn_get_path(conn->ng), &current);
	if (base_path_equal(&current, path))
		return 0;
	quic_path_to_ng(path, &storage);
	switch (ngtcp2_conn_initiate_immediate_migration(conn->ng, &storage.path, conn->now)) {
	case 0:
		conn->held_len = 0;
		return 0;
	case NGTCP2_ERR_NOMEM:
		return BASE_E_NOMEM;
	default:
		return BASE_E_STATE;
	}
}
