/* link/room_key.h: the room's key (roomkey/) as what the session calls (client_cipher). */
#ifndef LINK_ROOM_KEY_H
#define LINK_ROOM_KEY_H

#include "client-core/session.h"
#include "roomkey/roomkey.h"

/* The session's frames are sealed with the key from now on; it must outlive the session. */
void link_room_key_use(struct client_config *config, struct roomkey *key);

#endif
