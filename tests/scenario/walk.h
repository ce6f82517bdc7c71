/*
 * walk: random events over eight lanes: cards, answers, faults, programs killed, the store refusing, the desk
 * restarted, staff and patients pressing anything at any time. After it everybody goes home, and what the
 * store, the cards' counters and the service saw must agree. The seed is printed.
 */
#ifndef TEST_SCENARIO_WALK_H
#define TEST_SCENARIO_WALK_H

#include <stdbool.h>
#include <stdint.h>

bool walk_run(uint64_t seed, uint64_t events);

#endif
