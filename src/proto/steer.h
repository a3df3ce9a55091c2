/* proto/steer.h: the group of shards a room belongs to, as everybody who speaks the protocol computes it. Pure. */
#ifndef PROTO_STEER_H
#define PROTO_STEER_H

#include "base/steer.h"

/* The first byte of a connection ID for this room; its random bits are 0. */
uint8_t proto_steer_byte(const char *room);

#endif
