/* client-win/profile.h: the network profile of Windows (firewall.h) through INetworkListManager. */
#ifndef CLIENT_WIN_PROFILE_H
#define CLIENT_WIN_PROFILE_H

#include "client-win/firewall.h"

const struct winmain_profile *winmain_profile_native(void);

#endif
