#include "client-win/run.h"

int main(void) {
	return winmain_run();
}
