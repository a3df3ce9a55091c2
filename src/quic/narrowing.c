#include "quic/narrowing.h"

bool quic_narrowing_lost(struct quic_narrowing *narrowing, size_t len, uint64_t now) {
	if (narrowing->lost == 0)
		*narrowing = (struct quic_narrowing){.least = len, .since = now};
	if (len <= narrowing->most)
		return false; /* its size does come through */
	if (len < narrowing->least)
		narrowing->least = len;
	narrowing->lost++;
	if (narrowing->moments == 0 || now - narrowing->moment_at >= QUIC_NARROWING_APART_NS) {
		narrowing->moments++;
		narrowing->moment_at = now;
	}
	return narrowing->lost >= QUIC_NARROWING_LOST && narrowing->moments >= QUIC_NARROWING_MOMENTS &&
	       now - narrowing->since >= QUIC_NARROWING_NS;
}

void quic_narrowing_acked(struct quic_narrowing *narrowing, size_t len) {
	if (len >= narrowing->least)
		narrowing->lost = 0;
	else if (len > narrowing->most)
		narrowing->most = len;
}
