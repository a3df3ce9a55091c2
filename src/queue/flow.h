/* queue/flow.h: which flow a frame belongs to. Works on any bytes: what cannot be parsed falls back to coarser flows.
 */
#ifndef QUEUE_FLOW_H
#define QUEUE_FLOW_H

#include "base/slice.h"

#include <stdint.h>

/* A keyed hash that is equal for frames of one flow of one source peer, and else different but by chance:
 *
 *   group destination (broadcast, multicast)   the source peer alone
 *   IPv4, IPv6                                 protocol and addresses; with ports when they are to be seen
 *   anything else (ARP, IPX, broken IP)        both MACs and the EtherType
 *   sealed frames                              both MACs and the sender's label
 *
 * Fragments have no ports, not even the first one, so that all parts of a packet stay in one flow and in order.
 * `datagram` is an encoded overlay datagram of any length. */
uint64_t queue_flow_hash(const uint64_t seed[static 2], uint32_t source_peer, struct slice datagram);

/* The label of a frame that is to be sealed: the same for frames of one flow, by chance also for others; to who does
 * not know the seed it says nothing else. */
uint16_t queue_flow_label(const uint64_t seed[static 2], struct slice frame);

#endif
