/* client-linux/main_unsafe.c: lanparty-client-unsafe, built with -Dunsafe_client=true only: a client that filters
 * nothing, for tests that attack relay and gateway. */
#include "client-linux/client.h"

#include <stdio.h>

int main(int argc, char **argv) {
	(void)fputs("lanparty-client-unsafe: local filters are off; for attack tests only\n", stderr);
	return lintap_main(argc, (const char *const *)argv, true);
}
