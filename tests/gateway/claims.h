/* Frames that say something about addresses, in the words of tests/policy/frames.h. */
#ifndef TESTS_GATEWAY_CLAIMS_H
#define TESTS_GATEWAY_CLAIMS_H

#include "proto/ether.h"
#include "tests/policy/frames.h"

#define LAN_STATION "ffffffffffff 001122334455 "
#define REMOTE "ffffffffffff 020000000001 "
/* htype, ptype, hlen, plen; then: operation, sender MAC, sender IP, target MAC, target IP */
#define TYPE_ARP "0806 0001 0800 06 04 "
#define ARP_REQUEST(mac, ip) TYPE_ARP "0001 " mac " " ip " 000000000000 c0a80199"
#define ARP_REPLY(mac, ip) TYPE_ARP "0002 " mac " " ip " 001122334455 c0a80101"
#define ROUTER_IP "c0a80101"
#define OTHER_IP "c0a80142"
/* version..flow, payload length, next header, hop limit; then source and destination */
#define IPV6(next) "86dd 60000000 { " next " ff "
#define IPV6_PASSED_ON(next) "86dd 60000000 { " next " fe "
#define ROUTER_6 "fe800000000000000000000000000001 "
#define OTHER_6 "fe800000000000000000000000000042 "
#define NONE_6 "00000000000000000000000000000000 "
#define ALL_NODES "ff020000000000000000000000000001 "
#define ND(type) type " 00 0000 00000000 "
#define HOP_BY_HOP_THEN(next) next " 00 0502 0000 0100 "
#define AUTH_THEN(next) next " 01 0000 00000001 00000001 "
#define ARP_PROBE(mac, ip) TYPE_ARP "0001 " mac " 00000000 000000000000 " ip
#define DAD(ip) IPV6("3a") NONE_6 ALL_NODES ND("87") ip
#define ADVERT(ip) IPV6("3a") ip ALL_NODES ND("88") ip

static inline bool parse(struct test_frame *frame, const char *text, struct proto_ether *ret) {
	test_frame_build(frame, text);
	return proto_ether_parse(slice_of(frame->bytes, frame->len), ret) == 0;
}

#endif
