/* client-win/adapter.h: the TAP adapter made ready: chosen, given its MAC, opened with the cable out (TAP-1 to TAP-4,
 * WIN-1, WIN-3). Knows no tunnel, and of routes only whether Windows' IP knows the adapter. */
#ifndef CLIENT_WIN_ADAPTER_H
#define CLIENT_WIN_ADAPTER_H

#include "client-tap/device.h"
#include "client-win/advice.h"
#include "obs/log.h"

/* Finds the adapter that `instance_id` names (NULL: the only one), has it take `mac`, restarts it if it must, opens it.
 * After a restart it is one of Windows' IP's again, too, if that does not take all too long.
 * CLIENT_EXIT_OK with the results, or the exit status with `error`. */
enum client_exit winmain_adapter_open(const char *instance_id, struct proto_mac mac, struct obs_log *log,
                                      struct tapwin_adapter *ret_adapter, struct tapwin_device **ret_device,
                                      char error[static TAPWIN_ERROR_BYTES]);

#endif
