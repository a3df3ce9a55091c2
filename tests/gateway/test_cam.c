#include "gateway/cam.h"

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
	/* Another lanparty gateway on the LAN must not stumble over it. */
	assert_int_equal(policy_check(slice_of(frame, sizeof(frame)), POLICY_FROM_LAN), POLICY_PASS);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_frame)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
