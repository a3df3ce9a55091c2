/* client-core/drop.h: the drop reason that a policy rule is counted under. obs/counters.h begins its list with the
 * policy's rules in the policy's order, so this is arithmetic; test_bridge compares every name. */
#ifndef CLIENT_CORE_DROP_H
#define CLIENT_CORE_DROP_H

#include "obs/counters.h"
#include "policy/policy.h"

_Static_assert((int)POLICY_PASS == 0, "every other rule has a drop reason");
_Static_assert((int)OBS_DROP_MALFORMED == (int)POLICY_MALFORMED - 1, "first rule");
_Static_assert((int)OBS_DROP_INVALID_SOURCE == (int)POLICY_SOURCE - 1, "the one rule with a name of its own");
_Static_assert((int)OBS_DROP_ARP == (int)POLICY_ARP - 1, "in the middle");
_Static_assert((int)OBS_DROP_IP_MALFORMED == (int)POLICY_RULE_COUNT - 2, "last rule");

/* `rule` is not POLICY_PASS. */
static inline enum obs_drop client_drop_of_policy(enum policy_rule rule) {
	return (enum obs_drop)((int)rule - 1);
}

#endif
