/* The address guard over any frame: byte 0 says which way it came. A claim that was learnt from the LAN, where it had
 * not been passed on by a router, is refused from a remote client, what has nothing to do with addresses passes, and
 * nothing is read beyond the frame. */
#include "gateway/claim.h"
#include "gateway/guard.h"
#include "gateway/limits.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const uint64_t seed[2] = {1, 2};
	static struct gateway_guard *guard;
	struct proto_ether ether;
	struct gateway_claim claim;
	if (guard != NULL && gateway_guard_count(guard) == GATEWAY_GUARD_ANSWERS_MAX) {
		gateway_guard_free(guard); /* a station might have no place left for one more address */
		guard = NULL;
	}
	if (guard == NULL)
		guard = gateway_guard_new(seed);
	if (guard == NULL || size == 0 || proto_ether_parse(slice_of(data + 1, size - 1), &ether) < 0)
		return 0;
	if ((data[0] & 1) != 0)
		gateway_guard_learn(guard, &ether, 1);
	ether.src.b[5] ^= 1; /* another one's; what a station says of itself it may say again */
	bool allowed = gateway_guard_allows(guard, &ether, 2);
	if (ether.is_length ||
	    (ether.type != PROTO_ETHERTYPE_ARP && ether.type != PROTO_ETHERTYPE_IPV4 && ether.type != PROTO_ETHERTYPE_IPV6))
		assert(allowed);
	if (!gateway_claim_parse(&ether, &claim))
		return 0;
	if ((data[0] & 1) != 0 && (ether.type != PROTO_ETHERTYPE_IPV6 || ether.payload.data[7] == 255))
		assert(!allowed);
	return 0;
}
