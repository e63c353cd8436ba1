/* SPDX-License-Identifier: Apache-2.0 */
/* How often each fault met each step of each plan. */
#include <stdio.h>

#include "sim.h"

static int print_plan(const struct sim_meetings *meetings, int type) {
    int holes = 0;
    printf("\n%s\n%-18s", berth_command_type_name((enum berth_command_type)type), "");
    for (int step = 0; step < SIM_STEPS; step++) {
        if (sim_no_cell(SIM_KILLED, type, step) == NULL) {
            printf(" %22.22s", sim_step_name(step));
        }
    }
    printf("\n%-18s", "(steps)");
    for (int step = 0; step < SIM_STEPS; step++) {
        if (sim_no_cell(SIM_KILLED, type, step) == NULL) {
            printf(" %22llu", (unsigned long long)meetings->steps[type][step]);
        }
    }
    for (int fault = 0; fault < SIM_FAULT_KINDS; fault++) {
        printf("\n%-18s", sim_fault_name((enum sim_fault)fault));
        for (int step = 0; step < SIM_STEPS; step++) {
            if (sim_no_cell(SIM_KILLED, type, step) != NULL) {
                continue;
            }
            uint64_t met = meetings->met[fault][type][step];
            if (sim_no_cell((enum sim_fault)fault, type, step) != NULL) {
                printf(" %22s", "-");
            } else {
                holes += met == 0;
                printf(" %21llu%s", (unsigned long long)met, met == 0 ? "!" : " ");
            }
        }
    }
    printf("\n");
    return holes;
}

int sim_table(const struct sim_meetings *meetings) {
    int holes = 0;
    for (int type = 0; type < BERTH_COMMAND_TYPES; type++) {
        holes += print_plan(meetings, type);
        for (int step = 0; step < SIM_STEPS; step++) {
            if (sim_no_cell(SIM_KILLED, type, step) != NULL && meetings->steps[type][step] > 0) {
                printf("%s was met by %s, which is said to be impossible\n", sim_step_name(step),
                       berth_command_type_name((enum berth_command_type)type));
                holes++;
            }
        }
    }
    printf("\ncells that no fault met: %d\n", holes);
    return holes;
}
