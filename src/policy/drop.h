/* policy/drop.h: the drop reason that a rule is counted under, the same at client, gateway and relay. obs/counters.h
 * begins its list with the rules in their order, so this is arithmetic; test_policy compares every name. */
#ifndef POLICY_DROP_H
#define POLICY_DROP_H

#include "obs/counters.h"
#include "policy/policy.h"

_Static_assert((int)POLICY_PASS == 0, "every other rule has a drop reason");
_Static_assert((int)OBS_DROP_MALFORMED == (int)POLICY_MALFORMED - 1, "first rule");
_Static_assert((int)OBS_DROP_INVALID_SOURCE == (int)POLICY_SOURCE - 1, "the one rule with a name of its own");
_Static_assert((int)OBS_DROP_ARP == (int)POLICY_ARP - 1, "in the middle");
_Static_assert((int)OBS_DROP_IP_MALFORMED == (int)POLICY_RULE_COUNT - 2, "last rule");

/* `rule` is not POLICY_PASS. */
static inline enum obs_drop policy_drop(enum policy_rule rule) {
	return (enum obs_drop)((int)rule - 1);
}

#endif
