/* Any frame: there is a verdict; what the header alone stops, the whole frame does not let pass for a stranger; what a
 * stranger may send the LAN may send too; a priority tag changes nothing for the LAN and lets nothing pass for a
 * stranger. */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	enum policy_rule remote = policy_check(slice_of(data, size), POLICY_FROM_REMOTE);
	enum policy_rule lan = policy_check(slice_of(data, size), POLICY_FROM_LAN);
	enum policy_rule tagged_remote, tagged_lan;
	uint8_t tagged[1518];

	if (policy_rule_name(remote) == NULL || policy_rule_name(lan) == NULL ||
	    (remote == POLICY_PASS && lan != POLICY_PASS))
		abort();
	if (size < 14 || size > 1514)
		return 0;
	if (remote == POLICY_PASS && policy_check_header(data, size) != POLICY_PASS)
		abort();
	memcpy(tagged, data, 12);
	memcpy(tagged + 12, (const uint8_t[]){0x81, 0, 0, 0}, 4);
	memcpy(tagged + 16, data + 12, size - 12);
	tagged_remote = policy_check(slice_of(tagged, size + 4), POLICY_FROM_REMOTE);
	tagged_lan = policy_check(slice_of(tagged, size + 4), POLICY_FROM_LAN);
	if (tagged_remote == POLICY_PASS)
		abort();
	if (tagged_lan != lan && tagged_lan != POLICY_MALFORMED) /* one tag too many */
		abort();
	return 0;
}
