/* tests/unit.h: what every unit test includes: cmocka with the headers it wants before it, and checks for table-driven
 * tests that name the case that failed. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define unit_assert_int(actual, expected, label)                                            \
	do {                                                                                    \
		long long unit_actual_ = (long long)(actual);                                       \
		long long unit_expected_ = (long long)(expected);                                   \
		if (unit_actual_ != unit_expected_)                                                 \
			fail_msg("%s: got %lld, expected %lld", (label), unit_actual_, unit_expected_); \
	} while (0)

#define unit_assert_true(condition, label)                    \
	do {                                                      \
		if (!(condition))                                     \
			fail_msg("%s: %s is false", (label), #condition); \
	} while (0)

#endif
