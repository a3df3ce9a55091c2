/* client-win/run.h: the program lanparty-client.exe: its tasks. */
#ifndef CLIENT_WIN_RUN_H
#define CLIENT_WIN_RUN_H

/* The whole program; returns the exit status. */
int winmain_run(void);

#endif
