/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One command of each kind in its main variants, each in a small virtual world of its own, for
 * tests that disturb it at every step: what is there before it, the command, and what must not be
 * touched.
 */
#ifndef BERTH_TESTS_CRASH_SCENES_H
#define BERTH_TESTS_CRASH_SCENES_H

#include "engine_world.h"

#define SCENE_COMMAND 20 /* The number of the command that is disturbed. */
#define SCENE_SPACE   "team-a"

struct scene {
    const char *name;
    void (*set_up)(struct world *world); /* What is there before it, and settled. */
    enum berth_command_type type;
    const char *workspaces;
    enum berth_visibility visibility;
    int64_t quota_bytes; /* 0: not given. */
    enum berth_if_exists if_exists;
    bool unbind;
    /* The outcome of the undisturbed run; of a disturbed one instead, where it may differ. */
    const char *code;
    const char *otherwise;
    /* What Redis knew, where somebody has changed it by hand: a crash right after the claim leaves
     * that as `before`. */
    const char *known_before;
    bool late_stays; /* What Harbor carries out much later leaves something (not promised). */
    bool
        maybe_changed; /* Nobody can tell whether an earlier claim did it: "changed" may be said. */
    int harbor_calls;  /* Of the undisturbed run. */
};

extern const struct scene SCENES[];
extern const size_t SCENES_COUNT;

/* A world in which worker 0 serves partition 0 and everything is there that the scene needs. */
struct world *scene_open(const struct scene *scene);

/* Sends the scene's command, from this moment on. */
struct world_record *scene_send(struct world *world, const struct scene *scene);

/* Fails the test if somebody else's project or robot was touched. */
void scene_check_strangers(struct world *world, const struct scene *scene);

#endif
