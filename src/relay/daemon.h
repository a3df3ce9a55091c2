/* relay/daemon.h: the relay as a process: shards in threads, certificate files, signals, privileges, status socket. */
#ifndef RELAY_DAEMON_H
#define RELAY_DAEMON_H

#include "relay/config.h"

/* Runs until SIGTERM or SIGINT. Returns an enum relay_exit; what went wrong has been logged to standard error. */
int relay_daemon_run(const struct relay_config *config);

#endif
