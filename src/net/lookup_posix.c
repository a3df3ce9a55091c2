#include "net/lookup.h"

#include "base/text.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static bool convert(const struct addrinfo *info, uint16_t port, struct base_addr *ret) {
	struct base_addr addr = {.port = port};

	if (info->ai_family == AF_INET && (size_t)info->ai_addrlen >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, info->ai_addr, sizeof(in));
		addr.family = BASE_FAMILY_V4;
		memcpy(addr.ip, &in.sin_addr, 4);
	} else if (info->ai_family == AF_INET6 && (size_t)info->ai_addrlen >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, info->ai_addr, sizeof(in6));
		addr.family = BASE_FAMILY_V6;
		memcpy(addr.ip, &in6.sin6_addr, 16);
		addr.scope = in6.sin6_scope_id;
	} else {
		return false;
	}
	net_unmap_v4(&addr);
	*ret = addr;
	return true;
}

/* Names listed twice in the hosts file come twice. */
static void add_once(struct net_resolved *result, const struct base_addr *addr) {
	for (size_t i = 0; i < result->count; i++) {
		if (base_addr_equal(&result->addrs[i], addr))
			return;
	}
	if (result->count < NET_RESOLVE_ADDRS_MAX)
		result->addrs[result->count++] = *addr;
}

static void put_reason(int code, const char *host, char error[static NET_ERROR_BYTES]) {
	static const struct {
		int code;
		const char *text;
	} reasons[] = {
	    {EAI_NONAME, "name not known"},
#ifdef EAI_NODATA
	    {EAI_NODATA, "the name has no address"},
#endif
	    {EAI_AGAIN, "no name server answers (try again later)"},
	    {EAI_FAIL, "the name server could not answer"},
	    {0, "the name has no address"}, /* the resolver is content, but knows only families that we do not */
	};
	struct base_text text;

	base_text_init(&text, error, NET_ERROR_BYTES);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].code == code) {
			base_text_addf(&text, "%.90s: %s", host, reasons[i].text);
			return;
		}
	}
	/* Not gai_strerror: its text may be in another language and encoding than ours. */
	base_text_addf(&text, "%.90s: the resolver failed with code %d", host, code);
}

void net_lookup(const struct net_endpoint *endpoint, struct net_resolved *ret, char error[static NET_ERROR_BYTES]) {
	const struct addrinfo hints = {
	    .ai_flags = AI_ADDRCONFIG,
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_DGRAM,
	    .ai_protocol = IPPROTO_UDP,
	};
	struct addrinfo *list = NULL;
	int code = getaddrinfo(endpoint->host, NULL, &hints, &list);

	if (code == 0) {
		for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) {
			struct base_addr addr;

			if (convert(info, endpoint->port, &addr))
				add_once(ret, &addr);
		}
		freeaddrinfo(list);
	}
	if (ret->count == 0)
		put_reason(code, endpoint->host, error);
	net_resolve_interleave(ret);
}
