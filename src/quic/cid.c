/* quic/cid.c: the server's table of connection IDs. Every ID that may lead a packet to a connection is in it: the one
 * the client made up first and all that we issued. */
#include "quic/internal.h"

#include <stdlib.h>
#include <string.h>

struct quic_cid {
	struct base_map_node node;
	struct base_list link; /* conn->cids */
	struct quic_conn *conn;
	uint8_t bytes[NGTCP2_MAX_CIDLEN];
};

struct quic_conn *quic_cid_find(const struct base_map *cids, struct slice bytes) {
	struct base_map_node *node = base_map_find(cids, bytes);

	return node != NULL ? BASE_CONTAINER(node, struct quic_cid, node)->conn : NULL;
}

int quic_cid_add(struct base_map *cids, struct quic_conn *conn, struct slice bytes) {
	struct quic_cid *cid = calloc(1, sizeof(*cid));
	int err;

	if (cid == NULL)
		return BASE_E_NOMEM;
	cid->conn = conn;
	if (bytes.len > 0)
		memcpy(cid->bytes, bytes.data, bytes.len);
	err = base_map_insert(cids, &cid->node, slice_of(cid->bytes, bytes.len));
	if (err != 0) {
		free(cid);
		return err;
	}
	base_list_append(&conn->cids, &cid->link);
	return 0;
}

static void drop(struct base_map *cids, struct quic_cid *cid) {
	base_map_remove(cids, &cid->node);
	base_list_remove(&cid->link);
	free(cid);
}

void quic_cid_remove(struct base_map *cids, struct slice bytes, const struct quic_conn *conn) {
	struct base_map_node *node = base_map_find(cids, bytes);

	if (node != NULL && BASE_CONTAINER(node, struct quic_cid, node)->conn == conn)
		drop(cids, BASE_CONTAINER(node, struct quic_cid, node));
}

void quic_cid_remove_all(struct base_map *cids, struct quic_conn *conn) {
	while (!base_list_empty(&conn->cids))
		drop(cids, BASE_CONTAINER(conn->cids.next, struct quic_cid, link));
}
