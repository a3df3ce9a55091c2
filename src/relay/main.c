#include "relay/daemon.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
	char error[RELAY_CONFIG_ERROR_BYTES];
	struct relay_config config;
	char *shown = NULL;
	int status;

	if (relay_config_parse(argc, (const char *const *)argv, &config, &shown, error) != 0) {
		fprintf(stderr, "lanparty-relay: %s\nTry 'lanparty-relay --help'.\n", error);
		return RELAY_EXIT_USAGE;
	}
	if (shown != NULL) {
		status = fputs(shown, stdout) == EOF || fflush(stdout) != 0 ? RELAY_EXIT_FAILURE : RELAY_EXIT_OK;
		free(shown);
		return status;
	}
	status = relay_daemon_run(&config);
	relay_config_done(&config);
	return status;
}
