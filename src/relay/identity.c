#include "relay/identity.h"

#include "base/text.h"
#include "base/time.h"
#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEM_BYTES_MAX (256 * 1024) /* a chain of a dozen certificates is a tenth of it */
#define NAMES_MAX CLI_LIST_ITEMS_MAX
#define HOST_NAME_BYTES 256
#define RENEWAL_NS (14 * DAY_NS) /* authorities' clients renew a month before; who has not by then has a fault */
#define DAY_NS (24 * 3600 * BASE_SECOND)

int relay_identity_load(const struct relay_config *config, struct quic_identity **ret,
                        char error[static RELAY_IDENTITY_ERROR_BYTES]) {
	char host_error[HOST_ERROR_BYTES], quic_error[QUIC_ERROR_BYTES];
	uint8_t *chain = NULL, *key = NULL;
	size_t chain_len, key_len;
	int result = host_read_file(config->cert, PEM_BYTES_MAX, &chain, &chain_len, host_error);

	if (result == 0)
		result = host_read_file(config->key, PEM_BYTES_MAX, &key, &key_len, host_error);
	if (result != 0) {
		snprintf(error, RELAY_IDENTITY_ERROR_BYTES, "%s", host_error);
		free(chain);
		return result;
	}
	result = quic_identity_from_pem(slice_of(chain, chain_len), slice_of(key, key_len), ret, quic_error);
	if (result != 0)
		snprintf(error, RELAY_IDENTITY_ERROR_BYTES, "%s with %s: %s", config->cert, config->key, quic_error);
	free(chain);
	explicit_bzero(key, key_len);
	free(key);
	return result;
}

static size_t names_of(const struct relay_config *config, char host[static HOST_NAME_BYTES],
                       const char *names[static NAMES_MAX]) {
	size_t count = cli_list_count(config->values, "dev-cert-name");

	for (size_t i = 0; i < count; i++)
		names[i] = cli_list_item(config->values, "dev-cert-name", i);
	if (count > 0)
		return count;
	names[count++] = "localhost";
	if (gethostname(host, HOST_NAME_BYTES - 1) == 0 && host[0] != '\0' && strcmp(host, "localhost") != 0)
		names[count++] = host;
	return count;
}

int relay_identity_make(const struct relay_config *config, uint64_t wall_clock_ns, struct quic_identity **ret,
                        char error[static RELAY_IDENTITY_ERROR_BYTES]) {
	char host_error[HOST_ERROR_BYTES], quic_error[QUIC_ERROR_BYTES];
	char host[HOST_NAME_BYTES] = "";
	const char *names[NAMES_MAX];
	size_t count = names_of(config, host, names);
	struct quic_identity *identity;
	int result = quic_identity_self_signed(names, count, wall_clock_ns, &identity, quic_error);

	if (result != 0) {
		snprintf(error, RELAY_IDENTITY_ERROR_BYTES, "self-signed certificate: %s", quic_error);
		return result;
	}
	result = host_write_file(config->dev_cert_der_out, quic_identity_der(identity), 0644, host_error);
	if (result != 0) {
		snprintf(error, RELAY_IDENTITY_ERROR_BYTES, "--dev-cert-der-out: %s", host_error);
		quic_identity_unref(identity);
		return result;
	}
	*ret = identity;
	return 0;
}

static void add_date(struct base_text *out, uint64_t wall_clock_ns) {
	const time_t seconds = (time_t)(wall_clock_ns / BASE_SECOND);
	char date[32] = "";
	struct tm parts;

	if (gmtime_r(&seconds, &parts) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &parts);
	base_text_add(out, date);
}

bool relay_identity_dates(const struct quic_identity *identity, uint64_t wall_clock_ns,
                          char ret[static RELAY_IDENTITY_ERROR_BYTES]) {
	struct base_text text;
	uint64_t from, until;

	quic_identity_validity(identity, &from, &until);
	base_text_init(&text, ret, RELAY_IDENTITY_ERROR_BYTES);
	if (wall_clock_ns < from) {
		base_text_add(&text, "the certificate is not valid before ");
		add_date(&text, from);
		base_text_add(&text, ", or this computer's clock is wrong");
	} else if (until <= wall_clock_ns + RENEWAL_NS) {
		base_text_add(&text, wall_clock_ns > until ? "the certificate has expired on " : "the certificate expires on ");
		add_date(&text, until);
		base_text_add(&text, ": renew it, then reload the relay (SIGHUP)");
	} else {
		return false;
	}
	base_text_add(&text, "; peers that do not pin it refuse it");
	return true;
}
