/* SPDX-License-Identifier: Apache-2.0 */
#include "wall_time.h"

#include <stddef.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
/* Days from 0000-03-01 to 1970-01-01, and in 400 years (proleptic Gregorian calendar). */
#define EPOCH_DAYS 719468
#define ERA_DAYS   146097
/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
#define FIRST_MS INT64_C(-62167219200000)
#define LAST_MS  INT64_C(253402300799999)

static void put_digits(char *text, int64_t number, size_t digits);

bool berth_wall_time_text(int64_t time_ms, char ret_text[BERTH_WALL_TIME_BYTES]) {
    if (time_ms < FIRST_MS || time_ms > LAST_MS) {
        return false;
    }
    int64_t day = time_ms / DAY_MS;
    int64_t in_day_ms = time_ms % DAY_MS;
    if (in_day_ms < 0) {
        in_day_ms += DAY_MS;
        day--;
    }
    /* Years are counted from March on, so that a leap day is the last day of its year. The year 0
     * begins in January, 60 days before day 0: one era is added to keep everything positive. */
    int64_t days = day + EPOCH_DAYS + ERA_DAYS;
    int64_t era = days / ERA_DAYS;
    int64_t of_era = days % ERA_DAYS;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = (era - 1) * 400 + year_of_era + (month <= 2 ? 1 : 0);

    memcpy(ret_text, "0000-00-00T00:00:00.000Z", BERTH_WALL_TIME_BYTES);
    put_digits(ret_text, year, 4);
    put_digits(ret_text + 5, month, 2);
    put_digits(ret_text + 8, of_year - (153 * month_from_march + 2) / 5 + 1, 2);
    put_digits(ret_text + 11, in_day_ms / 3600000, 2);
    put_digits(ret_text + 14, in_day_ms / 60000 % 60, 2);
    put_digits(ret_text + 17, in_day_ms / 1000 % 60, 2);
    put_digits(ret_text + 20, in_day_ms % 1000, 3);
    return true;
}

static void put_digits(char *text, int64_t number, size_t digits) {
    for (size_t i = digits; i > 0; i--) {
        text[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}
