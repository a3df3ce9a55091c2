/* udp/udp.h: one UDP socket that moves datagrams in batches, with GRO and GSO where the kernel has them (probed when
 * the socket is opened, silently done without elsewhere). One file per platform.
 *
 * A received chunk or a sent burst is a run of datagrams of one path: all `segment` bytes long but the last, which may
 * be shorter. Don't-fragment is set (RFC 9000 section 14.1 wants probes unfragmented). */
#ifndef UDP_UDP_H
#define UDP_UDP_H

#include "base/addr.h"
#include "base/slice.h"

#define UDP_RX_CHUNKS_MAX 32
#define UDP_RX_BYTES (128 * 1024) /* about what a call brings on Linux; the rest waits for the next */
#define UDP_TX_BURSTS_MAX 64
#define UDP_BURST_BYTES_MAX 65000
#define UDP_BURST_SEGMENTS_MAX 64

struct udp_socket;

struct udp_options {
	struct base_addr local;  /* wildcard with port 0 for a client; a v6 wildcard (or family NONE) is dual-stack, and
	                          * IPv4 only where the system has no IPv6 */
	bool local_addr_in_path; /* fill path.local from packet info (servers); else it is the bound address */
	size_t buffer_bytes;     /* SO_RCVBUF and SO_SNDBUF wish, 0 for 4 MiB */
	bool no_offload;         /* never use GSO/GRO */
	bool reuse_port;
};

struct udp_features {
	bool gso, gro;
	bool small_buffer; /* for receiving: the system gave less than was asked for */
};
/* What to tell of that. */
#define UDP_SMALL_BUFFER_TEXT                                                                            \
	"the system gives sockets less memory than wanted: packets may be lost while this machine is busy; " \
	"let net.core.rmem_max and wmem_max be 4194304"

struct udp_chunk {
	struct base_path path; /* v4-mapped addresses arrive as IPv4 */
	uint8_t ecn;           /* the two ECN bits */
	size_t segment;        /* length of each datagram but perhaps the last */
	struct slice bytes;    /* valid until the next udp_recv */
};

struct udp_burst {
	struct base_path path; /* local with family NONE or a wildcard: the kernel chooses */
	uint8_t ecn;
	size_t segment;     /* at least 1 */
	struct slice bytes; /* must stay valid until udp_send returned for it */
};

/* 0 with *ret; BASE_E_DENIED, BASE_E_EXISTS (address in use), BASE_E_INVALID (address not ours), BASE_E_UNSUPPORTED,
 * BASE_E_NOMEM, BASE_E_IO. */
int udp_open(const struct udp_options *options, struct udp_socket **ret);
/* `count` sockets on one address, for as many threads: the kernel hands each datagram to the one that the first byte of
 * its QUIC connection ID asks for (base/steer.h), and to the first when it has none. Linux only. Returns how many there
 * are: all, or 1 where the kernel takes no such program; or an error of udp_open. */
int udp_open_steered(const struct udp_options *options, size_t count, struct udp_socket **ret);
void udp_close(struct udp_socket *socket); /* accepts NULL */
int udp_fd(const struct udp_socket *socket);
struct base_addr udp_local(const struct udp_socket *socket);
struct udp_features udp_features(const struct udp_socket *socket);

/* Up to UDP_RX_CHUNKS_MAX chunks, none of them empty, and less when they are long. Count, 0 when nothing is there, or
 * BASE_E_IO when the socket is beyond use. Datagrams longer than any we would agree to are dropped. */
int udp_recv(struct udp_socket *socket, struct udp_chunk chunks[static UDP_RX_CHUNKS_MAX]);

/* Sends bursts in order. Returns how many were taken: fewer than `count` when the socket's buffer is full (wait for
 * writable, offer the rest again, starting with the same burst, of which a part may be gone already). A burst the
 * network refuses (EMSGSIZE, unreachable ...) counts as taken: QUIC treats it as lost. A GSO refusal (EIO) turns GSO
 * off for this socket and sends singly. */
size_t udp_send(struct udp_socket *socket, const struct udp_burst *bursts, size_t count);

#endif
