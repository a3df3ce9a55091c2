/* client-win/service.h: the client as a Windows service: made, removed, and run under the service manager. */
#ifndef CLIENT_WIN_SERVICE_H
#define CLIENT_WIN_SERVICE_H

#include "client-win/system.h"

/* Makes (or renews) the service that runs this command line, restarts after a failure and starts with Windows; then
 * starts it. 0, BASE_E_DENIED, BASE_E_IO with `error`. */
int winmain_service_install(const char *command, char error[static WINMAIN_ERROR_BYTES]);
/* Stops and removes it. 0, also when there is none (*ret_found false); BASE_E_DENIED, BASE_E_TIMEOUT, BASE_E_IO. */
int winmain_service_remove(bool *ret_found, char error[static WINMAIN_ERROR_BYTES]);
/* False too when it can't be told. */
bool winmain_service_runs(void);
/* Hands this process to the service manager, which has `body` called; returns when that is done. 0; BASE_E_STATE: not
 * started by the service manager. */
int winmain_service_run(int (*body)(void *user), void *user);

#endif
