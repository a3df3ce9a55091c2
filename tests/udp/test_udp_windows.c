/* What the Windows socket does beyond test_udp.c. */
#include "tests/udp/pair.h"
#include "udp/socket_windows.h"

static uint8_t payload[100 * 1200];

#define UDP_RECV_MAX_COALESCED_SIZE 3 /* Windows 10 2004; Wine does not know it */
static bool coalesces;

/* As in Windows 10 2004, but not in Wine: datagrams may be coalesced, if that is asked for. */
static INT WSAAPI set_option(SOCKET of, INT level, INT name, const char *value, INT len) {
	static INT(WSAAPI * real)(SOCKET, INT, INT, const char *, INT);

	if (level == IPPROTO_UDP && name == UDP_RECV_MAX_COALESCED_SIZE) {
		coalesces = true;
		return 0;
	}
	if (real == NULL)
		real = (INT(WSAAPI *)(SOCKET, INT, INT, const char *, INT))(void *)GetProcAddress(
		    GetModuleHandleW(L"ws2_32.dll"), "setsockopt");
	return real(of, level, name, value, len);
}

/* As Windows when the network adapter is gone, and the socket has room as ever. */
static bool adapter_is_gone;

int WSAAPI WSASendMsg(SOCKET of, LPWSAMSG message, DWORD flags, DWORD *ret_len, LPWSAOVERLAPPED overlapped,
                      LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
	static LPFN_WSASENDMSG real;

	if (adapter_is_gone) {
		WSASetLastError(WSAENOBUFS);
		return SOCKET_ERROR;
	}
	if (real == NULL)
		real = (LPFN_WSASENDMSG)(void *)GetProcAddress(GetModuleHandleW(L"ws2_32.dll"), "WSASendMsg");
	return real(of, message, flags, ret_len, overlapped, done);
}

/* What an imported function is called by. */
extern void *__imp_setsockopt;
void *__imp_setsockopt = (void *)set_option;

static DWORD get_dword(const struct udp_socket *of, int level, int name) {
	DWORD value = 77;
	int len = sizeof(value);

	assert_int_equal(getsockopt(of->socket, level, name, (char *)&value, &len), 0);
	return value;
}

static void test_options(void **state) {
	struct udp_socket *dual = open_at("::", false, false), *v4 = open_at("127.0.0.1", false, false);

	(void)state;
	assert_int_equal(get_dword(v4, IPPROTO_IP, IP_DONTFRAGMENT), TRUE);
	assert_int_equal(get_dword(dual, IPPROTO_IP, IP_DONTFRAGMENT), TRUE);
	assert_true(get_dword(v4, SOL_SOCKET, SO_RCVBUF) >= 1 << 20);
	udp_close(dual);
	udp_close(v4);
}

/* Coalesced datagrams that come without their size would be lost: with some network drivers they do. */
static void test_nothing_is_coalesced(void **state) {
	struct udp_socket *opened = open_at("127.0.0.1", false, false);

	(void)state;
	assert_false(coalesces || udp_features(opened).gro);
	udp_close(opened);
}

/* SO_REUSEADDR of Windows would give the port to whoever comes last. */
static void test_no_shared_ports(void **state) {
	const struct udp_options options = {.local = addr_of("127.0.0.1", 0), .reuse_port = true};
	struct udp_socket *opened = NULL;

	(void)state;
	assert_int_equal(udp_open(&options, &opened), BASE_E_UNSUPPORTED);
	assert_null(opened);
}

/* Segmentation that turns out not to work is given up, and nothing is lost: Wine takes the request and sends one long
 * datagram, unless the probe finds out. */
static void test_probe_is_honest(void **state) {
	static struct inbox inbox;
	struct udp_socket *sender = open_at("127.0.0.1", false, false), *receiver = open_at("127.0.0.1", true, false);
	struct udp_burst burst = burst_to(udp_local(receiver), payload, 5 * 1000, 1000);

	(void)state;
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	receive(receiver, &inbox, 5);
	assert_int_equal(inbox.chunks, 5);
	udp_close(sender);
	udp_close(receiver);
}

/* Room is reported as soon as it is there, also when it came before anybody waited for it. */
static void test_room_is_reported(void **state) {
	struct udp_socket *sender = open_at("127.0.0.1", false, false);

	(void)state;
	assert_false(system_wait(udp_fd(sender), 0));
	assert_true(udp_select_events(sender, true)); /* as after a full buffer */
	assert_true(system_wait(udp_fd(sender), 1000));
	udp_close(sender);
}

/* What it refuses is lost, as on any network: to try it again as soon as there is room would be at once, for ever. */
static void test_adapter_is_gone(void **state) {
	struct udp_socket *sender = open_at("127.0.0.1", false, false);
	const struct base_addr nobody = addr_of("127.0.0.1", 9);
	struct udp_burst burst = burst_to(nobody, payload, 3 * 1000, 1000);

	(void)state;
	adapter_is_gone = true;
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	assert_false(system_wait(udp_fd(sender), 0));
	adapter_is_gone = false;
	udp_close(sender);
}

static unsigned received;

static INT WSAAPI one_and_no_more(SOCKET of, WSAMSG *message, DWORD *len, WSAOVERLAPPED *overlapped,
                                  LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
	static const struct sockaddr_in from = {.sin_family = AF_INET};

	(void)of, (void)overlapped, (void)done;
	if (received++ > 0) {
		WSASetLastError(WSAENOTSOCK);
		return SOCKET_ERROR;
	}
	memcpy(message->name, &from, sizeof(from));
	message->lpBuffers[0].buf[0] = 'x';
	message->Control.len = 0;
	message->dwFlags = 0;
	*len = 1;
	return 0;
}

/* No packet will set the event of a socket that is beyond use: the loop must come back all the same, to hear of it. */
static void test_breaks_behind_a_datagram(void **state) {
	static struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	struct udp_socket *broken = open_at("127.0.0.1", false, false);

	(void)state;
	received = 0;
	broken->receive = one_and_no_more;
	assert_int_equal(udp_recv(broken, chunks), 1);
	assert_true(system_wait(udp_fd(broken), 0));
	assert_int_equal(udp_recv(broken, chunks), BASE_E_IO);
	udp_close(broken);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_options),          cmocka_unit_test(test_nothing_is_coalesced),
	    cmocka_unit_test(test_no_shared_ports),  cmocka_unit_test(test_probe_is_honest),
	    cmocka_unit_test(test_room_is_reported), cmocka_unit_test(test_breaks_behind_a_datagram),
	    cmocka_unit_test(test_adapter_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
