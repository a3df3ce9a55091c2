/* client-win/console.h: what a client that runs in a window of its own needs beside loop/signals_windows.h; a service
 * has neither a console nor anybody who logs off. */
#ifndef CLIENT_WIN_CONSOLE_H
#define CLIENT_WIN_CONSOLE_H

/* A click into the console must not hold up the program at its next line (QuickEdit); and logoff and shutdown are told
 * to a hidden window, since Windows does not tell them to the console handler of a program that has user32 loaded. */
void winmain_console_open(void);
/* The console again as its other programs know it. */
void winmain_console_close(void);

/* A window goes with its last program: when that is this one, it waits for Enter or Ctrl-C, `ms` at most (nobody may
 * be there), so that what was said can be read. For the end of the program: Ctrl-C stays a key. */
void winmain_console_hold(unsigned ms);

/* The class of the hidden window. */
#define WINMAIN_WINDOW_CLASS L"lanparty-client"

#endif
