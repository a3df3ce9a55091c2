/* Frames in and out of a session, each accounted for. */
#include "client-core/session_internal.h"
#include "proto/mtu.h"
#include "proto/overlay.h"
#include "tests/client-core/harness.h"
#include "tests/unit.h"

#include <string.h>

static struct harness h;
static uint8_t buf[2048];

static int setup(void **state) {
	(void)state;
	harness_init(&h);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	harness_done(&h);
	return 0;
}

static void join(void) {
	harness_start(&h);
	harness_join(&h);
}

static uint64_t dropped(enum obs_drop drop) {
	return client_session_counters(h.session)->drop[drop];
}

static uint64_t counted(enum obs_counter counter) {
	return client_session_counters(h.session)->value[counter];
}

static int send_frame(size_t len) {
	return client_session_send(h.session, harness_frame(buf, 9, 1, len), h.now);
}

static void test_send_next_taken(void **state) {
	struct proto_overlay overlay;
	struct slice payload = {0}, again = {0};

	(void)state;
	join();
	assert_false(client_session_next(h.session, &payload, h.now));
	assert_int_equal(send_frame(100), 0);
	assert_int_equal(send_frame(200), 0);
	assert_int_equal(h.wakes, 1); /* once per stretch without frames */
	assert_true(client_session_next(h.session, &payload, h.now));
	assert_int_equal(proto_overlay_decode(payload, &overlay), 0);
	assert_int_equal(overlay.source_peer, 7);
	assert_int_equal(overlay.frame.len, 100);
	assert_memory_equal(overlay.frame.data, harness_frame(buf, 9, 1, 100).data, 100);
	assert_true(client_session_next(h.session, &again, h.now)); /* not taken: offered again */
	assert_ptr_equal(again.data, payload.data);
	client_session_taken(h.session, true, h.now);
	client_session_taken(h.session, true, h.now); /* nothing is on offer */
	assert_true(client_session_next(h.session, &payload, h.now));
	assert_int_equal(payload.len, 208);
	client_session_taken(h.session, false, h.now);
	assert_false(client_session_next(h.session, &payload, h.now));
	assert_int_equal(counted(OBS_TUNNEL_TX_DATAGRAMS), 1);
	assert_int_equal(counted(OBS_TUNNEL_TX_BYTES), 108);
	assert_int_equal(dropped(OBS_DROP_DATAGRAM_BUDGET), 1);
	assert_int_equal(send_frame(100), 0);
	assert_int_equal(h.wakes, 2);
}

static void test_refusals(void **state) {
	(void)state;
	harness_start(&h);
	assert_int_equal(send_frame(100), OBS_DROP_NOT_JOINED);
	harness_join(&h);
	assert_int_equal(send_frame(1414), 0);
	assert_int_equal(send_frame(1415), OBS_DROP_TAP_MTU);
	h.budget = 1000;
	assert_int_equal(send_frame(992), 0);
	assert_int_equal(send_frame(993), OBS_DROP_DATAGRAM_BUDGET);
	assert_int_equal(client_session_send(h.session, slice_of(buf, 13), h.now), OBS_DROP_BAD_DATAGRAM);
	assert_int_equal(dropped(OBS_DROP_NOT_JOINED), 1);
	assert_int_equal(dropped(OBS_DROP_TAP_MTU), 1);
	assert_int_equal(dropped(OBS_DROP_DATAGRAM_BUDGET), 1);
	assert_int_equal(dropped(OBS_DROP_BAD_DATAGRAM), 1);
}

static void test_queue_limits(void **state) {
	struct slice payload;

	(void)state;
	h.config.egress = (struct queue_egress_limits){.frames_max = 4, .age_ns_max = 50 * BASE_MS};
	h.config.pool_frames = 3;
	join();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(send_frame(100), 0);
	assert_int_equal(send_frame(100), OBS_DROP_NO_BUFFER);

	harness_reset(&h);
	h.config.egress = (struct queue_egress_limits){.frames_max = 2, .age_ns_max = 50 * BASE_MS};
	join();
	assert_int_equal(send_frame(100), 0);
	assert_int_equal(send_frame(100), 0);
	assert_int_equal(send_frame(100), 0); /* the oldest goes */
	assert_int_equal(dropped(OBS_DROP_QUEUE_FULL), 1);
	h.now += 51 * BASE_MS;
	assert_false(client_session_next(h.session, &payload, h.now));
	assert_int_equal(dropped(OBS_DROP_QUEUE_AGE), 2);

	harness_reset(&h);
	h.config.egress = (struct queue_egress_limits){.bytes_max = 200};
	join();
	assert_int_equal(send_frame(192), 0);
	assert_int_equal(send_frame(193), OBS_DROP_QUEUE_FULL);
	assert_int_equal(dropped(OBS_DROP_QUEUE_FULL), 1);
}

/* Where the frame on offer had to make room, nothing is left to be taken; twice as many frames as leave are a standing
 * queue. */
static void test_queue_drops_are_counted(void **state) {
	struct slice payload;

	(void)state;
	h.config.egress = (struct queue_egress_limits){.frames_max = 1};
	join();
	assert_int_equal(send_frame(100), 0);
	assert_true(client_session_next(h.session, &payload, h.now));
	assert_int_equal(send_frame(100), 0);
	assert_int_equal(dropped(OBS_DROP_QUEUE_FULL), 1);
	client_session_taken(h.session, true, h.now);
	assert_int_equal(counted(OBS_TUNNEL_TX_DATAGRAMS), 0);
	assert_true(client_session_next(h.session, &payload, h.now));
	client_session_taken(h.session, true, h.now);
	assert_int_equal(counted(OBS_TUNNEL_TX_DATAGRAMS), 1);

	harness_reset(&h);
	join();
	for (int ms = 0; ms < 300; ms++, h.now += BASE_MS) {
		assert_int_equal(send_frame(1000), 0);
		assert_int_equal(send_frame(1000), 0);
		assert_true(client_session_next(h.session, &payload, h.now));
		client_session_taken(h.session, true, h.now);
	}
	assert_in_range(dropped(OBS_DROP_QUEUE_CODEL), 3, 20);
	assert_int_equal(dropped(OBS_DROP_QUEUE_FULL) + dropped(OBS_DROP_QUEUE_AGE), 0);
}

static void test_flush_at_the_end(void **state) {
	struct slice payload;

	(void)state;
	join();
	assert_int_equal(send_frame(100), 0);
	assert_int_equal(send_frame(100), 0);
	assert_true(client_session_next(h.session, &payload, h.now));
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
	assert_false(client_session_next(h.session, &payload, h.now));
	client_session_taken(h.session, true, h.now);
	assert_int_equal(counted(OBS_TUNNEL_TX_DATAGRAMS), 0);
	assert_int_equal(dropped(OBS_DROP_NOT_JOINED), 2);
}

static void receive(uint32_t source, size_t len) {
	uint8_t datagram[2048];

	harness_frame(datagram + PROTO_OVERLAY_HEADER_BYTES, 1, 9, len);
	assert_int_equal(proto_overlay_encode_header(datagram, source, len, sizeof(datagram)), 0);
	client_session_datagram(h.session, slice_of(datagram, PROTO_OVERLAY_HEADER_BYTES + len), h.now);
}

static void test_receive(void **state) {
	(void)state;
	harness_start(&h);
	harness_hello(&h);
	receive(9, 60); /* before the welcome */
	assert_int_equal(dropped(OBS_DROP_NOT_JOINED), 1);
	client_session_lost(h.session, CLIENT_LOSS_RESET, "test", h.now);
	harness_run(&h, 600 * BASE_MS);
	harness_join(&h);
	receive(9, 60);
	assert_int_equal(h.frames, 1);
	assert_int_equal(h.frame_source, 9);
	assert_int_equal(h.frame_len, 60);
	assert_memory_equal(h.frame, harness_frame(buf, 1, 9, 60).data, 60);
	receive(7, 60); /* our own */
	assert_int_equal(dropped(OBS_DROP_REFLECTION), 1);
	assert_int_equal(counted(OBS_TUNNEL_RX_DATAGRAMS), 3);
	assert_int_equal(counted(OBS_TUNNEL_RX_BYTES), 3 * 68);
	assert_int_equal(h.frames, 1);
}

static void test_each_truncated_datagram_is_counted(void **state) {
	uint8_t datagram[2048];

	(void)state;
	join();
	harness_frame(datagram + PROTO_OVERLAY_HEADER_BYTES, 1, 9, 60);
	assert_int_equal(proto_overlay_encode_header(datagram, 9, 60, sizeof(datagram)), 0);
	for (size_t len = 0; len < 68; len++)
		client_session_datagram(h.session, slice_of(datagram, len), h.now);
	assert_int_equal(dropped(OBS_DROP_BAD_DATAGRAM), 68);
	assert_int_equal(h.frames, 0);
	assert_true(harness_logged(&h, "bad_datagram"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_send_next_taken),
	    TEST(test_refusals),
	    TEST(test_queue_limits),
	    TEST(test_queue_drops_are_counted),
	    TEST(test_flush_at_the_end),
	    TEST(test_receive),
	    TEST(test_each_truncated_datagram_is_counted),
	};

	return cmocka_run_group_tests_name("client-core/session_data", tests, NULL, NULL);
}
