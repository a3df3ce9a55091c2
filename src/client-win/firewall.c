#include "client-win/firewall.h"

#include "base/error.h"

#include <string.h>

static void say(struct winmain_firewall *firewall, enum obs_level level, const char *text, const char *error) {
	if (!obs_on(firewall->log, level))
		return;
	obs_begin(firewall->log, level, "network_profile");
	obs_str(firewall->log, "message", text);
	if (error[0] != '\0')
		obs_str(firewall->log, "error", error);
	obs_end(firewall->log);
}

static int set(struct winmain_firewall *firewall, enum winmain_category category,
               char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	struct winmain_network wanted = firewall->network;

	wanted.category = category;
	return firewall->profile->set(firewall->profile->user, firewall->guid, &wanted, error);
}

static void make_private(struct winmain_firewall *firewall) {
	char error[WINMAIN_PROFILE_ERROR_BYTES] = "";
	int err = set(firewall, WINMAIN_PRIVATE, error);

	if (err == BASE_E_NOT_FOUND)
		return; /* gone again: looked for anew */
	firewall->settled = true;
	firewall->changed = err == 0 && firewall->network.lasting;
	if (err == 0)
		say(firewall, OBS_INFO, "the LAN was a public network for Windows; it is a private one while this runs", "");
	else
		say(firewall, OBS_WARN,
		    "Windows did not make the LAN a private network: choose \"Private\" for it under Settings, Network", error);
}

void winmain_firewall_look(struct winmain_firewall *firewall) {
	char error[WINMAIN_PROFILE_ERROR_BYTES] = "";
	struct winmain_network now = {.category = WINMAIN_PUBLIC};
	int err = firewall->profile->get(firewall->profile->user, firewall->guid, &now, error);

	if (err == BASE_E_NOT_FOUND ||
	    (firewall->settled && (err < 0 || memcmp(now.id, firewall->network.id, sizeof(now.id)) == 0)))
		return;
	winmain_firewall_forget(firewall);
	firewall->network = err == 0 ? now : (struct winmain_network){.category = WINMAIN_PUBLIC};
	if (err == 0 && now.category == WINMAIN_PUBLIC && firewall->make_private) {
		make_private(firewall);
		return;
	}
	firewall->settled = true;
	if (err < 0)
		say(firewall, OBS_INFO, "whether Windows treats the LAN as public or private is not known", error);
	else if (now.category == WINMAIN_PUBLIC)
		say(firewall, OBS_WARN,
		    "Windows treats the LAN as a public network, so its firewall may hide this PC from other players: start "
		    "with --private-network, or allow your game in the firewall for public networks",
		    "");
}

void winmain_firewall_forget(struct winmain_firewall *firewall) {
	winmain_firewall_restore(firewall);
	firewall->settled = false;
}

void winmain_firewall_restore(struct winmain_firewall *firewall) {
	char error[WINMAIN_PROFILE_ERROR_BYTES] = "";

	if (!firewall->changed)
		return;
	firewall->changed = false;
	int err = set(firewall, WINMAIN_PUBLIC, error);
	if (err == BASE_E_NOT_FOUND)
		say(firewall, OBS_WARN,
		    "the LAN is gone before it could be made a public network again: it stays a private one", "");
	else if (err < 0)
		say(firewall, OBS_WARN, "Windows did not take the network profile back to public", error);
}
