/* Keys that turn: built with 16 frames an epoch instead of 2^28. */
#include "roomkey/roomkey.h"

#include "base/error.h"
#include "tests/unit.h"

#include <string.h>

#define EPOCH (1 << ROOMKEY_EPOCH_FRAMES_LOG2)
#define FRAME_BYTES 60
#define DATAGRAM_BYTES (PROTO_OVERLAY_HEADER_BYTES + FRAME_BYTES + PROTO_SEALED_BYTES)
#define FRAMES (5 * EPOCH)

static struct roomkey *key;
static struct roomkey_peer *peer;
static uint8_t datagrams[FRAMES][DATAGRAM_BYTES];

/* One key that sends to itself: FRAMES frames, each with its number in it. */
static int set_up(void **state) {
	static const uint8_t fresh[ROOMKEY_FRESH_BYTES] = {1};
	struct roomkey_sender sender = {.mac = {{2, 0, 0, 0, 0, 1}}};
	uint8_t frame[FRAME_BYTES] = {0xff};

	(void)state;
	assert_int_equal(roomkey_new(seal_gnutls(), "ROOM1", "correct horse", &key), 0);
	assert_int_equal(roomkey_begin(key, fresh, &sender), 0);
	assert_int_equal(roomkey_peer_new(key, &sender, &peer), 0);
	for (unsigned i = 0; i < FRAMES; i++) {
		frame[FRAME_BYTES - 1] = (uint8_t)i;
		assert_int_equal(roomkey_seal(key, 1, slice_of(frame, sizeof(frame)), 0, 1400, datagrams[i]), 0);
	}
	return 0;
}

static int tear_down(void **state) {
	(void)state;
	roomkey_peer_free(peer);
	roomkey_free(key);
	return 0;
}

static int open_frame(const uint8_t *datagram, unsigned number) {
	struct proto_sealed sealed;
	uint8_t frame[FRAME_BYTES] = {0};
	int err;

	assert_int_equal(proto_sealed_decode(slice_of(datagram, DATAGRAM_BYTES), &sealed), 0);
	err = roomkey_open(peer, &sealed, frame);
	if (err == 0)
		assert_int_equal(frame[FRAME_BYTES - 1], (uint8_t)number);
	return err;
}

static void test_all_in_order(void **state) {
	(void)state;
	for (unsigned i = 0; i < FRAMES; i++)
		assert_int_equal(open_frame(datagrams[i], i), 0);
}

static void test_stragglers_of_the_last_epoch(void **state) {
	(void)state;
	assert_int_equal(open_frame(datagrams[EPOCH + 3], EPOCH + 3), 0);
	assert_int_equal(open_frame(datagrams[EPOCH - 1], EPOCH - 1), 0);
	assert_int_equal(open_frame(datagrams[EPOCH + 4], EPOCH + 4), 0);
	assert_int_equal(open_frame(datagrams[0], 0), 0);
	assert_int_equal(open_frame(datagrams[EPOCH - 1], EPOCH - 1), BASE_E_EXISTS);
}

static void test_who_comes_late(void **state) {
	(void)state;
	assert_int_equal(open_frame(datagrams[3 * EPOCH + 1], 3 * EPOCH + 1), 0);
	assert_int_equal(open_frame(datagrams[4 * EPOCH], 4 * EPOCH), 0);
}

/* Of somebody who would have the key turned to one that nobody uses. */
static void test_made_up_epochs_change_nothing(void **state) {
	uint8_t forged[DATAGRAM_BYTES];

	(void)state;
	assert_int_equal(open_frame(datagrams[0], 0), 0);
	memcpy(forged, datagrams[1], sizeof(forged));
	forged[24] = 0x7f;
	assert_int_equal(open_frame(forged, 1), BASE_E_INVALID);
	for (unsigned i = 1; i < FRAMES; i++)
		assert_int_equal(open_frame(datagrams[i], i), 0);
}

/* The same plaintext under the next epoch's key: were the key not turned, the bytes would tell. */
static void test_epochs_differ_in_key(void **state) {
	uint8_t moved[DATAGRAM_BYTES];

	(void)state;
	memcpy(moved, datagrams[0], sizeof(moved));
	moved[29] = EPOCH; /* counter of the next epoch on a frame of this one */
	assert_int_equal(open_frame(moved, 0), BASE_E_INVALID);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_all_in_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_stragglers_of_the_last_epoch, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_who_comes_late, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_made_up_epochs_change_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_epochs_differ_in_key, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("roomkey/epochs", tests, NULL, NULL);
}
