/* bench/micro_seal.c: what it costs to seal and to open one packet, and to make one header mask, by library and cipher.
 *
 *     bench-micro-seal                                prints a table: nanoseconds, medians of rounds in which all take
 * turns bench-micro-seal LIBRARY CIPHER BYTES what COUNT    does one thing only (seal, open, mask), to count
 * instructions: for n in 1000 2000; do valgrind --tool=callgrind --callgrind-out-file=/dev/null bench-micro-seal gnutls
 * 0 1400 seal $n; done (the difference by 1000; valgrind knows AVX2 but not AVX-512, and so libipsec-mb uses less than
 * it could) */
#include "seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 15
#define ROUND_PACKETS 20000
#define BYTES_MAX 1472
#define AAD_BYTES 13 /* first byte, connection ID, packet number */

static const char *const suite_names[SEAL_SUITES] = {"AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305"};
static const char *const what_names[] = {"seal", "open", "mask"};
enum what { SEAL, OPEN, MASK };

struct job {
	struct seal_key *key;
	struct seal_mask *mask;
	enum what what;
	size_t bytes;
	uint8_t nonce[SEAL_NONCE_BYTES], aad[AAD_BYTES];
	uint8_t plain[BYTES_MAX + SEAL_TAG_BYTES], sealed[BYTES_MAX + SEAL_TAG_BYTES];
};

static _Noreturn void die(const char *text) {
	fprintf(stderr, "micro-seal: %s\n", text);
	exit(1);
}

static void job_init(struct job *job, const struct seal_backend *backend, enum seal_suite suite, enum what what,
                     size_t bytes) {
	uint8_t key[SEAL_KEY_BYTES_MAX];

	*job = (struct job){.what = what, .bytes = bytes};
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 1);
	if (seal_key_new(backend, suite, key, &job->key) != 0 || seal_mask_new(backend, suite, key, &job->mask) != 0 ||
	    !seal_key_seal(job->key, job->nonce, slice_of(job->aad, AAD_BYTES), slice_of(job->plain, bytes), job->sealed))
		die("no key");
}

static void job_done(struct job *job) {
	seal_key_free(job->key);
	seal_mask_free(job->mask);
}

/* As ngtcp2 does it: sealed in place with a new nonce, opened into another buffer. */
static void job_run(struct job *job, unsigned count) {
	struct slice aad = slice_of(job->aad, AAD_BYTES);
	bool good = true;

	for (unsigned i = 0; i < count; i++) {
		switch (job->what) {
		case SEAL:
			memcpy(job->nonce, &i, sizeof(i));
			good &= seal_key_seal(job->key, job->nonce, aad, slice_of(job->plain, job->bytes), job->plain);
			break;
		case OPEN:
			good &= seal_key_open(job->key, job->nonce, aad, slice_of(job->sealed, job->bytes + SEAL_TAG_BYTES),
			                      job->plain);
			break;
		case MASK:
			good &= seal_mask_make(job->mask, job->sealed, job->nonce);
			break;
		}
	}
	if (!good)
		die("a packet was not protected");
}

static double clock_ns(void) {
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b) {
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values) {
	qsort(values, ROUNDS, sizeof(values[0]), compare);
	return values[ROUNDS / 2];
}

/* One row: all libraries take turns. */
static void measure(struct seal_backend *const *backends, size_t count, enum seal_suite suite, enum what what,
                    size_t bytes) {
	static struct job jobs[2];
	static double found[2][ROUNDS];

	for (size_t b = 0; b < count; b++)
		job_init(&jobs[b], backends[b], suite, what, bytes);
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t b = 0; b < count; b++) {
			double start = clock_ns();

			job_run(&jobs[b], ROUND_PACKETS);
			found[b][round] = (clock_ns() - start) / ROUND_PACKETS;
		}
	}
	printf("| %s | %s %zu |", suite_names[suite], what_names[what], bytes);
	for (size_t b = 0; b < count; b++)
		printf(" %.1f |", median(found[b]));
	if (count > 1)
		printf(" %.1f |", median(found[0]) / median(found[1]));
	printf("\n");
	for (size_t b = 0; b < count; b++)
		job_done(&jobs[b]);
}

static void table(struct seal_backend *const *backends, size_t count) {
	static const struct {
		enum what what;
		size_t bytes;
	} rows[] = {{SEAL, 200}, {OPEN, 200}, {SEAL, 1400}, {OPEN, 1400}, {MASK, SEAL_SAMPLE_BYTES}};

	printf("| ns | bytes |");
	for (size_t b = 0; b < count; b++)
		printf(" %s |", seal_backend_name(backends[b]));
	printf("%s\n|---|---|---|%s\n", count > 1 ? " ratio |" : "", count > 1 ? "---|---|" : "");
	for (int suite = 0; suite < SEAL_SUITES; suite++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			measure(backends, count, (enum seal_suite)suite, rows[i].what, rows[i].bytes);
}

static void one(struct seal_backend *const *backends, size_t count, char *const *args) {
	static struct job job;
	unsigned long suite = strtoul(args[1], NULL, 10), bytes = strtoul(args[2], NULL, 10);

	for (size_t b = 0; b < count; b++) {
		for (int what = SEAL; what <= MASK; what++) {
			if (strcmp(args[0], seal_backend_name(backends[b])) != 0 || strcmp(args[3], what_names[what]) != 0)
				continue;
			if (suite >= SEAL_SUITES || bytes > BYTES_MAX)
				die("no such cipher or too many bytes");
			job_init(&job, backends[b], (enum seal_suite)suite, (enum what)what, bytes);
			job_run(&job, (unsigned)strtoul(args[4], NULL, 10));
			job_done(&job);
			return;
		}
	}
	die("no such library here, or nothing of that name to do");
}

int main(int argc, char **argv) {
	static const enum seal_choice choices[] = {SEAL_GNUTLS, SEAL_IPSEC_MB};
	struct seal_backend *backends[2];
	char error[SEAL_ERROR_BYTES];
	size_t count = 0;

	for (size_t i = 0; i < 2; i++) {
		if (seal_backend_open(choices[i], NULL, &backends[count], error) == 0)
			count++;
		else
			fprintf(stderr, "micro-seal: without ipsec-mb: %s\n", error);
	}
	if (argc == 6)
		one(backends, count, argv + 1);
	else
		table(backends, count);
	for (size_t b = 0; b < count; b++)
		seal_backend_free(backends[b]);
	return 0;
}
