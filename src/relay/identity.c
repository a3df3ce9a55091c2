#include "relay/identity.h"

#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEM_BYTES_MAX (256 * 1024) /* a chain of a dozen certificates is a tenth of it */
#define NAMES_MAX CLI_LIST_ITEMS_MAX
#define HOST_NAME_BYTES 256

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
