/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "berth/base/assert.h"
#include "url_text.h"

/* A term brought together with the field it is about, once for all rows. */
struct filter {
    const struct berth_model_query_field *field;
    enum berth_model_query_kind kind;
    const char *value; /* Of the term; for a range the lower bound, or NULL. */
    const char *high;  /* The upper bound of a range, or NULL. */
    int64_t number;    /* The values of those two for fields that are not text. */
    int64_t high_number;
};

struct order {
    const struct berth_model_query_field *fields[BERTH_MODEL_QUERY_SORTS_MAX];
    bool descending[BERTH_MODEL_QUERY_SORTS_MAX];
    size_t count;
};

static enum berth_rc parse_term(struct berth_model_query *query, char *text,
                                struct berth_error *reterr);
static bool strip_signs(char *value, enum berth_model_query_kind *ret_kind, char **ret_value);
static struct berth_model_query_term *term_slot(struct berth_model_query *query, const char *key);
static const struct berth_model_query_field *find_field(const struct berth_model_query_table *table,
                                                        const char *key);
static bool make_filter(const struct berth_model_query_term *term,
                        const struct berth_model_query_field *field, struct filter *ret_filter);
static bool bound_fits(const char *bound, const struct berth_model_query_field *field,
                       int64_t *ret_number);
static bool list_fits(const char *list, const struct berth_model_query_field *field);
static bool row_passes(const struct filter *filter, const void *row);
static bool row_in_list(const struct filter *filter, const void *row);
static bool row_contains(const struct filter *filter, const void *row);
static int compare_value(const char *value, int64_t number,
                         const struct berth_model_query_field *field, const void *row);
static bool field_value(const char *value, enum berth_model_query_type type, int64_t *ret_number);
static int64_t row_number(const struct berth_model_query_field *field, const void *row);
static const char *row_text(const struct berth_model_query_field *field, const void *row);
static bool whole_number(const char *text, int64_t *ret_number);
static bool time_value(const char *text, int64_t *ret_ms);
static void sort_rows(const struct berth_model_query *query,
                      const struct berth_model_query_table *table, const void **items,
                      size_t count);
static int compare_rows(const void *left, const void *right, void *context);
static void cut_page(const struct berth_model_query *query, const void **items, size_t count,
                     struct berth_model_query_page *ret_page);

void berth_model_query_init(struct berth_model_query *query) {
    *query = (struct berth_model_query){.page = 1, .page_size = 10};
}

enum berth_rc berth_model_query_parse(struct berth_model_query *query, const char *text,
                                      struct berth_error *reterr) {
    if (text == NULL || text[0] == '\0') {
        return BERTH_OK;
    }
    char buffer[BERTH_MODEL_QUERY_TEXT_BYTES_MAX];
    size_t len = strlen(text);
    if (len >= sizeof(buffer)) {
        berth_error_set(reterr, "the query string is longer than %d bytes",
                        BERTH_MODEL_QUERY_TEXT_BYTES_MAX - 1);
        return BERTH_INVALID;
    }
    memcpy(buffer, text, len + 1);
    /* What can't be decoded is taken as it is: Harbor only logs it. */
    (void)berth_sandbox_url_decode(buffer, true);
    char *rest = buffer;
    for (char *term = strsep(&rest, ","); term != NULL; term = strsep(&rest, ",")) {
        enum berth_rc rc = parse_term(query, term, reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    return BERTH_OK;
}

void berth_model_query_parse_sort(struct berth_model_query *query, const char *text) {
    while (text != NULL && *text != '\0' && query->sort_count < BERTH_MODEL_QUERY_SORTS_MAX) {
        struct berth_model_query_sort *sort = &query->sorts[query->sort_count];
        sort->descending = *text == '-';
        text += sort->descending ? 1 : 0;
        size_t len = strcspn(text, ",");
        if (len > 0 && len < sizeof(sort->key)) {
            memcpy(sort->key, text, len);
            sort->key[len] = '\0';
            query->sort_count++;
        }
        text += len;
        text += *text == ',' ? 1 : 0;
    }
}

const struct berth_model_query_term *berth_model_query_find(const struct berth_model_query *query,
                                                            const char *key,
                                                            const char *other_key) {
    for (size_t i = 0; i < query->term_count; i++) {
        const struct berth_model_query_term *term = &query->terms[i];
        if (strcmp(term->key, key) == 0 ||
            (other_key != NULL && strcmp(term->key, other_key) == 0)) {
            return term;
        }
    }
    return NULL;
}

int64_t berth_model_query_lower_bound(const struct berth_model_query_term *term) {
    int64_t bound = INT64_MIN;
    bool bounds = term->kind == BERTH_MODEL_QUERY_RANGE || term->kind == BERTH_MODEL_QUERY_EXACT;
    return bounds && whole_number(term->value, &bound) ? bound : INT64_MIN;
}

enum berth_rc berth_model_query_apply(const struct berth_model_query *query,
                                      const struct berth_model_query_table *table,
                                      const void **take_items, size_t count,
                                      struct berth_model_query_page *ret_page) {
    struct filter filters[BERTH_MODEL_QUERY_TERMS_MAX];
    size_t filter_count = 0;
    for (size_t i = 0; i < query->term_count; i++) {
        const struct berth_model_query_field *field = find_field(table, query->terms[i].key);
        if (field == NULL) {
            continue;
        }
        if (!make_filter(&query->terms[i], field, &filters[filter_count++])) {
            free((void *)take_items);
            return BERTH_INVALID;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool passes = true;
        for (size_t j = 0; passes && j < filter_count; j++) {
            passes = row_passes(&filters[j], take_items[i]);
        }
        if (passes) {
            take_items[kept++] = take_items[i];
        }
    }
    sort_rows(query, table, take_items, kept);
    cut_page(query, take_items, kept, ret_page);
    return BERTH_OK;
}

void berth_model_query_page_deinit(struct berth_model_query_page *page) {
    free((void *)page->items);
    *page = (struct berth_model_query_page){0};
}

static enum berth_rc parse_term(struct berth_model_query *query, char *text,
                                struct berth_error *reterr) {
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        berth_error_set(reterr,
                        "the query string must contain \"=\" and the key/value cannot be empty");
        return BERTH_INVALID;
    }
    *equals = '\0';
    enum berth_model_query_kind kind = BERTH_MODEL_QUERY_EXACT;
    char *value = NULL;
    char *signed_value = equals + 1;
    if (!strip_signs(signed_value, &kind, &value)) {
        berth_error_set(reterr, "invalid query string value: %s", signed_value);
        return BERTH_INVALID;
    }
    struct berth_model_query_term *term = term_slot(query, text);
    if (term == NULL || strlen(text) >= sizeof(term->key) || strlen(value) >= sizeof(term->value)) {
        berth_error_set(reterr, "the query string has more or longer terms than this stand-in has"
                                " room for");
        return BERTH_INVALID;
    }
    (void)snprintf(term->key, sizeof(term->key), "%s", text);
    (void)snprintf(term->value, sizeof(term->value), "%s", value);
    if (kind == BERTH_MODEL_QUERY_RANGE) {
        term->value[strcspn(term->value, "~")] = '\0';
    }
    term->kind = kind;
    return BERTH_OK;
}

/* Finds the kind by the signs around the value. False: the signs don't fit together. The value is
 * cut in place only when they do. */
static bool strip_signs(char *value, enum berth_model_query_kind *ret_kind, char **ret_value) {
    size_t len = strlen(value);
    char last = value[len - 1];
    const char *tilde = strchr(value, '~');
    *ret_value = value + 1;
    switch (value[0]) {
    case '~':
        *ret_kind = BERTH_MODEL_QUERY_FUZZY;
        return len > 1;
    case '[':
        *ret_kind = BERTH_MODEL_QUERY_RANGE;
        /* One "~", and a bound on at least one side of it. */
        if (last != ']' || tilde == NULL || strchr(tilde + 1, '~') != NULL || len < 4) {
            return false;
        }
        break;
    case '{':
        *ret_kind = BERTH_MODEL_QUERY_ANY_OF;
        if (last != '}') {
            return false;
        }
        break;
    case '(':
        *ret_kind = BERTH_MODEL_QUERY_ALL_OF;
        if (last != ')') {
            return false;
        }
        break;
    case '\\':
        /* Lets an exact value begin with one of the signs. */
        *ret_kind = BERTH_MODEL_QUERY_EXACT;
        return true;
    default:
        *ret_kind = BERTH_MODEL_QUERY_EXACT;
        *ret_value = value;
        return true;
    }
    value[len - 1] = '\0';
    return true;
}

/* Where the term goes: a key that is there already is overwritten, as in Harbor's map. */
static struct berth_model_query_term *term_slot(struct berth_model_query *query, const char *key) {
    for (size_t i = 0; i < query->term_count; i++) {
        if (strcmp(query->terms[i].key, key) == 0) {
            return &query->terms[i];
        }
    }
    return query->term_count < BERTH_MODEL_QUERY_TERMS_MAX ? &query->terms[query->term_count++]
                                                           : NULL;
}

static const struct berth_model_query_field *find_field(const struct berth_model_query_table *table,
                                                        const char *key) {
    for (size_t i = 0; i < table->field_count; i++) {
        const struct berth_model_query_field *field = &table->fields[i];
        if (strcmp(field->name, key) == 0 || strcmp(field->column, key) == 0 ||
            (field->alias != NULL && strcmp(field->alias, key) == 0)) {
            return field;
        }
    }
    return NULL;
}

/* False: PostgreSQL has no such comparison. */
static bool make_filter(const struct berth_model_query_term *term,
                        const struct berth_model_query_field *field, struct filter *ret_filter) {
    *ret_filter = (struct filter){.field = field, .kind = term->kind, .value = term->value};
    bool text = field->type == BERTH_MODEL_QUERY_TEXT;
    switch (term->kind) {
    case BERTH_MODEL_QUERY_EXACT:
        return text || field_value(term->value, field->type, &ret_filter->number);
    case BERTH_MODEL_QUERY_RANGE:
        ret_filter->high = term->value + strlen(term->value) + 1;
        if (!bound_fits(ret_filter->value, field, &ret_filter->number) ||
            !bound_fits(ret_filter->high, field, &ret_filter->high_number)) {
            return false;
        }
        ret_filter->value = ret_filter->value[0] == '\0' ? NULL : ret_filter->value;
        ret_filter->high = ret_filter->high[0] == '\0' ? NULL : ret_filter->high;
        return true;
    case BERTH_MODEL_QUERY_ANY_OF:
        return list_fits(term->value, field);
    case BERTH_MODEL_QUERY_FUZZY:
    case BERTH_MODEL_QUERY_ALL_OF:
        return true;
    }
    BERTH_UNREACHABLE("every kind has its case");
}

/* In ranges and lists Harbor turns digits into a number, which doesn't go with a text column. */
static bool bound_fits(const char *bound, const struct berth_model_query_field *field,
                       int64_t *ret_number) {
    int64_t number = 0;
    if (bound[0] == '\0') {
        return true;
    }
    return field->type == BERTH_MODEL_QUERY_TEXT ? !whole_number(bound, &number)
                                                 : field_value(bound, field->type, ret_number);
}

static bool list_fits(const char *list, const struct berth_model_query_field *field) {
    char buffer[BERTH_MODEL_QUERY_VALUE_BYTES_MAX];
    (void)snprintf(buffer, sizeof(buffer), "%s", list);
    char *rest = buffer;
    bool fits = true;
    for (const char *item = strsep(&rest, " "); item != NULL; item = strsep(&rest, " ")) {
        int64_t number = 0;
        fits = fits && bound_fits(item, field, &number);
    }
    return fits;
}

static bool row_passes(const struct filter *filter, const void *row) {
    switch (filter->kind) {
    case BERTH_MODEL_QUERY_EXACT:
        return compare_value(filter->value, filter->number, filter->field, row) == 0;
    case BERTH_MODEL_QUERY_FUZZY:
        return row_contains(filter, row);
    case BERTH_MODEL_QUERY_RANGE:
        return (filter->value == NULL ||
                compare_value(filter->value, filter->number, filter->field, row) <= 0) &&
               (filter->high == NULL ||
                compare_value(filter->high, filter->high_number, filter->field, row) >= 0);
    case BERTH_MODEL_QUERY_ANY_OF:
        return row_in_list(filter, row);
    case BERTH_MODEL_QUERY_ALL_OF:
        return true;
    }
    BERTH_UNREACHABLE("every kind has its case");
}

static bool row_in_list(const struct filter *filter, const void *row) {
    char buffer[BERTH_MODEL_QUERY_VALUE_BYTES_MAX];
    (void)snprintf(buffer, sizeof(buffer), "%s", filter->value);
    char *rest = buffer;
    for (const char *item = strsep(&rest, " "); item != NULL; item = strsep(&rest, " ")) {
        int64_t number = 0;
        if (item[0] != '\0' && bound_fits(item, filter->field, &number) &&
            compare_value(item, number, filter->field, row) == 0) {
            return true;
        }
    }
    return false;
}

static bool row_contains(const struct filter *filter, const void *row) {
    if (filter->field->type == BERTH_MODEL_QUERY_TEXT) {
        return strcasestr(row_text(filter->field, row), filter->value) != NULL;
    }
    char digits[32];
    (void)snprintf(digits, sizeof(digits), "%lld", (long long)row_number(filter->field, row));
    return strstr(digits, filter->value) != NULL;
}

/* Negative, 0 or positive, as the value stands to the row's. */
static int compare_value(const char *value, int64_t number,
                         const struct berth_model_query_field *field, const void *row) {
    if (field->type == BERTH_MODEL_QUERY_TEXT) {
        return strcmp(value, row_text(field, row));
    }
    int64_t own = row_number(field, row);
    return (number > own) - (number < own);
}

static bool field_value(const char *value, enum berth_model_query_type type, int64_t *ret_number) {
    if (type == BERTH_MODEL_QUERY_TIME) {
        return time_value(value, ret_number);
    }
    if (type == BERTH_MODEL_QUERY_FLAG) {
        bool yes = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
        bool no = strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0;
        *ret_number = yes ? 1 : 0;
        return yes || no;
    }
    return whole_number(value, ret_number);
}

static int64_t row_number(const struct berth_model_query_field *field, const void *row) {
    const char *at = (const char *)row + field->offset;
    if (field->type == BERTH_MODEL_QUERY_FLAG) {
        bool flag = false;
        memcpy(&flag, at, sizeof(flag));
        return flag ? 1 : 0;
    }
    int64_t number = 0;
    memcpy(&number, at, sizeof(number));
    return number;
}

static const char *row_text(const struct berth_model_query_field *field, const void *row) {
    const char *text = NULL;
    memcpy(&text, (const char *)row + field->offset, sizeof(text));
    return text;
}

static bool whole_number(const char *text, int64_t *ret_number) {
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0) {
        return false;
    }
    *ret_number = number;
    return true;
}

/* 2006-01-02T15:04:05, taken as UTC. */
static bool time_value(const char *text, int64_t *ret_ms) {
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (end == NULL || *end != '\0') {
        return false;
    }
    *ret_ms = (int64_t)timegm(&parts) * 1000;
    return true;
}

static void sort_rows(const struct berth_model_query *query,
                      const struct berth_model_query_table *table, const void **items,
                      size_t count) {
    struct order order = {.count = 0};
    for (size_t i = 0; i < query->sort_count; i++) {
        const struct berth_model_query_field *field = find_field(table, query->sorts[i].key);
        if (field != NULL) {
            order.fields[order.count] = field;
            order.descending[order.count++] = query->sorts[i].descending;
        }
    }
    if (order.count == 0) {
        order.fields[order.count++] = &table->fields[table->default_sort];
    }
    /* Rows come in the order of their ids, which is often the order that is wanted. */
    bool sorted = true;
    for (size_t i = 1; sorted && i < count; i++) {
        sorted = compare_rows(&items[i - 1], &items[i], &order) <= 0;
    }
    if (!sorted) {
        qsort_r((void *)items, count, sizeof(items[0]), compare_rows, &order);
    }
}

static int compare_rows(const void *left, const void *right, void *context) {
    const struct order *order = context;
    const void *a = *(const void *const *)left;
    const void *b = *(const void *const *)right;
    for (size_t i = 0; i < order->count; i++) {
        const struct berth_model_query_field *field = order->fields[i];
        int result = 0;
        if (field->type == BERTH_MODEL_QUERY_TEXT) {
            result = strcmp(row_text(field, a), row_text(field, b));
        } else {
            int64_t first = row_number(field, a);
            int64_t second = row_number(field, b);
            result = (first > second) - (first < second);
        }
        if (result != 0) {
            return order->descending[i] ? -result : result;
        }
    }
    return 0;
}

static void cut_page(const struct berth_model_query *query, const void **items, size_t count,
                     struct berth_model_query_page *ret_page) {
    size_t first = 0;
    size_t size = count;
    if (query->page_size > 0) {
        uint64_t skipped = query->page > 1 ? (uint64_t)query->page - 1 : 0;
        /* A page number so high that its offset overflows is a page past the end. */
        uint64_t offset = 0;
        bool past =
            __builtin_mul_overflow(skipped, (uint64_t)query->page_size, &offset) || offset >= count;
        first = past ? count : (size_t)offset;
        size = (size_t)query->page_size;
    }
    size_t left = count - first;
    size = size < left ? size : left;
    memmove((void *)items, (const void *)(items + first), size * sizeof(items[0]));
    *ret_page =
        (struct berth_model_query_page){.items = items, .count = size, .total = (int64_t)count};
}
