/* gateway/main_unsafe.c: lanparty-gateway-unsafe, built with -Dunsafe_client=true only: a gateway that lets everything
 * from the tunnel onto the LAN, for the proof that the attack tests would see it. */
#include "gateway/gateway.h"

#include <stdio.h>

int main(int argc, char **argv) {
	(void)fputs("lanparty-gateway-unsafe: frames of remote clients are not filtered; for attack tests only\n", stderr);
	return gateway_main(argc, (const char *const *)argv, true);
}
