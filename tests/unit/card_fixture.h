/*
 * The frame of the card layer's test programs: one test hierarchy for the program, one card on the table for each
 * test. Included once, by the program itself.
 */
#ifndef CARD_FIXTURE_H
#define CARD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "card_rig.h"

#define NUMBER_B "55021720352285"

static struct rig_world world;
static struct card_rig rig;

static int world_up(void **state)
{
    (void)state;
    return rig_world_new(&world);
}

static int world_down(void **state)
{
    (void)state;
    rig_world_free(&world);
    return 0;
}

static int up(void **state)
{
    (void)state;
    rig_start(&rig, &world, true);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

#endif
