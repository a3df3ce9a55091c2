/* client-win/limits.h: every cap and interval of the Windows client on one page. */
#ifndef CLIENT_WIN_LIMITS_H
#define CLIENT_WIN_LIMITS_H

#include "base/time.h"

/* One turn hands at most this many frames of the adapter to the tunnel before the tunnel gets its turn to send. */
#define WINMAIN_READS_PER_TURN 64

/* Notifications about routes and addresses cannot be relied on, so both are looked at this often (WIN-4, WIN-5). */
#define WINMAIN_CHECK_NS (3 * BASE_SECOND)
#define WINMAIN_DIAGNOSTICS_NS (10 * BASE_SECOND)
/* After the room is lost the cable stays plugged in for so long: a short outage must not cost the DHCP lease. */
#define WINMAIN_MEDIA_GRACE_NS (30 * BASE_SECOND)
/* How often reading is tried again while the driver is asleep. */
#define WINMAIN_RESUME_NS BASE_SECOND
/* A restarted adapter comes back within some seconds. */
#define WINMAIN_REOPEN_TRIES 40
#define WINMAIN_REOPEN_WAIT_MS 250
/* The service's log starts anew beyond this size, looked at with the diagnostics; the one before is kept. */
#define WINMAIN_LOG_BYTES_MAX (4 * 1024 * 1024)
/* A window that nobody closes goes by itself: a scheduled task has one, too, and should end. */
#define WINMAIN_HOLD_MS 60000

#endif
