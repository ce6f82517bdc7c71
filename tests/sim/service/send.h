/*
 * The other end of the control socket: sends one command and prints the answer line.
 */
#ifndef SIM_SERVICE_SEND_H
#define SIM_SERVICE_SEND_H

/* Joins words to a line. Waits at most 30 seconds. 0: "ok"; 1: "error" or no answer. */
int send_command(const char *path, int count, char **words);

#endif
