#include "dhcp/client.h"

#include "base/error.h"
#include "tests/dhcp/server.h"
#include "tests/unit.h"

#define START (1000 * BASE_SECOND)
#define OTHER_SERVER_IP UINT32_C(0xc0a84d02)
#define LEASE_S 3600

static const struct proto_mac mac = {{2, 0x4c, 0x50, 0, 0, 1}}, other_mac = {{2, 0, 0, 0, 0, 9}};

/* One client and the LAN that it speaks to. */
struct world {
	uint64_t now;
	struct dhcp_client client;
	unsigned sent, arps;            /* messages of DHCP, and of ARP */
	uint8_t last[DHCP_FRAME_BYTES]; /* of DHCP */
	uint32_t arp_sender, arp_target;
	unsigned leased, lost, declined;
	const char *unfit; /* what is said of every address */
	bool cannot_set;
	struct dhcp_lease lease;
};

static void on_send(void *user, struct slice frame, uint64_t now) {
	struct world *world = user;

	assert_int_equal(now, world->now);
	if (frame.len == DHCP_ARP_FRAME_BYTES) {
		world->arps++;
		world->arp_sender = base_get_u32(frame.data + 28);
		world->arp_target = base_get_u32(frame.data + 38);
		return;
	}
	assert_int_equal(frame.len, sizeof(world->last));
	world->sent++;
	memcpy(world->last, frame.data, frame.len);
}

static const char *unfit(void *user, uint32_t address) {
	(void)address;
	return ((const struct world *)user)->unfit;
}

static bool on_leased(void *user, const struct dhcp_lease *lease, uint64_t now) {
	struct world *world = user;

	(void)now;
	if (world->cannot_set)
		return false;
	world->leased++;
	world->lease = *lease;
	return true;
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct world *world = user;

	(void)now;
	assert_non_null(why);
	world->lost++;
}

static void on_declined(void *user, uint32_t address, const char *why, uint64_t now) {
	struct world *world = user;

	(void)now;
	assert_non_null(why);
	assert_int_equal(address, OFFERED);
	world->declined++;
}

static const struct dhcp_events events = {
    .send = on_send, .unfit = unfit, .leased = on_leased, .lost = on_lost, .declined = on_declined};

static void begin(struct world *world) {
	*world = (struct world){.now = START};
	dhcp_client_init(&world->client, mac, 1, &events, world);
	assert_int_equal(dhcp_client_deadline(&world->client), BASE_NEVER);
	dhcp_client_start(&world->client, world->now);
}

static uint8_t said(const struct world *world) {
	return world->last[AT_OPTIONS + 2]; /* the type is the first option */
}

/* What the last message says in an option of four bytes; 0 without. */
static uint32_t option(const struct world *world, uint8_t wanted) {
	const uint8_t *at = world->last + AT_OPTIONS;

	while (at[0] != 255) {
		if (at[0] == wanted)
			return base_get_u32(at + 2);
		at += 2 + at[1];
	}
	return 0;
}

static bool answer_as(struct world *world, enum dhcp_type type, uint32_t address, uint32_t server, uint32_t lease) {
	struct server_answer answer = {.type = type,
	                               .xid = base_get_u32(world->last + AT_XID),
	                               .mac = mac,
	                               .address = address,
	                               .server = server,
	                               .mask = MASK_24,
	                               .lease = lease};

	server_build(&answer);
	return dhcp_client_frame(&world->client, slice_of(answer.frame, answer.len), world->now);
}

static void answer(struct world *world, enum dhcp_type type) {
	assert_true(answer_as(world, type, OFFERED, SERVER_IP, LEASE_S));
}

static void arp(struct world *world, struct proto_mac sender_mac, uint32_t sender, uint32_t target) {
	uint8_t frame[DHCP_ARP_FRAME_BYTES];

	dhcp_arp_frame(sender_mac, sender, target, frame);
	assert_false(dhcp_client_frame(&world->client, slice_of(frame, sizeof(frame)), world->now));
}

/* To the next deadline. */
static void step(struct world *world) {
	const uint64_t deadline = dhcp_client_deadline(&world->client);

	assert_true(deadline > world->now && deadline != BASE_NEVER);
	world->now = deadline;
	dhcp_client_tick(&world->client, world->now);
}

static void bind_lease(struct world *world) {
	answer(world, DHCP_OFFER);
	assert_int_equal(said(world), DHCP_REQUEST);
	answer(world, DHCP_ACK);
	while (world->client.state == DHCP_PROBING)
		step(world);
	assert_int_equal(world->client.state, DHCP_BOUND);
}

static void begin_bound(struct world *world) {
	begin(world);
	bind_lease(world);
}

static void lan_again(struct world *world) {
	dhcp_client_stop(&world->client);
	dhcp_client_start(&world->client, world->now);
}

/* --- getting one --- */

static void test_a_lease(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	assert_int_equal(world.sent, 1);
	assert_int_equal(said(&world), DHCP_DISCOVER);
	assert_int_equal(option(&world, 50), 0);
	answer(&world, DHCP_OFFER);
	assert_int_equal(said(&world), DHCP_REQUEST);
	assert_int_equal(option(&world, 50), OFFERED);
	assert_int_equal(option(&world, 54), SERVER_IP);
	assert_int_equal(base_get_u32(world.last + AT_CIADDR), 0);
	world.now += 20 * BASE_MS;
	answer(&world, DHCP_ACK);
	assert_int_equal(world.leased, 0); /* not before the LAN was asked */
	assert_int_equal(world.arps, 1);
	assert_int_equal(world.arp_sender, 0);
	assert_int_equal(world.arp_target, OFFERED);
	step(&world);
	assert_int_equal(world.arps, 2);
	assert_int_equal(world.leased, 0);
	step(&world);
	assert_int_equal(world.leased, 1);
	assert_int_equal(world.arps, 3);
	assert_int_equal(world.arp_sender, OFFERED);
	assert_int_equal(world.lease.address, OFFERED);
	assert_int_equal(world.lease.prefix, 24);
	/* It counts from the request, not from its answer (RFC 2131 section 4.4.1). */
	assert_int_equal(world.lease.expires_at, START + LEASE_S * BASE_SECOND);
	assert_int_equal(dhcp_client_deadline(&world.client), START + LEASE_S / 2 * BASE_SECOND);
	assert_int_equal(world.sent, 2);
}

static void test_nobody_answers(void **state) {
	struct world world;
	uint64_t before = START;

	(void)state;
	begin(&world);
	for (unsigned i = 0; i < 8; i++) {
		const uint64_t pause = (i < 4 ? 1U << i : 16) * BASE_SECOND;

		step(&world);
		assert_in_range(world.now - before, pause - pause / 8, pause + pause / 8);
		assert_int_equal(world.sent, i + 2);
		assert_int_equal(said(&world), DHCP_DISCOVER);
		assert_int_equal(base_get_u16(world.last + AT_BOOTP + 8), (world.now - START) / BASE_SECOND);
		before = world.now;
	}
}

static void test_the_server_falls_silent(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	step(&world);
	step(&world);
	const uint16_t seconds = base_get_u16(world.last + AT_BOOTP + 8);
	assert_true(seconds > 0);
	world.now += BASE_SECOND;
	answer(&world, DHCP_OFFER);
	for (unsigned i = 0; i < 3; i++) {
		step(&world);
		assert_int_equal(said(&world), DHCP_REQUEST);
		assert_int_equal(base_get_u16(world.last + AT_BOOTP + 8), seconds);
	}
	step(&world);
	assert_int_equal(said(&world), DHCP_DISCOVER);
	bind_lease(&world);
}

static void test_what_is_not_meant_is_not_taken(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	const uint32_t xid = base_get_u32(world.last + AT_XID);
	answer(&world, DHCP_ACK); /* without a request */
	answer(&world, DHCP_NAK);
	base_put_u32(world.last + AT_XID, xid + 1);
	answer(&world, DHCP_OFFER); /* to another question */
	assert_int_equal(world.client.state, DHCP_SELECTING);
	assert_int_equal(world.sent, 1);
	base_put_u32(world.last + AT_XID, xid);
	answer(&world, DHCP_OFFER);
	assert_true(answer_as(&world, DHCP_OFFER, OFFERED + 1, OTHER_SERVER_IP, LEASE_S));
	assert_true(answer_as(&world, DHCP_ACK, OFFERED, OTHER_SERVER_IP, LEASE_S));
	assert_true(answer_as(&world, DHCP_ACK, OFFERED + 1, SERVER_IP, LEASE_S));
	assert_true(answer_as(&world, DHCP_NAK, 0, OTHER_SERVER_IP, 0));
	assert_int_equal(world.client.state, DHCP_REQUESTING);
	assert_int_equal(world.sent, 2);
	dhcp_client_stop(&world.client);
	assert_false(answer_as(&world, DHCP_ACK, OFFERED, SERVER_IP, LEASE_S));
	assert_int_equal(dhcp_client_deadline(&world.client), BASE_NEVER);
}

static void test_a_refusal_is_not_answered_at_once(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	answer(&world, DHCP_OFFER);
	answer(&world, DHCP_NAK);
	assert_int_equal(world.sent, 2);
	assert_int_equal(dhcp_client_deadline(&world.client), START + 2 * BASE_SECOND);
	step(&world);
	assert_int_equal(said(&world), DHCP_DISCOVER);
	assert_int_equal(world.lost, 0);
	bind_lease(&world);
}

static void test_somebody_has_the_address(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	answer(&world, DHCP_OFFER);
	arp(&world, other_mac, OFFERED, SERVER_IP); /* too early to be of interest */
	answer(&world, DHCP_ACK);
	arp(&world, mac, OFFERED, OFFERED);
	arp(&world, other_mac, OFFERED + 1, OFFERED);
	assert_int_equal(world.declined, 0);
	step(&world);
	arp(&world, other_mac, OFFERED, SERVER_IP);
	assert_int_equal(world.declined, 1);
	assert_int_equal(said(&world), DHCP_DECLINE);
	assert_int_equal(option(&world, 50), OFFERED);
	assert_int_equal(option(&world, 54), SERVER_IP);
	assert_int_equal(base_get_u32(world.last + AT_CIADDR), 0);
	assert_int_equal(dhcp_client_deadline(&world.client), world.now + 10 * BASE_SECOND);
	step(&world);
	assert_int_equal(said(&world), DHCP_DISCOVER);
	assert_int_equal(world.leased, 0);
	bind_lease(&world);
}

static void test_an_address_that_we_cannot_use(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	world.unfit = "it is the relay's";
	answer(&world, DHCP_OFFER);
	answer(&world, DHCP_ACK);
	assert_int_equal(world.declined, 1);
	assert_int_equal(said(&world), DHCP_DECLINE);
	assert_int_equal(world.arps, 0);
	world.unfit = NULL;
	step(&world);
	bind_lease(&world);
	assert_int_equal(world.leased, 1);
}

static void test_an_address_that_cannot_be_set(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	world.cannot_set = true;
	answer(&world, DHCP_OFFER);
	answer(&world, DHCP_ACK);
	while (world.client.state == DHCP_PROBING)
		step(&world);
	assert_int_equal(world.client.state, DHCP_SELECTING);
	assert_int_equal(world.arps, 2); /* not announced */
	world.cannot_set = false;
	step(&world);
	bind_lease(&world);
	assert_int_equal(world.leased, 1);
}

/* --- keeping it --- */

static void test_renewal(void **state) {
	struct world world;

	(void)state;
	begin_bound(&world);
	step(&world);
	assert_int_equal(world.now, START + 1800 * BASE_SECOND);
	assert_int_equal(said(&world), DHCP_REQUEST);
	assert_memory_equal(world.last, server_mac.b, PROTO_MAC_BYTES);
	assert_int_equal(base_get_u32(world.last + AT_IP_DEST), SERVER_IP);
	assert_int_equal(base_get_u32(world.last + AT_IP_SOURCE), OFFERED);
	assert_int_equal(base_get_u32(world.last + AT_CIADDR), OFFERED);
	assert_int_equal(option(&world, 50), 0);
	assert_int_equal(option(&world, 54), 0);
	const unsigned arps = world.arps;
	answer(&world, DHCP_ACK);
	assert_int_equal(world.leased, 2);
	assert_int_equal(world.arps, arps); /* nobody else can have it */
	assert_int_equal(world.lease.expires_at, START + (1800 + LEASE_S) * BASE_SECOND);
}

static void test_rebinding_and_the_end(void **state) {
	struct world world;
	unsigned unicasts = 0, broadcasts = 0;

	(void)state;
	begin_bound(&world);
	while (world.lost == 0) {
		step(&world);
		if (said(&world) != DHCP_REQUEST)
			break;
		assert_int_equal(base_get_u32(world.last + AT_CIADDR), OFFERED);
		if (base_get_u32(world.last + AT_IP_DEST) == UINT32_MAX)
			broadcasts++;
		else
			unicasts++;
		/* T2 is at 3150 s. */
		assert_int_equal(base_get_u32(world.last + AT_IP_DEST) == UINT32_MAX, world.now >= START + 3150 * BASE_SECOND);
	}
	assert_int_equal(world.now, START + LEASE_S * BASE_SECOND);
	assert_int_equal(world.lost, 1);
	assert_int_equal(said(&world), DHCP_DISCOVER);
	assert_in_range(unicasts, 2, 6); /* after 0, 675, 337 ... s */
	assert_in_range(broadcasts, 2, 4);
	bind_lease(&world);
	assert_int_equal(world.leased, 2);
}

static void test_refused_while_renewing(void **state) {
	struct world world;

	(void)state;
	begin_bound(&world);
	step(&world);
	answer(&world, DHCP_NAK);
	assert_int_equal(world.lost, 1);
	step(&world);
	assert_int_equal(said(&world), DHCP_DISCOVER);
	assert_int_equal(option(&world, 50), 0);
}

static void test_for_ever(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	answer(&world, DHCP_OFFER);
	assert_true(answer_as(&world, DHCP_ACK, OFFERED, SERVER_IP, DHCP_FOREVER));
	while (world.client.state == DHCP_PROBING)
		step(&world);
	assert_int_equal(world.lease.expires_at, BASE_NEVER);
	assert_int_equal(dhcp_client_deadline(&world.client), BASE_NEVER);
}

/* A process that was stopped, or a virtual machine. */
static void test_an_answer_that_is_too_old(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	answer(&world, DHCP_OFFER);
	world.now += LEASE_S * BASE_SECOND;
	answer(&world, DHCP_ACK);
	assert_int_equal(world.client.state, DHCP_REQUESTING);
	dhcp_client_tick(&world.client, world.now);
	answer(&world, DHCP_ACK);
	assert_int_equal(world.client.state, DHCP_PROBING);
	world.now += LEASE_S * BASE_SECOND;
	for (unsigned i = 0; world.client.state == DHCP_PROBING; i++) {
		assert_true(i < 3);
		dhcp_client_tick(&world.client, world.now);
		world.now += BASE_SECOND;
	}
	assert_int_equal(world.leased, 0);
	assert_int_equal(said(&world), DHCP_DISCOVER);
}

/* --- the LAN goes and comes --- */

static void test_the_same_lan_again(void **state) {
	struct world world;

	(void)state;
	begin_bound(&world);
	dhcp_client_stop(&world.client);
	assert_int_equal(dhcp_client_deadline(&world.client), world.lease.expires_at);
	world.now += 60 * BASE_SECOND;
	dhcp_client_start(&world.client, world.now);
	assert_int_equal(said(&world), DHCP_REQUEST);
	assert_int_equal(base_get_u32(world.last + AT_IP_DEST), UINT32_MAX);
	assert_int_equal(base_get_u32(world.last + AT_CIADDR), 0);
	assert_int_equal(option(&world, 50), OFFERED);
	assert_int_equal(option(&world, 54), 0);
	const unsigned arps = world.arps;
	answer(&world, DHCP_ACK);
	assert_int_equal(world.client.state, DHCP_BOUND);
	assert_int_equal(world.leased, 2);
	assert_int_equal(world.arps, arps);
	assert_int_equal(world.lost, 0);
}

static void test_another_lan(void **state) {
	struct world world;

	(void)state;
	begin_bound(&world);
	lan_again(&world);
	answer(&world, DHCP_NAK);
	assert_int_equal(world.lost, 1);
	step(&world);
	bind_lease(&world);
	assert_int_equal(world.leased, 2);
}

/* A server that does not know the lease says nothing (RFC 2131 section 4.3.2): it stays until there is another. */
static void test_a_server_that_does_not_know_it(void **state) {
	struct world world;

	(void)state;
	begin_bound(&world);
	lan_again(&world);
	for (unsigned i = 0; i < 3; i++)
		step(&world);
	assert_int_equal(said(&world), DHCP_REQUEST);
	step(&world);
	assert_int_equal(said(&world), DHCP_DISCOVER);
	assert_int_equal(option(&world, 50), OFFERED);
	assert_int_equal(world.lost, 0);
	assert_true(answer_as(&world, DHCP_OFFER, OFFERED + 1, OTHER_SERVER_IP, LEASE_S));
	assert_true(answer_as(&world, DHCP_NAK, 0, OTHER_SERVER_IP, 0)); /* of its own offer, not of our lease */
	assert_int_equal(world.lost, 0);
	step(&world);
	assert_true(answer_as(&world, DHCP_OFFER, OFFERED + 1, OTHER_SERVER_IP, LEASE_S));
	assert_true(answer_as(&world, DHCP_ACK, OFFERED + 1, OTHER_SERVER_IP, LEASE_S));
	while (world.client.state == DHCP_PROBING)
		step(&world);
	assert_int_equal(world.leased, 2);
	assert_int_equal(world.lease.address, OFFERED + 1);
	assert_int_equal(world.lost, 0);
}

static void test_it_ends_meanwhile(void **state) {
	struct world world;

	(void)state;
	begin_bound(&world);
	dhcp_client_stop(&world.client);
	const unsigned sent = world.sent;
	step(&world);
	assert_int_equal(world.lost, 1);
	assert_int_equal(world.sent, sent); /* no LAN, no word */
	assert_int_equal(dhcp_client_deadline(&world.client), BASE_NEVER);
	dhcp_client_start(&world.client, world.now);
	assert_int_equal(said(&world), DHCP_DISCOVER);
}

static void test_release(void **state) {
	struct world world;

	(void)state;
	begin(&world);
	dhcp_client_release(&world.client, world.now);
	assert_int_equal(said(&world), DHCP_DISCOVER); /* nothing to give back */
	dhcp_client_start(&world.client, world.now);
	bind_lease(&world);
	dhcp_client_release(&world.client, world.now);
	assert_int_equal(said(&world), DHCP_RELEASE);
	assert_memory_equal(world.last, server_mac.b, PROTO_MAC_BYTES);
	assert_int_equal(base_get_u32(world.last + AT_CIADDR), OFFERED);
	assert_int_equal(option(&world, 54), SERVER_IP);
	assert_int_equal(dhcp_client_deadline(&world.client), BASE_NEVER);
	assert_int_equal(world.lost, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_lease),
	    cmocka_unit_test(test_nobody_answers),
	    cmocka_unit_test(test_the_server_falls_silent),
	    cmocka_unit_test(test_what_is_not_meant_is_not_taken),
	    cmocka_unit_test(test_a_refusal_is_not_answered_at_once),
	    cmocka_unit_test(test_somebody_has_the_address),
	    cmocka_unit_test(test_an_address_that_we_cannot_use),
	    cmocka_unit_test(test_an_address_that_cannot_be_set),
	    cmocka_unit_test(test_renewal),
	    cmocka_unit_test(test_rebinding_and_the_end),
	    cmocka_unit_test(test_refused_while_renewing),
	    cmocka_unit_test(test_for_ever),
	    cmocka_unit_test(test_an_answer_that_is_too_old),
	    cmocka_unit_test(test_the_same_lan_again),
	    cmocka_unit_test(test_another_lan),
	    cmocka_unit_test(test_a_server_that_does_not_know_it),
	    cmocka_unit_test(test_it_ends_meanwhile),
	    cmocka_unit_test(test_release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
