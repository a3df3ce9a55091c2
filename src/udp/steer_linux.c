/* udp/steer_linux.c: several sockets on one address, told apart by a program that the kernel runs for each packet. The
 * first socket is bound alone, and shares its address only then: a second relay must find the port taken. */
#include "base/error.h"
#include "base/steer.h"
#include "udp/socket_linux.h"

#include <linux/filter.h>

/* base_steer_datagram. A load behind the packet's end makes the result 0. */
static int attach(int fd, unsigned shards) {
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, BASE_STEER_LONG_HEADER, 0, 2),
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, BASE_STEER_LONG_AT),
	    BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, BASE_STEER_SHORT_AT),
	    BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, BASE_STEER_SHIFT),
	    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, shards),
	    BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

static bool set_shared(const struct udp_socket *socket, int shared) {
	return setsockopt(socket->fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof(shared)) == 0;
}

int udp_open_steered(const struct udp_options *options, size_t count, struct udp_socket **ret) {
	struct udp_options more = *options;
	size_t opened = 1;
	int err = udp_open(options, &ret[0]);

	if (err != 0)
		return err;
	if (count == 1 || !set_shared(ret[0], 1))
		return 1;
	more.local = ret[0]->local;
	more.reuse_port = true;
	while (opened < count && udp_open(&more, &ret[opened]) == 0)
		opened++;
	if (opened == count && attach(ret[0]->fd, (unsigned)count) == 0)
		return (int)count;
	while (opened > 1)
		udp_close(ret[--opened]);
	set_shared(ret[0], 0);
	return 1;
}
