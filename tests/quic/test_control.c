/* The send buffer of the control stream against a plain copy of what went in. */
#include "net.h"
#include "quic/internal.h"

#include "base/error.h"

#include <string.h>

static uint8_t model[3 * QUIC_CONTROL_SEND_MAX];

static void test_bounds(void **state) {
	struct quic_control control;

	(void)state;
	quic_control_init(&control);
	assert_int_equal(control.stream_id, -1);
	assert_false(quic_control_has_unsent(&control));
	assert_int_equal(quic_control_push(&control, slice_of(NULL, 0)), 0);
	assert_false(quic_control_has_unsent(&control));
	assert_int_equal(quic_control_push(&control, slice_of(model, QUIC_CONTROL_SEND_MAX)), 0);
	assert_int_equal(quic_control_push(&control, slice_of(model, 1)), BASE_E_FULL);
	quic_control_sent(&control, QUIC_CONTROL_SEND_MAX);
	assert_int_equal(quic_control_push(&control, slice_of(model, 1)), BASE_E_FULL); /* sent is not acknowledged */
	quic_control_acked(&control, 1);
	assert_int_equal(quic_control_push(&control, slice_of(model, 2)), BASE_E_FULL);
	assert_int_equal(quic_control_push(&control, slice_of(model, 1)), 0);
	quic_control_done(&control);
}

/* Random pushes, sends and acknowledgements; what is handed out never moves and is always the next byte. */
static void test_order(void **state) {
	struct quic_control control;
	struct base_rng rng;
	size_t pushed = 0, sent = 0, acked = 0;

	(void)state;
	base_rng_init(&rng, 7);
	for (size_t i = 0; i < sizeof(model); i++)
		model[i] = net_pattern(i);
	quic_control_init(&control);
	while (acked < sizeof(model)) {
		size_t len = (size_t)base_rng_below(&rng, base_rng_below(&rng, 4) == 0 ? 9000 : 200);

		if (len > sizeof(model) - pushed)
			len = sizeof(model) - pushed;
		if (quic_control_push(&control, slice_of(model + pushed, len)) == 0)
			pushed += len;
		else
			assert_true(pushed - acked + len > QUIC_CONTROL_SEND_MAX);
		if (base_rng_below(&rng, 3) > 0 && quic_control_has_unsent(&control)) {
			struct slice bytes = quic_control_unsent(&control);

			assert_true(bytes.len > 0 && bytes.len <= pushed - sent);
			assert_memory_equal(bytes.data, model + sent, bytes.len);
			len = (size_t)base_rng_below(&rng, bytes.len + 1);
			quic_control_sent(&control, len);
			sent += len;
		}
		if (base_rng_below(&rng, 2) == 0) {
			len = (size_t)base_rng_below(&rng, sent - acked + 1);
			quic_control_acked(&control, len);
			acked += len;
		}
		assert_int_equal(control.bytes, pushed - acked);
		assert_int_equal(quic_control_has_unsent(&control), pushed > sent);
	}
	assert_null(control.head);
	quic_control_done(&control);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
