/* packaging/windows/help.c: prints the --help of lanparty-client.exe on the machine that builds, so that the
 * documentation can be compared with it. Never installed. */
#include "client-win/options.h"

#include <stdio.h>
#include <stdlib.h>

int main(void) {
	char *help = cli_help(&winmain_options);
	if (help == NULL || fputs(help, stdout) < 0)
		return 1;
	free(help);
	return 0;
}
