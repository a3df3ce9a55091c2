/* bench/micro/main.c: runs the cases.
 *
 *     bench-micro                     ns per frame of each case: median and best of many short runs, as JSON lines
 *     bench-micro NAME                the cases whose names contain NAME
 *     bench-micro NAME FRAMES         that many frames once, nothing printed: for callgrind (bench/micro/run), which
 *                                     collects inside of micro_measured only */
#include "bench/micro/micro.h"
#include "quic/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 41
#define RUN_NS UINT64_C(2000000)
#define WARM_FRAMES 64
#define FRAMES_MAX 10000000

_Noreturn void micro_die(const char *what) {
	fprintf(stderr, "bench-micro: %s\n", what);
	exit(1);
}

static uint64_t clock_now(void) {
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Not inlined, so that callgrind can be told to look only here. */
__attribute__((noinline)) void micro_measured(const struct micro_case *it, void *state, size_t frames);

void micro_measured(const struct micro_case *it, void *state, size_t frames) {
	it->run(state, frames);
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void time_case(const struct micro_case *it) {
	void *state = it->open(it);
	size_t frames = WARM_FRAMES;
	double ns[RUNS];
	uint64_t began, took = 0;

	for (; took < RUN_NS && frames < FRAMES_MAX; frames *= 2) {
		began = clock_now();
		micro_measured(it, state, frames);
		took = clock_now() - began;
	}
	for (size_t i = 0; i < RUNS; i++) {
		began = clock_now();
		micro_measured(it, state, frames);
		ns[i] = (double)(clock_now() - began) / (double)frames;
	}
	qsort(ns, RUNS, sizeof(ns[0]), compare);
	printf("{\"name\": \"%s\", \"ns\": %.1f, \"best_ns\": %.1f", it->name, ns[RUNS / 2], ns[0]);
	if (it->aside != NULL)
		printf(", \"aside\": \"%.3f %s\"", it->aside(state), it->aside_text);
	printf("}\n");
	fflush(stdout);
	it->close(state);
}

static void count_case(const struct micro_case *it, size_t frames) {
	void *state = it->open(it);

	it->run(state, WARM_FRAMES);
	micro_measured(it, state, frames);
	it->close(state);
}

int main(int argc, char **argv) {
	static const struct micro_case *const lists[] = {micro_frame_cases, micro_relay_cases, micro_quic_cases};
	const char *part = argc > 1 ? argv[1] : "";
	size_t frames = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, found = 0;

	if (argc > 3 || (argc > 2 && frames == 0) || quic_global_init() != 0) {
		fprintf(stderr, "usage: bench-micro [NAME [FRAMES]]\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct micro_case *it = lists[i]; it->name != NULL; it++) {
			if (strstr(it->name, part) == NULL)
				continue;
			found++;
			if (frames > 0)
				count_case(it, frames);
			else
				time_case(it);
		}
	}
	quic_global_done();
	if (found == 0)
		fprintf(stderr, "bench-micro: no case's name contains '%s'\n", part);
	return found == 0;
}
