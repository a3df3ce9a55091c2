#include "gateway/cam.h"

#include "gateway/limits.h"
#include "policy/policy.h"
#include "proto/ether.h"
#include "tests/unit.h"

static void test_frame(void **state) {
	const struct proto_mac remote = {{0x02, 1, 2, 3, 4, 5}};
	uint8_t frame[GATEWAY_CAM_FRAME_BYTES];
	struct proto_ether ether;
	(void)state;
	gateway_cam_frame(remote, frame);
	assert_int_equal(proto_ether_parse(slice_of(frame, sizeof(frame)), &ether), 0);
	assert_true(proto_mac_is_broadcast(ether.dst));
	assert_true(proto_mac_equal(ether.src, remote));
	assert_int_equal(ether.type, GATEWAY_CAM_ETHERTYPE);
	assert_memory_equal(ether.payload.data, "lanparty CAM refresh\0\0\0\0\0\0\0\0", 28);
	/* Another lanparty gateway on the LAN must not stumble over it. */
	assert_int_equal(policy_check(slice_of(frame, sizeof(frame)), POLICY_FROM_LAN), POLICY_PASS);
}

static void test_newcomers_are_bounded(void **state) {
	struct gateway_cam_allowance allowance = {0};
	uint64_t now = 0; /* as a machine has it that has just started */
	(void)state;
	for (unsigned minute = 0; minute < 3; minute++, now += GATEWAY_CAM_NEW_NS) {
		for (unsigned i = 0; i < GATEWAY_CAM_NEW_MAX; i++)
			assert_true(gateway_cam_take(&allowance, now + i));
		assert_false(gateway_cam_take(&allowance, now + GATEWAY_CAM_NEW_MAX));
		assert_false(gateway_cam_take(&allowance, now + GATEWAY_CAM_NEW_NS - 1));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_frame), cmocka_unit_test(test_newcomers_are_bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
