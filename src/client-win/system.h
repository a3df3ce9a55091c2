/* client-win/system.h: what the Windows client asks of Windows itself: rights, folders, arguments, one instance. Texts
 * are UTF-8. */
#ifndef CLIENT_WIN_SYSTEM_H
#define CLIENT_WIN_SYSTEM_H

#include "base/text.h"

#define WINMAIN_ERROR_BYTES 320

/* Messages in UTF-8, whatever the console's code page; and libraries only from Windows' own folder from now on: those
 * that the program is linked with are there already, and came from beside it if they lay there. */
void winmain_system_init(void);
/* What is printed is out, and the console's code page is what it was: the console outlives us. */
void winmain_system_done(void);

/* The arguments of this process, as UTF-8; free with winmain_arguments_free(). NULL when memory is out. */
char **winmain_arguments(int *ret_argc);
void winmain_arguments_free(char **argv);

/* With the rights of an administrator (or of the system's own account). */
bool winmain_is_elevated(void);

/* Where state is kept: lanparty under ProgramData. False when it does not fit. */
bool winmain_state_directory(char *buf, size_t cap);
/* Makes the folder, for administrators and the system alone. Any user may make folders under ProgramData, also one of
 * this name beforehand: what others could write to is moved aside, said in `notice` (else empty), and made anew.
 * 0, BASE_E_DENIED or BASE_E_IO with `error`. */
int winmain_own_directory(const char *path, char notice[static WINMAIN_ERROR_BYTES],
                          char error[static WINMAIN_ERROR_BYTES]);

/* Whether others than administrators can put another program in the place of this one, also by way of a folder above,
 * which a service would run with all rights: 0; BASE_E_DENIED: they can; BASE_E_IO: it can't be told. With `error`. */
int winmain_check_program(const char *path, char error[static WINMAIN_ERROR_BYTES]);
/* The same of a file that a service reads, which says where it connects to and whom it trusts; a full path. */
int winmain_check_file(const char *path, char error[static WINMAIN_ERROR_BYTES]);

void winmain_host_name(char *buf, size_t cap);
/* This program's own path. */
bool winmain_program_path(char *buf, size_t cap);
/* For winmain_service_command(). */
bool winmain_absolute_path(void *user, const char *path, struct base_text *out);

/* One client per PC: two would restore each other's routes. The claim is a lock in the folder that is for
 * administrators alone: any user could hold what has a name in all of the system. BASE_E_EXISTS: another one runs. */
int winmain_claim_instance(const char *state_directory);
/* Before a service says that it has stopped: the next one may start while this process still ends. */
void winmain_release_instance(void);

/* A service has no console: standard error goes to this file from now on; one that is big is kept as path.old first. */
int winmain_log_to_file(const char *path, uint64_t bytes_max);
/* Call from time to time: a service may run for months, and say much. */
void winmain_log_look(void);

/* One line on standard error, for a person. */
void winmain_complain(const char *message);

/* Adds Windows' own words for an error number. */
void winmain_add_system_error(struct base_text *out, unsigned long number);

#endif
