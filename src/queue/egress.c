/* queue/egress.c: the fair queue. Knows no connection: whoever owns one asks for the next frame.
 *
 *   push: hash -> flow, made if need be -> entry at its tail; when full, drop at the head of the fattest
 *   peek: round of source peers -> round of that peer's flows -> age and CoDel at its head
 *   pop:  that head; only now its flow and its source have used some of their turn
 *
 * A flow or a source exists while it has frames, and one round longer. Each source has a spare flow in itself, for
 * frames that find no free slot. */
#include "queue/egress.h"

#include "base/error.h"
#include "base/list.h"
#include "queue/codel.h"
#include "queue/flow.h"
#include "queue/round.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES_MAX 64   /* with frames at the same time; more share */
#define FLOWS_OWN 4      /* of each source, whatever others do: its game and its download stay apart */
#define FLOWS_SHARED 256 /* on top of them, where the limits do not say */
#define FLOWS_SHARED_MAX 65536
#define FLOW_BUCKETS 256
#define SOURCE_BUCKETS 64

#define FRAME_BYTES 1522
/* Each frame leaves in a packet of its own: Ethernet 14, IPv4 20, UDP 8, QUIC 30. Turns and rates are in what the line
 * carries; in bytes of frames, who sends the smallest would get four fifths of it. */
#define AROUND_BYTES 72
/* Small frames get ahead of large ones with a quantum below the large one's size (RFC 8290 section 5.2.4); on a fast
 * line that saves nothing and costs turns. */
#define QUANTUM_SLOW (300 + AROUND_BYTES)
#define QUANTUM_FAST (FRAME_BYTES + AROUND_BYTES)
#define FAST_BYTES_PER_SECOND (100 * 1000 * 1000 / 8)
#define RATE_WINDOW_NS (20 * BASE_MS)

#define NO_ENTRY UINT32_MAX
#define PARTS 256 /* of the hashes in a spare flow */

struct entry {
	struct queue_frame *frame;
	uint64_t queued_at; /* ns */
	uint32_t next;
	uint8_t part; /* of its hash */
};

struct flow {
	struct queue_turn turn;
	struct source *source;
	struct flow *next; /* in its bucket, or among the free ones */
	uint64_t hash;
	uint32_t head, tail, frames;
	size_t bytes, weight; /* of its frames */
	struct queue_codel codel;
};

struct source {
	struct queue_turn turn;
	struct queue_round round; /* its flows */
	struct source *next;      /* in its bucket, or among the free ones */
	uint32_t peer;
	uint32_t flows, frames;
	size_t weight; /* of all its frames */
	struct flow spare;
};

/* Bytes that left in a time in which there was always more to send. */
struct rate {
	bool running;
	uint64_t since;
	uint64_t bytes;
	uint64_t per_second; /* 0: not known yet */
};

struct queue_egress {
	struct queue_egress_limits limits;
	uint64_t seed[2];
	struct queue_egress_stats stats;
	size_t frames, bytes; /* of all entries */
	size_t weight_min;    /* of a frame */
	struct flow *offered; /* its first frame is what peek returned; NULL when that has gone */
	struct rate rate;
	struct queue_round round; /* the sources */
	struct flow *flow_buckets[FLOW_BUCKETS];
	struct source *source_buckets[SOURCE_BUCKETS];
	/* Returned ones first, then those never used, in order. */
	struct flow *free_flows;
	struct source *free_sources;
	uint32_t fresh_flows, fresh_sources, fresh_entries, free_entries;
	uint32_t known_sources; /* whose spare_parts are in use, or zeros again */
	uint32_t shared_flows;  /* in use */
	struct entry *entries;  /* behind the slots: frames_max, and one for a frame that makes room for itself */
	struct source source_slots[SOURCES_MAX];
	uint32_t spare_parts[SOURCES_MAX][PARTS]; /* how many frames of each part wait in the source's spare flow */
	struct flow flow_slots[];                 /* FLOWS_OWN for each source, and those that are shared */
};

struct queue_egress *queue_egress_new(const struct queue_egress_limits *limits, const uint64_t seed[static 2]) {
	struct queue_egress *queue;
	uint32_t shared = limits->flows_shared_max > 0 ? limits->flows_shared_max : FLOWS_SHARED;
	size_t flows = (size_t)SOURCES_MAX * FLOWS_OWN + shared, bytes = sizeof(*queue) + flows * sizeof(struct flow);

	if (shared > FLOWS_SHARED_MAX || limits->frames_max >= NO_ENTRY - 1 ||
	    limits->frames_max + 1 > (SIZE_MAX - bytes) / sizeof(queue->entries[0]))
		return NULL;
	/* No calloc: slots and entries are written when they are first used. */
	queue = malloc(bytes + (limits->frames_max + 1) * sizeof(queue->entries[0]));
	if (queue == NULL)
		return NULL;
	memset(queue, 0, offsetof(struct queue_egress, source_slots));
	queue->limits = *limits;
	queue->limits.flows_shared_max = shared;
	queue->entries = (struct entry *)(void *)&queue->flow_slots[flows];
	queue->weight_min = limits->bytes_max / (limits->frames_max > 0 ? limits->frames_max : 1);
	memcpy(queue->seed, seed, sizeof(queue->seed));
	queue->free_entries = NO_ENTRY;
	queue_round_init(&queue->round);
	return queue;
}

void queue_egress_free(struct queue_egress *queue) {
	if (queue == NULL)
		return;
	queue_egress_flush(queue);
	free(queue);
}

/* --- what frames wait in --- */

static int32_t quantum(const struct queue_egress *queue) {
	return queue->rate.per_second < FAST_BYTES_PER_SECOND ? QUANTUM_SLOW : QUANTUM_FAST;
}

static void flow_init(struct flow *flow, struct source *source, uint64_t hash) {
	*flow = (struct flow){.source = source, .hash = hash, .head = NO_ENTRY, .tail = NO_ENTRY};
	queue_turn_init(&flow->turn);
}

static struct source *source_unused(struct queue_egress *queue) {
	uint32_t index = queue->fresh_sources++;

	if (index == queue->known_sources) {
		memset(queue->spare_parts[index], 0, sizeof(queue->spare_parts[index]));
		queue->known_sources++;
	}
	return &queue->source_slots[index];
}

static struct source *source_make(struct queue_egress *queue, uint32_t peer) {
	struct source **bucket = &queue->source_buckets[peer % SOURCE_BUCKETS];
	struct source *source = queue->free_sources;

	if (source != NULL)
		queue->free_sources = source->next;
	else if (queue->fresh_sources < SOURCES_MAX)
		source = source_unused(queue);
	else
		return &queue->source_slots[peer % SOURCES_MAX]; /* all are in use */
	*source = (struct source){.peer = peer, .next = *bucket};
	*bucket = source;
	queue_turn_init(&source->turn);
	queue_round_init(&source->round);
	flow_init(&source->spare, source, 0);
	return source;
}

static struct source *source_find(const struct queue_egress *queue, uint32_t peer) {
	struct source *source = queue->source_buckets[peer % SOURCE_BUCKETS];

	while (source != NULL && source->peer != peer)
		source = source->next;
	return source;
}

static void source_release(struct queue_egress *queue, struct source *source) {
	struct source **link = &queue->source_buckets[source->peer % SOURCE_BUCKETS];

	assert(source->flows == 0 && source->weight == 0);
	while (*link != source)
		link = &(*link)->next;
	*link = source->next;
	source->next = queue->free_sources;
	queue->free_sources = source;
}

/* How many frames of that part wait in the spare flow of the source; its own and those of guests are counted apart. */
static uint32_t *spare_part(struct queue_egress *queue, const struct source *source, uint32_t peer, uint8_t part) {
	return &queue->spare_parts[source - queue->source_slots][(part & 0xfe) + (source->peer == peer)];
}

/* Beyond its own, a source may hold no more slots than are left to all. */
static bool has_slot(const struct queue_egress *queue, const struct source *source) {
	return source->flows < FLOWS_OWN ||
	       source->flows - FLOWS_OWN < queue->limits.flows_shared_max - queue->shared_flows;
}

/* The flow of a frame. A flow that still has frames in a spare flow goes on there, to stay in order: in its own peer's,
 * else in that of the host, whose guest its peer was when all places were in use. So does, now and then, one with the
 * same part of the hash. */
static struct flow *flow_of(struct queue_egress *queue, uint32_t peer, uint64_t hash) {
	struct flow **bucket = &queue->flow_buckets[hash % FLOW_BUCKETS];
	struct source *source, *host = &queue->source_slots[peer % SOURCES_MAX];
	struct flow *flow = *bucket;

	while (flow != NULL && flow->hash != hash)
		flow = flow->next;
	if (flow != NULL)
		return flow;
	source = source_find(queue, peer);
	if (source != NULL && source->spare.frames > 0 && *spare_part(queue, source, peer, (uint8_t)hash) > 0)
		return &source->spare;
	if (queue->fresh_sources == SOURCES_MAX && *spare_part(queue, host, peer, (uint8_t)hash) > 0)
		return &host->spare;
	if (source == NULL)
		source = source_make(queue, peer);
	if (!has_slot(queue, source))
		return &source->spare;
	flow = queue->free_flows;
	if (flow != NULL)
		queue->free_flows = flow->next;
	else
		flow = &queue->flow_slots[queue->fresh_flows++];
	flow_init(flow, source, hash);
	flow->next = *bucket;
	*bucket = flow;
	if (source->flows >= FLOWS_OWN)
		queue->shared_flows++;
	source->flows++;
	return flow;
}

static void flow_release(struct queue_egress *queue, struct flow *flow) {
	struct flow **link = &queue->flow_buckets[flow->hash % FLOW_BUCKETS];

	assert(flow->frames == 0);
	if (flow == &flow->source->spare) {
		flow->codel = (struct queue_codel){0};
		return;
	}
	while (*link != flow)
		link = &(*link)->next;
	*link = flow->next;
	flow->next = queue->free_flows;
	queue->free_flows = flow;
	flow->source->flows--;
	if (flow->source->flows >= FLOWS_OWN)
		queue->shared_flows--;
}

/* --- frames in a flow --- */

/* How much of the queue's room a frame takes, where frames are limited as bytes are: else who fills it with small ones
 * would seem to hold little of it. */
static size_t weight_of(const struct queue_egress *queue, size_t len) {
	return len > queue->weight_min ? len : queue->weight_min;
}

static void append(struct queue_egress *queue, struct flow *flow, struct queue_frame *frame, uint8_t part,
                   uint64_t now) {
	uint32_t index = queue->free_entries;

	if (index != NO_ENTRY)
		queue->free_entries = queue->entries[index].next;
	else
		index = queue->fresh_entries++;
	queue->entries[index] =
	    (struct entry){.frame = queue_frame_ref(frame), .queued_at = now, .next = NO_ENTRY, .part = part};
	if (flow == &flow->source->spare)
		++*spare_part(queue, flow->source, frame->source_peer, part);
	if (flow->frames == 0)
		flow->head = index;
	else
		queue->entries[flow->tail].next = index;
	flow->tail = index;
	flow->frames++;
	flow->bytes += frame->len;
	flow->weight += weight_of(queue, frame->len);
	flow->source->weight += weight_of(queue, frame->len);
	flow->source->frames++;
	queue->frames++;
	queue->bytes += frame->len;
}

static void remove_head(struct queue_egress *queue, struct flow *flow) {
	uint32_t index = flow->head;
	struct entry *entry = &queue->entries[index];
	size_t len = entry->frame->len;

	assert(flow->frames > 0 && flow->bytes >= len); /* a queued frame must not change its length */
	if (flow == queue->offered)
		queue->offered = NULL;
	flow->head = entry->next;
	flow->frames--;
	if (flow == &flow->source->spare)
		--*spare_part(queue, flow->source, entry->frame->source_peer, entry->part);
	if (flow->frames == 0)
		queue_codel_empty(&flow->codel);
	flow->bytes -= len;
	flow->weight -= weight_of(queue, len);
	flow->source->weight -= weight_of(queue, len);
	flow->source->frames--;
	queue->frames--;
	queue->bytes -= len;
	/* A pause is no time in which there was more to send. */
	if (queue->frames == 0)
		queue->rate.running = false;
	queue_frame_unref(entry->frame);
	entry->next = queue->free_entries;
	queue->free_entries = index;
}

static void drop_head(struct queue_egress *queue, struct flow *flow, uint64_t *counter) {
	(*counter)++;
	remove_head(queue, flow);
}

static uint64_t waited(uint64_t queued_at, uint64_t now) {
	return now > queued_at ? now - queued_at : 0;
}

static bool head_is_aged(const struct queue_egress *queue, const struct flow *flow, uint64_t now) {
	return flow->frames > 0 && waited(queue->entries[flow->head].queued_at, now) > queue->limits.age_ns_max;
}

static void drop_aged(struct queue_egress *queue, struct flow *flow, uint64_t now) {
	while (head_is_aged(queue, flow, now))
		drop_head(queue, flow, &queue->stats.dropped_age);
}

/* --- in --- */

/* A look at every slot that was ever in use; free ones hold no frames. */
static struct flow *fattest(struct queue_egress *queue) {
	struct source *source = &queue->source_slots[0];
	struct flow *flow;

	for (uint32_t i = 1; i < queue->fresh_sources; i++) {
		if (queue->source_slots[i].weight > source->weight)
			source = &queue->source_slots[i];
	}
	flow = &source->spare;
	for (uint32_t i = 0; i < queue->fresh_flows; i++) {
		struct flow *other = &queue->flow_slots[i];

		if (other->source == source && other->weight > flow->weight)
			flow = other;
	}
	return flow;
}

static bool is_over(const struct queue_egress *queue) {
	return queue->frames > queue->limits.frames_max || queue->bytes > queue->limits.bytes_max;
}

int queue_egress_push(struct queue_egress *queue, struct queue_frame *frame, uint64_t now) {
	uint64_t hash;
	struct flow *flow;
	int result = 0;

	assert(frame->len > 0); /* it begins with a header */
	queue->stats.frames_in++;
	if (frame->len > queue->limits.bytes_max) {
		queue->stats.dropped_full++;
		return BASE_E_FULL;
	}
	hash = queue_flow_hash(queue->seed, frame->source_peer, queue_frame_bytes(frame));
	flow = flow_of(queue, frame->source_peer, hash);
	append(queue, flow, frame, (uint8_t)hash, now);
	queue_round_join(&flow->source->round, &flow->turn, quantum(queue));
	queue_round_join(&queue->round, &flow->source->turn, quantum(queue));
	while (is_over(queue)) {
		struct flow *victim = fattest(queue);

		if (victim == flow && flow->frames == 1)
			result = BASE_E_FULL;
		drop_head(queue, victim, &queue->stats.dropped_full);
	}
	return result;
}

/* --- out --- */

static void measure_rate(struct queue_egress *queue, size_t len, uint64_t now) {
	struct rate *rate = &queue->rate;

	if (rate->running) {
		rate->bytes += len + AROUND_BYTES;
		if (waited(rate->since, now) >= RATE_WINDOW_NS) {
			uint64_t sample = rate->bytes * BASE_SECOND / (now - rate->since);

			rate->per_second = rate->per_second == 0 ? sample : (3 * rate->per_second + sample) / 4;
			*rate = (struct rate){.running = true, .since = now, .per_second = rate->per_second};
		}
	} else {
		*rate = (struct rate){.running = true, .since = now, .per_second = rate->per_second};
	}
}

/* CoDel's target, which must not be shorter than two frames take (RFC 8289 section 4.4 asks for one). */
static uint64_t codel_target(const struct queue_egress *queue) {
	uint64_t rate = queue->rate.per_second;
	uint64_t two_frames = rate == 0 ? 0 : 2 * (FRAME_BYTES + AROUND_BYTES) * BASE_SECOND / rate;

	if (two_frames <= QUEUE_CODEL_TARGET_NS)
		return QUEUE_CODEL_TARGET_NS;
	return base_time_min(two_frames, QUEUE_CODEL_INTERVAL_NS);
}

/* Drops what nobody wants any more; true when a frame is left. */
static bool has_wanted(struct queue_egress *queue, struct flow *flow, uint64_t now) {
	uint64_t target = codel_target(queue);

	drop_aged(queue, flow, now);
	while (flow->frames > 0) {
		const struct entry *entry = &queue->entries[flow->head];
		bool alone = flow->bytes - entry->frame->len <= FRAME_BYTES;

		if (!queue_codel_drops(&flow->codel, waited(entry->queued_at, now), alone, target, now))
			return true;
		drop_head(queue, flow, &queue->stats.dropped_codel);
	}
	return false;
}

/* Nothing is in use: looks at every slot that was (fattest, queue_egress_age) are short again. */
static void forget_slots(struct queue_egress *queue) {
	assert(queue->frames == 0 && queue->shared_flows == 0);
	queue->free_flows = NULL;
	queue->free_sources = NULL;
	queue->free_entries = NO_ENTRY;
	queue->fresh_flows = queue->fresh_sources = queue->fresh_entries = 0;
}

/* Whose turn it is, or NULL. Whoever has nothing left when the turn comes leaves; so an empty queue ends up without
 * sources. */
static struct flow *choose(struct queue_egress *queue, uint64_t now) {
	int32_t credit = quantum(queue);
	struct queue_turn *turn;

	while ((turn = queue_round_first(&queue->round, credit)) != NULL) {
		struct source *source = BASE_CONTAINER(turn, struct source, turn);
		struct queue_turn *flow_turn = queue_round_first(&source->round, credit);
		struct flow *flow;

		if (flow_turn == NULL) {
			if (queue_round_leave(&queue->round, turn))
				source_release(queue, source);
			continue;
		}
		flow = BASE_CONTAINER(flow_turn, struct flow, turn);
		if (has_wanted(queue, flow, now))
			return flow;
		if (queue_round_leave(&source->round, flow_turn))
			flow_release(queue, flow);
	}
	forget_slots(queue);
	return NULL;
}

struct queue_frame *queue_egress_peek(struct queue_egress *queue, uint64_t now) {
	queue->offered = choose(queue, now);
	return queue_egress_offered(queue);
}

struct queue_frame *queue_egress_offered(const struct queue_egress *queue) {
	return queue->offered != NULL ? queue->entries[queue->offered->head].frame : NULL;
}

void queue_egress_pop(struct queue_egress *queue, uint64_t now) {
	struct flow *flow = queue->offered;
	uint16_t len;

	assert(flow != NULL);
	len = queue->entries[flow->head].frame->len;
	flow->turn.deficit -= len + AROUND_BYTES;
	flow->source->turn.deficit -= len + AROUND_BYTES;
	measure_rate(queue, len, now);
	queue->stats.frames_out++;
	remove_head(queue, flow);
}

void queue_egress_age(struct queue_egress *queue, uint64_t now) {
	if (queue->frames == 0)
		return;
	for (uint32_t i = 0; i < queue->fresh_flows; i++)
		drop_aged(queue, &queue->flow_slots[i], now);
	for (uint32_t i = 0; i < queue->fresh_sources; i++)
		drop_aged(queue, &queue->source_slots[i].spare, now);
}

void queue_egress_flush(struct queue_egress *queue) {
	uint64_t *counter = &queue->stats.dropped_flush;

	for (uint32_t i = 0; i < queue->fresh_flows; i++) {
		while (queue->flow_slots[i].frames > 0)
			drop_head(queue, &queue->flow_slots[i], counter);
	}
	for (uint32_t i = 0; i < queue->fresh_sources; i++) {
		while (queue->source_slots[i].spare.frames > 0)
			drop_head(queue, &queue->source_slots[i].spare, counter);
	}
}

bool queue_egress_empty(const struct queue_egress *queue) {
	return queue->frames == 0;
}

size_t queue_egress_bytes(const struct queue_egress *queue) {
	return queue->bytes;
}

size_t queue_egress_frames(const struct queue_egress *queue) {
	return queue->frames;
}

size_t queue_egress_frames_of(const struct queue_egress *queue, uint32_t source_peer) {
	const struct source *source = source_find(queue, source_peer);

	if (source == NULL && queue->free_sources == NULL && queue->fresh_sources == SOURCES_MAX)
		source = &queue->source_slots[source_peer % SOURCES_MAX];
	return source != NULL ? source->frames : 0;
}

const struct queue_egress_stats *queue_egress_stats(const struct queue_egress *queue) {
	return &queue->stats;
}
