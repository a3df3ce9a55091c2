/* quic/write.c: packets out, as bursts a socket can send in one call (UDP GSO): one path, one ECN mark, equal sizes but
 * the last. Control stream bytes go before datagrams; a datagram is sealed when the congestion controller takes it. */
#include "quic/internal.h"

#include <assert.h>
#include <string.h>

struct burst_state {
	uint8_t *buf;
	size_t cap;
	size_t len, segment;
	unsigned count;
	ngtcp2_path_storage path;
	uint8_t ecn;
	size_t budget;
	bool drained; /* the source had nothing more */
	bool dry;     /* the same, and there is a packet that should leave before anything else is done */
};

struct packet {
	ngtcp2_path_storage path;
	ngtcp2_pkt_info info;
	uint8_t *dest;
	size_t cap;
};

/* What surely fits one burst with full packets. */
#define ROUND_BYTES_MAX (QUIC_BURST_BYTES - QUIC_UDP_PAYLOAD_MAX)

/* About a millisecond at the current rate, so that a packet that comes next does not wait long behind pacing, but never
 * more than the controller allows at once. Nor more than a burst: the rest would be a burst of a packet or two. */
static size_t quantum(const struct quic_conn *conn) {
	size_t allowed = ngtcp2_conn_get_send_quantum(conn->ng);
	size_t max = allowed < ROUND_BYTES_MAX ? allowed : ROUND_BYTES_MAX;
	ngtcp2_conn_info info;
	uint64_t rate;

	ngtcp2_conn_get_conn_info(conn->ng, &info);
	if (info.min_rtt == UINT64_MAX || info.smoothed_rtt == 0)
		return max;
	rate = info.cwnd * BASE_MS / info.smoothed_rtt;
	if (rate < 2 * QUIC_UDP_PAYLOAD_MAX)
		rate = 2 * QUIC_UDP_PAYLOAD_MAX;
	return rate < max ? (size_t)rate : max;
}

/* Tells the controller what left since it was last told; the next packet then waits for its pacing time. False: nothing
 * did. */
static bool end_round(struct quic_conn *conn) {
	if (conn->round_bytes == 0)
		return false;
	ngtcp2_conn_update_pkt_tx_time(conn->ng, conn->now);
	conn->round_bytes = 0;
	return true;
}

/* 0: nothing left, and nothing else was due either. */
static ngtcp2_ssize write_control(struct quic_conn *conn, struct packet *packet) {
	struct slice bytes = quic_control_unsent(&conn->control);
	ngtcp2_ssize taken = -1;
	ngtcp2_ssize len = ngtcp2_conn_write_stream(conn->ng, &packet->path.path, &packet->info, packet->dest, packet->cap,
	                                            &taken, NGTCP2_WRITE_STREAM_FLAG_NONE, conn->control.stream_id,
	                                            bytes.data, bytes.len, conn->now);

	if (taken > 0)
		quic_control_sent(&conn->control, (size_t)taken);
	if (len == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
		conn->control.blocked = true;
		return 0;
	}
	if (len == NGTCP2_ERR_STREAM_SHUT_WR || len == NGTCP2_ERR_STREAM_NOT_FOUND) { /* STOP_SENDING: nobody reads it */
		quic_control_broken(conn);
		return 0;
	}
	return len;
}

/* One packet with the source's next datagram, or what else ngtcp2 finds more urgent. */
static ngtcp2_ssize write_datagram(struct quic_conn *conn, struct packet *packet, struct slice payload) {
	int accepted = 0;
	ngtcp2_vec vec = {.len = payload.len};
	ngtcp2_ssize len;

	/* ngtcp2 only reads it. The number by which it tells what became of the datagram is its length. */
	memcpy(&vec.base, &payload.data, sizeof(vec.base));
	len = ngtcp2_conn_writev_datagram(conn->ng, &packet->path.path, &packet->info, packet->dest, packet->cap, &accepted,
	                                  NGTCP2_WRITE_DATAGRAM_FLAG_NONE, payload.len, &vec, 1, conn->now);
	if (accepted)
		conn->events->taken(conn->user, true, conn->now);
	return len;
}

/* The source's next datagram that fits; those that never will are given back. */
static bool next_datagram(struct quic_conn *conn, size_t budget, struct slice *ret) {
	if (!conn->handshake_done || conn->events->next == NULL)
		return false;
	while (conn->events->next(conn->user, ret, conn->now)) {
		if (ret->len <= budget)
			return true;
		conn->events->taken(conn->user, false, conn->now);
	}
	return false;
}

/* The peer's flow control, not the congestion controller, stops the control stream. ngtcp2 tells so itself only when
 * the window of the stream is used up and that of the connection is not. */
static bool is_control_blocked(const struct quic_conn *conn) {
	return conn->control.blocked || ngtcp2_conn_get_max_data_left(conn->ng) == 0;
}

/* True for a datagram that is better kept here, where it can be overtaken, than on the path, where our queue stands. */
static bool is_restrained(struct quic_conn *conn, size_t spare) {
	ngtcp2_conn_info info;

	if (conn->restraint.limit == 0)
		return false;
	ngtcp2_conn_get_conn_info(conn->ng, &info);
	if (!quic_restraint_has_room(&conn->restraint, info.bytes_in_flight, spare))
		return true;
	conn->paced_until = quic_restraint_next(&conn->restraint, spare, conn->now);
	return conn->paced_until != BASE_NEVER;
}

/* Acknowledgements, probes, handshake; 0 also tells the controller that we had nothing to send. */
static ngtcp2_ssize write_rest(struct quic_conn *conn, struct packet *packet) {
	conn->written_at = conn->now;
	return ngtcp2_conn_write_pkt(conn->ng, &packet->path.path, &packet->info, packet->dest, packet->cap, conn->now);
}

static ngtcp2_ssize write_packet(struct quic_conn *conn, struct packet *packet, struct burst_state *burst) {
	struct slice payload;

	if (quic_control_has_unsent(&conn->control) && !conn->control.blocked) {
		ngtcp2_ssize len = write_control(conn, packet);

		if (len != 0 || !is_control_blocked(conn))
			return len;
	}
	if (next_datagram(conn, burst->budget, &payload)) {
		ngtcp2_ssize len = is_restrained(conn, burst->budget - payload.len) ? write_rest(conn, packet)
		                                                                    : write_datagram(conn, packet, payload);

		conn->written_at = len == 0 ? 0 : conn->now;
		return len;
	}
	conn->dry = true;
	burst->dry = conn->handshake_done && burst->count > 0; /* a flight of the handshake leaves in one burst */
	burst->drained = true;
	return burst->dry ? 0 : write_rest(conn, packet);
}

/* A packet that leaves takes along what is to be acknowledged, but not what came a moment ago: an eighth of the round
 * trip, as ngtcp2 has it. */
static void note_acknowledged(struct quic_conn *conn) {
	uint64_t waited = conn->now - conn->heard_at, least;
	ngtcp2_conn_info info;

	if (conn->heard == 0)
		return;
	ngtcp2_conn_get_conn_info(conn->ng, &info);
	least = info.smoothed_rtt / 8;
	if (waited < least)
		return;
	conn->heard = 0;
	if (waited <= least + 2 * QUIC_TIMER_SLACK_NS)
		conn->prompt_at = conn->now;
}

/* False: the packet starts the next burst; it was put aside. */
static bool add_packet(struct quic_conn *conn, struct burst_state *burst, const struct packet *packet, size_t len) {
	if (burst->count == 0) {
		ngtcp2_path_copy(&burst->path.path, &packet->path.path);
		burst->ecn = packet->info.ecn;
		burst->segment = len;
	} else if (len > burst->segment || packet->info.ecn != burst->ecn ||
	           !ngtcp2_path_eq(&burst->path.path, &packet->path.path)) {
		memcpy(conn->held, packet->dest, len);
		conn->held_len = len;
		conn->held_ecn = packet->info.ecn;
		ngtcp2_path_copy(&conn->held_path.path, &packet->path.path);
		return false;
	}
	burst->len += len;
	burst->count++;
	return len == burst->segment;
}

static void take_held(struct quic_conn *conn, struct burst_state *burst) {
	memcpy(burst->buf, conn->held, conn->held_len);
	ngtcp2_path_copy(&burst->path.path, &conn->held_path.path);
	burst->ecn = conn->held_ecn;
	burst->segment = burst->len = conn->held_len;
	burst->count = 1;
	conn->held_len = 0;
}

static bool has_room(const struct quic_conn *conn, const struct burst_state *burst) {
	return burst->count < QUIC_BURST_SEGMENTS_MAX && burst->cap - burst->len >= QUIC_UDP_PAYLOAD_MAX &&
	       conn->round_bytes < conn->round_limit;
}

static void update_restraint(struct quic_conn *conn) {
	struct quic_restraint_view view;
	ngtcp2_conn_info info;

	if (!conn->restrains || !conn->handshake_done)
		return;
	ngtcp2_conn_get_conn_info(conn->ng, &info);
	if (info.latest_rtt == 0) /* a new path: what was learned on the old one says nothing about it */
		conn->restraint = (struct quic_restraint){0};
	if (info.min_rtt == UINT64_MAX) /* no round trip yet, there or after persistent congestion */
		return;
	view = (struct quic_restraint_view){
	    .rtt_latest = info.latest_rtt,
	    .rtt_min = info.min_rtt,
	    .rtt_smoothed = info.smoothed_rtt,
	    .window = info.cwnd,
	    .in_flight = info.bytes_in_flight,
	    .sent = conn->sent,
	    .packet = QUIC_UDP_PAYLOAD_MAX,
	    .acknowledged_together = QUIC_ACK_THRESHOLD * QUIC_UDP_PAYLOAD_MAX,
	};
	quic_restraint_update(&conn->restraint, &view, conn->now);
}

/* ngtcp2 has nothing to write now. That we had no more to send counts for it only before it hears of pacing, and where
 * it does not count BBR takes a game's rate for the path's: hence pacing is told here, and not when the packets left.
 * After that ngtcp2 is asked once more (true), which takes back a pacing time that is over already. Left there it would
 * become credit when the next packet comes, and after minutes of a game a transfer would begin without any pacing. */
static bool end_burst(struct quic_conn *conn, const struct burst_state *burst) {
	return !burst->dry && end_round(conn) && burst->drained;
}

static void fill(struct quic_conn *conn, struct burst_state *burst) {
	struct packet packet = {.cap = QUIC_UDP_PAYLOAD_MAX};

	ngtcp2_path_storage_zero(&packet.path);
	update_restraint(conn);
	conn->paced_until = BASE_NEVER;
	if (conn->held_len > 0)
		take_held(conn, burst);
	if (conn->round_bytes >= conn->round_limit)
		end_round(conn);
	if (conn->round_bytes == 0)
		conn->round_limit = quantum(conn);
	while (has_room(conn, burst)) {
		ngtcp2_ssize len;

		packet.dest = burst->buf + burst->len;
		packet.info.ecn = 0;
		len = write_packet(conn, &packet, burst);
		if (len < 0)
			quic_close_liberr(conn, (int)len);
		if (len == 0 && end_burst(conn, burst))
			continue;
		if (len <= 0)
			return;
		conn->round_bytes += (size_t)len;
		conn->sent += (size_t)len;
		quic_restraint_sent(&conn->restraint, (size_t)len, conn->now);
		note_acknowledged(conn);
		if (!add_packet(conn, burst, &packet, (size_t)len))
			return;
	}
}

int quic_conn_write(struct quic_conn *conn, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now) {
	struct burst_state burst = {.buf = buf, .cap = cap < QUIC_BURST_BYTES ? cap : QUIC_BURST_BYTES};

	assert(cap >= QUIC_UDP_PAYLOAD_MAX);
	quic_conn_clock(conn, now);
	if (conn->phase == QUIC_PHASE_OPEN) {
		ngtcp2_path_storage_zero(&burst.path);
		burst.budget = quic_conn_datagram_budget(conn);
		fill(conn, &burst);
	}
	if (burst.len == 0)
		return quic_close_write(conn, buf, cap, ret);
	*ret = (struct quic_burst){.ecn = burst.ecn, .dry = burst.dry, .segment = burst.segment, .len = burst.len};
	quic_path_from_ng(&burst.path.path, &ret->path);
	return 1;
}
