/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors 0 to 2, whatever a program was started with.
 *
 * One that is closed is given to the next file that is opened: then log lines go into a database's
 * socket, or into the loop's own pipe. So each program secures them before it opens anything.
 */
#ifndef BERTH_BASE_STANDARD_STREAMS_H
#define BERTH_BASE_STANDARD_STREAMS_H

/* Opens those that are closed: standard error swallows what is written. Reading standard input and
 * writing standard output fail as they would if they were still closed, so that whoever wants to
 * read or to print hears of it. Ends the process if it can't. */
void berth_standard_streams_secure(void);

#endif
