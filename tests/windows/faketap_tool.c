/* tests/windows/faketap_tool.c: fake adapters from a script.
 *
 *   faketap_tool install DRIVER GUID SUBKEY NAME MAC VERSION      (NAME as the network settings show it, MAC 12 digits)
 *   faketap_tool remove GUID SUBKEY
 *   faketap_tool hold                                             until it is ended: Wine's services stay as long
 *   faketap_tool bridge GUID PORT PEER-PORT [FIELD=NUMBER ...]    copies frames between the adapter and UDP on loopback
 *   faketap_tool end-session CLASS logoff|shutdown                tells the window of this class as Windows does
 *   faketap_tool unprivileged PROGRAM [ARGUMENT ...]              runs it without an administrator's rights
 *   faketap_tool --service run                                    in the client's place, a service that starts slowly
 *
 * A FIELD is one of struct faketap_config's switches. A datagram that says "set FIELD=NUMBER" changes one later. */
#include "tests/windows/faketap_client.h"

#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "set "
#define SLOW_START_MS 1500 /* twice */

static void *wire;
static SOCKET udp;
static struct sockaddr_in peer;

static int complain(const char *what) {
	(void)fprintf(stderr, "faketap_tool: %s\n", what);
	return 1;
}

static void say_ready(void) {
	(void)puts("ready");
	(void)fflush(stdout);
}

/* "fail_read=0xc000009d" */
static bool set_field(const char *text) {
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
	    {"fail_read=", offsetof(struct faketap_config, fail_read)},
	    {"fail_write=", offsetof(struct faketap_config, fail_write)},
	    {"fail_media=", offsetof(struct faketap_config, fail_media)},
	    {"hold_writes=", offsetof(struct faketap_config, hold_writes)},
	    {"asleep=", offsetof(struct faketap_config, asleep)},
	    {"gone=", offsetof(struct faketap_config, gone)},
	};
	struct faketap_config config;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t len = strlen(fields[i].name);
		if (strncmp(text, fields[i].name, len) != 0)
			continue;
		uint32_t value = (uint32_t)strtoul(text + len, NULL, 0);
		if (!faketap_wire_ask(wire, FAKETAP_GET_CONFIG, &config, sizeof(config)))
			return false;
		memcpy((char *)&config + fields[i].offset, &value, sizeof(value));
		return faketap_wire_ask(wire, FAKETAP_SET_CONFIG, &config, sizeof(config));
	}
	(void)complain(text);
	return false;
}

static DWORD WINAPI from_udp(LPVOID unused) {
	char bytes[FAKETAP_FRAME_BYTES_MAX + 1];
	(void)unused;
	while (udp != INVALID_SOCKET) {
		int len = recv(udp, bytes, FAKETAP_FRAME_BYTES_MAX, 0);
		if (len <= 0)
			continue; /* nobody at the other end yet */
		bytes[len] = '\0';
		if (strncmp(bytes, COMMAND, strlen(COMMAND)) == 0)
			(void)set_field(bytes + strlen(COMMAND));
		else
			(void)faketap_wire_send(wire, bytes, (size_t)len);
	}
	return 0;
}

static int bridge(int argc, char **argv) {
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char frame[FAKETAP_FRAME_BYTES_MAX];
	WSADATA data;
	wire = faketap_wire_open(argv[2]);
	if (wire == NULL || WSAStartup(MAKEWORD(2, 2), &data) != 0)
		return complain("no such adapter");
	peer = own;
	own.sin_port = htons((u_short)strtoul(argv[3], NULL, 10));
	peer.sin_port = htons((u_short)strtoul(argv[4], NULL, 10));
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(udp, (const struct sockaddr *)&own, sizeof(own)) != 0)
		return complain("the port is taken");
	for (int i = 5; i < argc; i++)
		if (!set_field(argv[i]))
			return 1;
	if (CreateThread(NULL, 0, from_udp, NULL, 0, NULL) == NULL)
		return complain("no thread");
	say_ready();
	for (;;) {
		int len = faketap_wire_receive(wire, frame, sizeof(frame), INFINITE);
		if (len > 0)
			(void)sendto(udp, frame, len, 0, (const struct sockaddr *)&peer, sizeof(peer));
	}
}

static int end_session(const char *name, const char *how) {
	const LPARAM data = strcmp(how, "logoff") == 0 ? (LPARAM)ENDSESSION_LOGOFF : 0;
	HWND window = FindWindowA(name, NULL);

	if (window == NULL)
		return complain("no such window");
	if (!SendMessageW(window, WM_QUERYENDSESSION, 0, data))
		return complain("the window does not want to end");
	(void)SendMessageW(window, WM_ENDSESSION, TRUE, data);
	return 0;
}

/* As a program starts that is not "Run as administrator": the group is there to be denied only. */
static int run_unprivileged(char **argv) {
	static char command[8192];
	SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
	STARTUPINFOA startup = {.cb = sizeof(startup)};
	SID_AND_ATTRIBUTES administrators = {.Attributes = 0};
	PROCESS_INFORMATION process;
	HANDLE own, limited;
	DWORD status;

	for (; *argv != NULL; argv++)
		(void)snprintf(command + strlen(command), sizeof(command) - strlen(command), "\"%s\" ", *argv);
	if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0, 0, 0, 0,
	                              &administrators.Sid) ||
	    !OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own) ||
	    !CreateRestrictedToken(own, 0, 1, &administrators, 0, NULL, 0, NULL, &limited) ||
	    !CreateProcessAsUserA(limited, NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
		return complain("a program without rights does not start");
	(void)WaitForSingleObject(process.hProcess, INFINITE);
	return GetExitCodeProcess(process.hProcess, &status) ? (int)status : 1;
}

/* With an adapter: it is in use meanwhile. */
static int hold(const char *guid) {
	char path[64];

	(void)snprintf(path, sizeof(path), "\\\\.\\Global\\%s.tap", guid != NULL ? guid : "");
	if (guid != NULL &&
	    CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE)
		return complain("the adapter does not open");
	say_ready();
	Sleep(INFINITE);
	return 0;
}

static SERVICE_STATUS_HANDLE service;
static HANDLE stop;

static void report(DWORD state, DWORD controls) {
	SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS,
	                         .dwCurrentState = state,
	                         .dwControlsAccepted = controls,
	                         .dwWaitHint = 2 * SLOW_START_MS};

	(void)SetServiceStatus(service, &status);
}

static DWORD WINAPI on_control(DWORD control, DWORD type, LPVOID data, LPVOID user) {
	(void)type, (void)data, (void)user;
	if (control == SERVICE_CONTROL_STOP)
		(void)SetEvent(stop);
	return NO_ERROR;
}

/* It runs before it takes a control, as if who was just refused had been slow to look at its state. */
static void WINAPI serve(DWORD argc, LPSTR *argv) {
	(void)argc, (void)argv;
	stop = CreateEventW(NULL, TRUE, FALSE, NULL);
	service = RegisterServiceCtrlHandlerExA("lanparty-client", on_control, NULL);
	report(SERVICE_START_PENDING, 0);
	Sleep(SLOW_START_MS);
	report(SERVICE_RUNNING, 0);
	Sleep(SLOW_START_MS);
	report(SERVICE_RUNNING, SERVICE_ACCEPT_STOP);
	(void)WaitForSingleObject(stop, INFINITE);
	report(SERVICE_STOPPED, 0);
}

static int run_slow_service(void) {
	char name[] = "lanparty-client";
	const SERVICE_TABLE_ENTRYA table[] = {{name, serve}, {NULL, NULL}};

	return StartServiceCtrlDispatcherA(table) ? 0 : complain("only Windows starts this");
}

int main(int argc, char **argv) {
	if (argc == 8 && strcmp(argv[1], "install") == 0) {
		const struct faketap_adapter adapter = {.driver = argv[2],
		                                        .guid = argv[3],
		                                        .subkey = argv[4],
		                                        .name = argv[5],
		                                        .mac = argv[6],
		                                        .version = argv[7],
		                                        .auto_start = true};
		return faketap_install(&adapter) ? 0 : 1;
	}
	if (argc == 4 && strcmp(argv[1], "remove") == 0)
		return faketap_remove(argv[2], argv[3]) ? 0 : 1;
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "hold") == 0)
		return hold(argv[2]);
	if (argc == 4 && strcmp(argv[1], "end-session") == 0)
		return end_session(argv[2], argv[3]);
	if (argc >= 3 && strcmp(argv[1], "unprivileged") == 0)
		return run_unprivileged(argv + 2);
	if (argc >= 3 && strcmp(argv[argc - 2], "--service") == 0)
		return run_slow_service();
	if (argc >= 5 && strcmp(argv[1], "bridge") == 0)
		return bridge(argc, argv);
	return complain("install DRIVER GUID SUBKEY NAME MAC VERSION | remove GUID SUBKEY | hold [GUID] | bridge GUID PORT "
	                "PEER-PORT ...");
}
