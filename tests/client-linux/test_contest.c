#include "client-linux/contest.h"

#include "base/bytes.h"
#include "client-linux/limits.h"
#include "dhcp/message.h"
#include "tests/unit.h"

static const struct proto_mac mac = {{2, 0, 0, 0, 0, 1}}, other = {{0, 0x11, 0x22, 0x33, 0x44, 0x55}};
static const struct base_addr none, address = {.family = BASE_FAMILY_V4, .ip = {192, 168, 1, 5}},
                                    second = {.family = BASE_FAMILY_V4, .ip = {192, 168, 1, 6}},
                                    ipv6 = {.family = BASE_FAMILY_V6, .ip = {0xfd, [15] = 1}};

/* `sender` of family NONE: it probes. */
static bool hear(struct lintap_contest *contest, struct proto_mac from, const struct base_addr *sender) {
	uint8_t frame[DHCP_ARP_FRAME_BYTES];
	dhcp_arp_frame(from, base_get_u32(sender->ip), base_get_u32(address.ip), frame);
	return lintap_contest_frame(contest, mac, slice_of(frame, sizeof(frame)));
}

static void test_asks_now_and_then(void **state) {
	struct lintap_contest contest = {.ask_at = 0};
	(void)state;
	assert_false(lintap_contest_ask(&contest, &none, 1));
	assert_false(lintap_contest_ask(&contest, &ipv6, 1));
	assert_true(lintap_contest_ask(&contest, &address, 1));
	assert_false(lintap_contest_ask(&contest, &address, LINTAP_CONTEST_NS));
	assert_true(lintap_contest_ask(&contest, &second, LINTAP_CONTEST_NS));
	assert_true(lintap_contest_ask(&contest, &second, 2 * LINTAP_CONTEST_NS));
}

static void test_taken(void **state) {
	struct lintap_contest contest = {.ask_at = 0};
	(void)state;
	assert_false(hear(&contest, other, &none)); /* nobody has asked: no address is ours */
	assert_true(lintap_contest_ask(&contest, &address, 1));
	assert_false(hear(&contest, other, &second));
	assert_false(hear(&contest, other, &none)); /* it only asks */
	assert_false(hear(&contest, mac, &address));
	assert_false(contest.taken);
	assert_true(hear(&contest, other, &address));
	assert_false(hear(&contest, other, &address)); /* no news */
	assert_true(contest.taken);
	assert_true(lintap_contest_ask(&contest, &address, 1 + LINTAP_CONTEST_NS));
	assert_true(contest.taken); /* until a question brings no answer */
	assert_true(lintap_contest_ask(&contest, &address, 1 + 2 * LINTAP_CONTEST_NS));
	assert_false(contest.taken);
	assert_true(hear(&contest, other, &address));
	assert_true(lintap_contest_ask(&contest, &second, 2 + 2 * LINTAP_CONTEST_NS));
	assert_false(contest.taken);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_asks_now_and_then),
	    cmocka_unit_test(test_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
