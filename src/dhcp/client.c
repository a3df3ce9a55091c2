#include "dhcp/client.h"

#include "base/error.h"

/* RFC 2131 section 4.1 would begin with 4 s and go on to 64: somebody waits for the game. */
#define RETRY_FIRST_NS BASE_SECOND
#define RETRY_MAX_NS (16 * BASE_SECOND)
/* Unanswered so often, an offer or a lease of old is nobody's any more: it looks for servers. */
#define REQUESTS_MAX 4
/* After a refusal, so that a server which offers what it then refuses does not keep us busy. */
#define REFUSED_PAUSE_NS (2 * BASE_SECOND)
#define DECLINED_PAUSE_NS (10 * BASE_SECOND)  /* RFC 2131 section 3.1.5 */
#define RENEW_RETRY_MIN_NS (60 * BASE_SECOND) /* RFC 2131 section 4.4.5 */
/* RFC 5227 asks three times over several seconds; an answer has a round trip or two of the tunnel to come. */
#define PROBES 2
#define PROBE_NS (300 * BASE_MS)

void dhcp_client_init(struct dhcp_client *client, struct proto_mac mac, uint64_t seed, const struct dhcp_events *events,
                      void *user) {
	*client = (struct dhcp_client){.events = events, .user = user, .mac = mac, .at = BASE_NEVER};
	base_rng_init(&client->rng, seed);
}

/* A state begins, with what it does first due after `pause`. */
static void enter(struct dhcp_client *client, enum dhcp_state state, uint64_t pause, uint64_t now) {
	client->state = state;
	client->tries = 0;
	client->at = now + pause;
}

static void begin_exchange(struct dhcp_client *client, enum dhcp_state state, uint64_t pause, uint64_t now) {
	enter(client, state, pause, now);
	client->xid = (uint32_t)base_rng_next(&client->rng);
	client->begun_at = client->at;
}

/* ---- what it says ---- */

static void send_message(struct dhcp_client *client, const struct dhcp_message *message, uint64_t now) {
	uint8_t frame[DHCP_FRAME_BYTES];

	dhcp_message_frame(message, frame);
	client->events->send(client->user, slice_of(frame, sizeof(frame)), now);
}

static void send_arp(struct dhcp_client *client, uint32_t sender, uint32_t address, uint64_t now) {
	uint8_t frame[DHCP_ARP_FRAME_BYTES];

	dhcp_arp_frame(client->mac, sender, address, frame);
	client->events->send(client->user, slice_of(frame, sizeof(frame)), now);
}

/* RFC 2131 section 4.3.6 has the table of what a request says in which state. */
static void ask(struct dhcp_client *client, uint64_t now) {
	const uint64_t seconds = (now - client->begun_at) / BASE_SECOND;

	/* A relay agent may pass on by it, and both shall go to the same servers (RFC 2131 section 3.1.3). */
	if (client->state != DHCP_REQUESTING)
		client->seconds = seconds < UINT16_MAX ? (uint16_t)seconds : UINT16_MAX;
	struct dhcp_message message = {
	    .type = DHCP_REQUEST, .xid = client->xid, .seconds = client->seconds, .mac = client->mac};

	switch (client->state) {
	case DHCP_SELECTING:
		message.type = DHCP_DISCOVER;
		message.requested = client->has_lease ? client->lease.address : 0;
		break;
	case DHCP_REQUESTING:
		message.requested = client->offer.address;
		message.server = client->offer.server;
		break;
	case DHCP_REBOOTING:
		message.requested = client->lease.address;
		break;
	case DHCP_RENEWING:
		message.dest = client->lease.server;
		message.to = &client->lease.server_mac;
		message.own = client->lease.address;
		break;
	default:
		message.own = client->lease.address;
		break;
	}
	client->asked_at = now;
	send_message(client, &message, now);
}

static void give_back(struct dhcp_client *client, enum dhcp_type type, const struct dhcp_lease *lease, uint64_t now) {
	const bool held = type == DHCP_RELEASE;
	const struct dhcp_message message = {.type = type,
	                                     .xid = (uint32_t)base_rng_next(&client->rng),
	                                     .mac = client->mac,
	                                     .own = held ? lease->address : 0,
	                                     .requested = held ? 0 : lease->address,
	                                     .server = lease->server,
	                                     .dest = held ? lease->server : 0,
	                                     .to = held ? &lease->server_mac : NULL};

	send_message(client, &message, now);
}

/* ---- the lease ---- */

static uint64_t when(uint64_t asked_at, uint32_t lease_s, uint32_t seconds) {
	return lease_s == DHCP_FOREVER ? BASE_NEVER : asked_at + seconds * BASE_SECOND;
}

static struct dhcp_lease lease_of(const struct dhcp_answer *answer, uint64_t asked_at) {
	return (struct dhcp_lease){.address = answer->address,
	                           .server = answer->server,
	                           .server_mac = answer->from,
	                           .prefix = answer->prefix,
	                           .broadcast = answer->broadcast,
	                           .renew_at = when(asked_at, answer->lease_s, answer->renew_s),
	                           .rebind_at = when(asked_at, answer->lease_s, answer->rebind_s),
	                           .expires_at = when(asked_at, answer->lease_s, answer->lease_s)};
}

static void take(struct dhcp_client *client, const struct dhcp_lease *lease, uint64_t now) {
	client->lease = *lease;
	client->has_lease = true;
	client->state = DHCP_BOUND;
	client->at = lease->renew_at;
	if (client->events->leased(client->user, &client->lease, now))
		return;
	client->has_lease = false;
	begin_exchange(client, DHCP_SELECTING, DECLINED_PAUSE_NS, now);
}

static void lose(struct dhcp_client *client, const char *why, uint64_t now) {
	if (!client->has_lease)
		return;
	client->has_lease = false;
	client->events->lost(client->user, why, now);
}

/* ---- what it hears ---- */

static void on_offer(struct dhcp_client *client, const struct dhcp_answer *answer, uint64_t now) {
	if (client->state != DHCP_SELECTING)
		return;
	client->offer = lease_of(answer, now);
	enter(client, DHCP_REQUESTING, 0, now);
	dhcp_client_tick(client, now);
}

static void decline(struct dhcp_client *client, const char *why, uint64_t now) {
	give_back(client, DHCP_DECLINE, &client->offer, now);
	client->events->declined(client->user, client->offer.address, why, now);
	begin_exchange(client, DHCP_SELECTING, DECLINED_PAUSE_NS, now);
}

static void on_ack(struct dhcp_client *client, const struct dhcp_answer *answer, uint64_t now) {
	if (client->state == DHCP_REQUESTING &&
	    (answer->server != client->offer.server || answer->address != client->offer.address))
		return;
	const struct dhcp_lease lease = lease_of(answer, client->asked_at);
	if (lease.expires_at <= now)
		return;
	if (client->has_lease && client->lease.address == lease.address) {
		take(client, &lease, now);
		return;
	}
	client->offer = lease;
	const char *why = client->events->unfit(client->user, lease.address);
	if (why != NULL) {
		decline(client, why, now);
		return;
	}
	enter(client, DHCP_PROBING, 0, now);
	dhcp_client_tick(client, now);
}

static void on_nak(struct dhcp_client *client, const struct dhcp_answer *answer, uint64_t now) {
	if (client->state == DHCP_REQUESTING && answer->server != client->offer.server)
		return;
	/* A refused offer says nothing of a lease that is not confirmed yet. */
	if (client->state != DHCP_REQUESTING || client->offer.address == client->lease.address)
		lose(client, "the server refused it", now);
	begin_exchange(client, DHCP_SELECTING, REFUSED_PAUSE_NS, now);
}

static bool has_asked(const struct dhcp_client *client) {
	switch (client->state) {
	case DHCP_REQUESTING:
	case DHCP_REBOOTING:
	case DHCP_RENEWING:
	case DHCP_REBINDING:
		return true;
	default:
		return false;
	}
}

bool dhcp_client_frame(struct dhcp_client *client, struct slice frame, uint64_t now) {
	struct dhcp_answer answer;

	if (client->state == DHCP_STOPPED)
		return false;
	if (client->state == DHCP_PROBING && dhcp_arp_contests(frame, client->mac, client->offer.address)) {
		decline(client, "another machine of the LAN has it", now);
		return false;
	}
	if (dhcp_answer_parse(frame, client->mac, &answer) < 0)
		return false;
	if (answer.xid != client->xid)
		return true;
	if (answer.type == DHCP_OFFER)
		on_offer(client, &answer, now);
	else if (has_asked(client) && answer.type == DHCP_ACK)
		on_ack(client, &answer, now);
	else if (has_asked(client))
		on_nak(client, &answer, now);
	return true;
}

/* ---- time ---- */

/* 1, 2, 4 ... 16 s, an eighth more or less. */
static uint64_t backoff(struct dhcp_client *client) {
	const unsigned doublings = client->tries < 4 ? client->tries : 4;
	const uint64_t base = base_time_min(RETRY_FIRST_NS << doublings, RETRY_MAX_NS);

	client->tries++;
	return base - base / 8 + base_rng_below(&client->rng, base / 4);
}

/* Half of the time that is left, but not more often than each minute. */
static uint64_t half_until(uint64_t end, uint64_t now) {
	const uint64_t half = end > now ? (end - now) / 2 : 0;

	return now + (half > RENEW_RETRY_MIN_NS ? half : RENEW_RETRY_MIN_NS);
}

static void probe_or_take(struct dhcp_client *client, uint64_t now) {
	if (client->tries++ < PROBES) {
		send_arp(client, 0, client->offer.address, now);
		client->at = now + PROBE_NS;
		return;
	}
	const struct dhcp_lease lease = client->offer;
	if (lease.expires_at <= now) { /* this machine was busy with something else for that long */
		begin_exchange(client, DHCP_SELECTING, 0, now);
		dhcp_client_tick(client, now);
		return;
	}
	take(client, &lease, now);
	if (client->state == DHCP_BOUND)
		send_arp(client, lease.address, lease.address, now); /* for those who remember who had it before */
}

static void renew(struct dhcp_client *client, uint64_t now) {
	const bool rebind = now >= client->lease.rebind_at;

	if (client->state == DHCP_BOUND)
		begin_exchange(client, DHCP_RENEWING, 0, now);
	if (rebind)
		client->state = DHCP_REBINDING;
	ask(client, now);
	client->at = rebind ? half_until(client->lease.expires_at, now)
	                    : base_time_min(half_until(client->lease.rebind_at, now), client->lease.rebind_at);
}

static void do_what_is_due(struct dhcp_client *client, uint64_t now) {
	switch (client->state) {
	case DHCP_SELECTING:
	case DHCP_REQUESTING:
	case DHCP_REBOOTING:
		if (client->state != DHCP_SELECTING && client->tries == REQUESTS_MAX)
			begin_exchange(client, DHCP_SELECTING, 0, now);
		ask(client, now);
		client->at = now + backoff(client);
		break;
	case DHCP_PROBING:
		probe_or_take(client, now);
		break;
	case DHCP_BOUND:
	case DHCP_RENEWING:
	case DHCP_REBINDING:
		renew(client, now);
		break;
	default:
		client->at = BASE_NEVER;
		break;
	}
}

void dhcp_client_tick(struct dhcp_client *client, uint64_t now) {
	if (client->has_lease && client->lease.expires_at <= now) {
		const bool goes_on = client->state == DHCP_REQUESTING || client->state == DHCP_PROBING;
		lose(client, "it ended", now);
		if (client->state != DHCP_STOPPED && client->state != DHCP_SELECTING && !goes_on)
			begin_exchange(client, DHCP_SELECTING, 0, now);
	}
	if (client->at <= now)
		do_what_is_due(client, now);
}

uint64_t dhcp_client_deadline(const struct dhcp_client *client) {
	return client->has_lease ? base_time_min(client->at, client->lease.expires_at) : client->at;
}

/* ---- start and end ---- */

void dhcp_client_start(struct dhcp_client *client, uint64_t now) {
	begin_exchange(client, client->has_lease ? DHCP_REBOOTING : DHCP_SELECTING, 0, now);
	dhcp_client_tick(client, now);
}

void dhcp_client_stop(struct dhcp_client *client) {
	client->state = DHCP_STOPPED;
	client->at = BASE_NEVER;
}

void dhcp_client_release(struct dhcp_client *client, uint64_t now) {
	if (client->has_lease && client->state != DHCP_STOPPED)
		give_back(client, DHCP_RELEASE, &client->lease, now);
	client->has_lease = false;
	dhcp_client_stop(client);
}
