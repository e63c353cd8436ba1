/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions: preconditions and invariants of our own code. They are always on, hold one condition
 * each, and are never used on input.
 */
#ifndef BERTH_BASE_ASSERT_H
#define BERTH_BASE_ASSERT_H

/* Who says it instead of standard error, which may block; set once, before there are threads. */
typedef void berth_last_words_fn(const char *text);
void berth_assert_say_with(berth_last_words_fn *fn);

/* Prints the condition and its place to standard error and aborts. */
_Noreturn void berth_assert_failed(const char *condition, const char *file, int line);

#define BERTH_ASSERT(condition)                                                                    \
    ((condition) ? (void)0 : berth_assert_failed(#condition, __FILE__, __LINE__))

/* For a place that the table of moves says can't be reached. */
#define BERTH_UNREACHABLE(why) berth_assert_failed("unreachable: " why, __FILE__, __LINE__)

#endif
