/*
 * plan: what the launcher starts: a text file, one line a fact, in the words of a systemd unit.
 *
 *   set NAME VALUE                     $NAME in later lines
 *   program NAME PATH [ARGUMENT...]    begins a program; the lines below belong to it
 *   listen NAME seqpacket PATH         a Unix socket handed over by LISTEN_FDS as NAME; kept open across restarts
 *   listen NAME tcp ADDRESS:PORT       the same on TCP (loopback)
 *   credentials DIRECTORY              $CREDENTIALS_DIRECTORY of the program
 *   env NAME VALUE
 *   ready notify                       it says READY=1 itself (default: ready when it runs)
 *   ready file PATH                    it is ready when PATH exists
 */
#ifndef SIM_LAUNCHER_PLAN_H
#define SIM_LAUNCHER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PLAN_PROGRAMS_MAX 96
#define PLAN_ARGUMENTS_MAX 32
#define PLAN_SOCKETS_MAX 4
#define PLAN_ENV_MAX 8

enum plan_ready { READY_AT_ONCE, READY_NOTIFY, READY_FILE };

struct plan_socket {
    char *name;
    bool tcp;
    char *address;
    int fd;
};

struct plan_program {
    char *name;
    char *argv[PLAN_ARGUMENTS_MAX + 1];
    size_t argc;
    struct plan_socket sockets[PLAN_SOCKETS_MAX];
    size_t nsockets;
    char *env[PLAN_ENV_MAX]; /* NAME=VALUE */
    size_t nenv;
    enum plan_ready ready_by;
    char *ready_path;
    /* at run time */
    pid_t pid;
    bool ready;
    unsigned starts;
    uint64_t started_ms;
    uint64_t start_again_ms; /* 0: not waiting */
    unsigned wait_ms;
};

struct plan {
    struct plan_program programs[PLAN_PROGRAMS_MAX];
    size_t nprograms;
};

/* Reads the file; prints what is wrong with its line and returns false. */
bool plan_read(struct plan *plan, const char *path);

#endif
