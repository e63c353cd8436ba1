/* SPDX-License-Identifier: Apache-2.0 */
/* Short worlds of engines with everything going wrong at once, each made of one seed. */
#ifndef BERTH_TESTS_SOAK_WORLD_H
#define BERTH_TESTS_SOAK_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/* Runs the world of this seed; a promise of engine_world.h that is broken fails the test. */
void soak_run_world(uint64_t seed, bool tracing);

#endif
