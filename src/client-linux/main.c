#include "client-linux/client.h"

int main(int argc, char **argv) {
	return lintap_main(argc, (const char *const *)argv, false);
}
