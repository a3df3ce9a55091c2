#include "odd.h"

#include <stdlib.h>
#include <string.h>

static int nothing_done(ngtcp2_conn *ng, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	conn->handshake_done = true;
	return 0;
}

static const char *alpn_of(const struct odd *odd) {
	if (odd->no_alpn)
		return NULL;
	return odd->alpn != NULL ? odd->alpn : QUIC_ALPN;
}

struct net_peer *odd_connect(struct net *net, const struct odd *odd) {
	struct net_peer *peer = &net->client[net->clients];
	struct quic_conn *conn = calloc(1, sizeof(*conn));
	ngtcp2_callbacks callbacks = quic_callbacks;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_path_storage path;
	ngtcp2_cid dcid = {.datalen = 16}, scid = {.datalen = QUIC_CID_BYTES};
	struct base_path base;

	assert_non_null(conn);
	assert_true(net->clients < NET_CLIENTS_MAX);
	*peer = (struct net_peer){.net = net, .conn = conn};
	assert_int_equal(base_addr_parse_ip("10.0.0.3", 8, &peer->local), 0);
	peer->local.port = (uint16_t)(6000 + net->clients);
	net->clients++;
	quic_conn_init(conn, &net->settings, net->now);
	conn->events = &net_events;
	conn->user = peer;
	conn->trust = net_trust_pin(net);
	conn->server_name = strdup("relay.test");
	assert_int_equal(quic_tls_client_session(conn, alpn_of(odd)), 0);
	if (odd->no_control_stream)
		callbacks.handshake_completed = nothing_done;
	if (odd->encrypt != NULL)
		callbacks.encrypt = odd->encrypt;
	if (odd->decrypt != NULL)
		callbacks.decrypt = odd->decrypt;
	quic_settings_to_ng(&net->settings, net->now, &settings, &params);
	if (odd->max_datagram_frame_size != 0 || odd->no_datagram)
		params.max_datagram_frame_size = odd->max_datagram_frame_size;
	if (odd->stream_window != 0)
		params.initial_max_stream_data_bidi_local = odd->stream_window;
	if (odd->max_ack_delay != 0)
		params.max_ack_delay = odd->max_ack_delay;
	if (odd->data_window != 0)
		params.initial_max_data = odd->data_window;
	quic_random(dcid.data, dcid.datalen);
	quic_random(scid.data, scid.datalen);
	base = net_path(net, peer);
	quic_path_to_ng(&base, &path);
	assert_int_equal(ngtcp2_conn_client_new(&conn->ng, &dcid, &scid, &path.path,
	                                        odd->version != 0 ? odd->version : NGTCP2_PROTO_VER_V1, &callbacks,
	                                        &settings, &params, NULL, conn),
	                 0);
	ngtcp2_conn_set_tls_native_handle(conn->ng, conn->tls);
	return peer;
}
