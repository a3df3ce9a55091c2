#include "client-linux/contest.h"

#include "base/bytes.h"
#include "client-linux/limits.h"
#include "dhcp/message.h"

bool lintap_contest_ask(struct lintap_contest *contest, const struct base_addr *address, uint64_t now) {
	if (!base_addr_equal(address, &contest->address))
		*contest = (struct lintap_contest){.address = *address};
	if (address->family != BASE_FAMILY_V4 || now < contest->ask_at)
		return false;
	contest->taken = contest->answered;
	contest->answered = false;
	contest->ask_at = now + LINTAP_CONTEST_NS;
	return true;
}

bool lintap_contest_frame(struct lintap_contest *contest, struct proto_mac mac, struct slice frame) {
	const bool known = contest->taken;

	if (contest->address.family != BASE_FAMILY_V4 || !dhcp_arp_claims(frame, mac, base_get_u32(contest->address.ip)))
		return false;
	contest->answered = contest->taken = true;
	return !known;
}
